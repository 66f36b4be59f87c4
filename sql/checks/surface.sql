-- What the isolation check has to know about a database, as rows (kind, fact): relations, functions, types, sequences,
-- schemas, publications, settings. Run it with an empty search_path, so that names in expressions are qualified.
-- %(sealed)s names schemas that no role of the API may look into.
with recursive api as (
  select oid, rolname from pg_catalog.pg_roles where rolname in ('anon', 'authenticated', 'service_role')
),
setting as (
  select coalesce(r.rolname, 'every role') as holder, split_part(item, '=', 1) as name,
    substr(item, strpos(item, '=') + 1) as content
  from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_roles r on r.oid = s.setrole, unnest(s.setconfig) item
  where s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
    and (s.setrole = 0 or r.rolname in ('anon', 'authenticated', 'authenticator'))
),
space as (
  select n.oid, n.nspname, pg_catalog.pg_get_userbyid(n.nspowner) as owner,
    n.nspname = any (%(sealed)s) as sealed,
    -- PostgREST exposes public unless told otherwise; what a role may use, the next setting may expose.
    n.nspname in ('public', 'graphql_public') or exists (
      select from setting, regexp_split_to_table(content, '\s*,\s*') listed
      where name = 'pgrst.db_schemas' and trim(listed, ' "''') = n.nspname) as declared,
    exists (select from api where rolname <> 'service_role' and has_schema_privilege(api.oid, n.oid, 'USAGE')) as usable
  from pg_catalog.pg_namespace n
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
-- Supabase's own objects are told by their owner, and an extension's by its membership.
relation as (
  select c.*, s.nspname, s.sealed,
    (s.declared or s.usable) and not s.sealed
      or (s.nspname, c.relname) in (('storage', 'objects'), ('storage', 'buckets')) as exposed
  from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f')
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    and (s.sealed or (s.nspname, c.relname) in (('storage', 'objects'), ('storage', 'buckets'))
      or not (pg_catalog.pg_get_userbyid(c.relowner) ~ '^supabase_'
        and (s.owner ~ '^supabase_' or s.nspname = 'extensions')))
),
held as (
  select r.oid, jsonb_object_agg(api.rolname, (
    select coalesce(jsonb_agg(verb), '[]') from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE',
      'REFERENCES', 'TRIGGER'] || case when current_setting('server_version_num')::integer >= 170000
      then array['MAINTAIN'] else '{}' end) verb
    where has_schema_privilege(api.oid, r.relnamespace, 'USAGE') and case when verb in ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
      then has_any_column_privilege(api.oid, r.oid, verb) else has_table_privilege(api.oid, r.oid, verb) end
  )) as rights
  from relation r, api group by r.oid
),
attribute as (
  select a.attrelid, jsonb_agg(jsonb_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'type_id', a.atttypid::bigint,
    'length', case when a.atttypid in (1042, 1043) then a.atttypmod - 4 end,
    'required', a.attnotnull, 'generated', a.attgenerated <> '', 'identity', a.attidentity,
    'default', pg_get_expr(d.adbin, d.adrelid),
    'rights', (select coalesce(jsonb_agg(api.rolname || ' ' || verb), '[]')
      from api, unnest(array['SELECT', 'INSERT', 'UPDATE']) verb
      where api.rolname <> 'service_role' and has_column_privilege(api.oid, a.attrelid, a.attnum, verb))
  ) order by a.attnum) as columns
  from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid in (select oid from relation) and a.attnum > 0 and not a.attisdropped
  group by a.attrelid
),
bound as (
  select k.conrelid, jsonb_agg(jsonb_build_object(
    'name', k.conname, 'kind', k.contype, 'target', k.confrelid::bigint, 'deferrable', k.condeferrable, 'acts', k.confdeltype in ('c', 'n', 'd'),
    'expression', case when k.contype = 'c' then pg_get_expr(k.conbin, k.conrelid) end,
    'columns', (select coalesce(jsonb_agg(a.attname order by at), '[]') from unnest(k.conkey) with ordinality key(num, at)
      join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = num),
    'theirs', (select jsonb_agg(a.attname order by at) from unnest(k.confkey) with ordinality key(num, at)
      join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = num)
  ) order by k.contype, k.conname) as constraints
  from pg_catalog.pg_constraint k
  where k.conrelid in (select oid from relation) and k.contype in ('c', 'f', 'p', 'u', 'x') group by k.conrelid
),
guarded as (
  select p.polrelid, jsonb_agg(jsonb_build_object(
    'command', p.polcmd, 'permissive', p.polpermissive,
    'roles', (select coalesce(jsonb_agg(api.rolname), '[]') from api
      where p.polroles && array[0::oid, api.oid]
        or exists (select from unnest(p.polroles) r(member) where pg_has_role(api.oid, member, 'USAGE'))),
    'using', pg_get_expr(p.polqual, p.polrelid), 'check', pg_get_expr(p.polwithcheck, p.polrelid))) as policies
  from pg_catalog.pg_policy p where p.polrelid in (select oid from relation) group by p.polrelid
),
fired as (
  select t.tgrelid, jsonb_agg(jsonb_build_object('name', t.tgname, 'function', t.tgfoid::bigint,
    'instead', t.tgtype & 64 > 0, 'rows', t.tgtype & 1 > 0)) as triggers
  from pg_catalog.pg_trigger t where t.tgrelid in (select oid from relation) and not t.tgisinternal
    and t.tgenabled in ('O', 'A') group by t.tgrelid
),
-- What a view reads, itself or through another one.
source as (
  select w.ev_class as reader, d.refclassid, d.refobjid
  from pg_catalog.pg_rewrite w join pg_catalog.pg_depend d
    on d.classid = 'pg_catalog.pg_rewrite'::regclass and d.objid = w.oid and d.deptype = 'n'
  where w.ev_class in (select oid from relation) and d.refobjid <> w.ev_class
    and d.refclassid in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass)
),
read as (
  select reader, jsonb_agg(distinct refobjid::bigint) filter (where refclassid = 'pg_catalog.pg_class'::regclass)
      as relations,
    jsonb_agg(distinct refobjid::bigint) filter (where refclassid = 'pg_catalog.pg_proc'::regclass) as functions
  from source group by reader
),
-- The types of columns and arguments, and what these are made of.
used as (
  select oid from pg_catalog.pg_type
  where oid in (select atttypid from pg_catalog.pg_attribute where attrelid in (select oid from relation))
    or typnamespace in (select oid from space)
    or oid in (select unnest(proargtypes::oid[]) from pg_catalog.pg_proc where pronamespace in (select oid from space))
  union
  select part from used join pg_catalog.pg_type t using (oid), unnest(array[t.typelem, t.typbasetype]) part
)
select 'relation' as kind, jsonb_build_object(
  'id', r.oid::bigint, 'schema', r.nspname, 'name', r.relname, 'kind', r.relkind, 'exposed', r.exposed,
  'sealed', r.sealed, 'secured', r.relrowsecurity, 'rows', r.reltuples, 'owner', pg_get_userbyid(r.relowner),
  'invoker', coalesce(r.reloptions::text ~* 'security_invoker=(true|on|1|yes)', false),
  'partition', r.relispartition,
  'parents', (select coalesce(jsonb_agg(inhparent::bigint), '[]') from pg_catalog.pg_inherits where inhrelid = r.oid),
  'condition', case when r.relispartition then pg_get_partition_constraintdef(r.oid) end,
  'writable', pg_relation_is_updatable(r.oid, false) & 28,
  'rights', held.rights, 'columns', coalesce(attribute.columns, '[]'), 'constraints', coalesce(bound.constraints, '[]'),
  'policies', coalesce(guarded.policies, '[]'), 'triggers', coalesce(fired.triggers, '[]'),
  'rules', exists (select from pg_catalog.pg_rewrite w where w.ev_class = r.oid and w.ev_type <> '1'),
  'reads', coalesce(read.relations, '[]'), 'calls', coalesce(read.functions, '[]'),
  'uniques', (select coalesce(jsonb_agg(part.names), '[]') from pg_catalog.pg_index x, lateral (
      select jsonb_agg(coalesce(a.attname, '') order by at) as names
      from unnest(x.indkey::smallint[]) with ordinality key(num, at)
        left join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = num
      where at <= x.indnkeyatts) part
    where x.indrelid = r.oid and x.indisunique),
  'indexed', (select coalesce(jsonb_agg(distinct a.attname), '[]') from pg_catalog.pg_index x
    join pg_catalog.pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
    where x.indrelid = r.oid and x.indisvalid)
) as fact
from relation r join held using (oid) left join attribute on attrelid = r.oid left join bound on conrelid = r.oid
  left join guarded on polrelid = r.oid left join fired on tgrelid = r.oid left join read on reader = r.oid
union all
select 'function', jsonb_build_object(
  'id', p.oid::bigint, 'schema', n.nspname, 'name', p.proname, 'kind', p.prokind, 'definer', p.prosecdef,
  'signature', pg_get_function_identity_arguments(p.oid), 'set', p.proretset, 'variadic', p.provariadic <> 0,
  'arguments', (select coalesce(jsonb_agg(jsonb_build_object('type', format_type(type, null), 'type_id', type::bigint,
      'name', coalesce(p.proargnames[at], '')) order by at), '[]')
    from unnest(p.proargtypes::oid[]) with ordinality argument(type, at)),
  'returns', format_type(p.prorettype, null), 'language', l.lanname, 'trusted', l.lanpltrusted or l.lanname = 'internal',
  'source', case when p.prosqlbody is null then p.prosrc else pg_get_function_sqlbody(p.oid) end,
  'member', e.extname, 'exposed', (s.declared or s.usable) and not s.sealed, 'sealed', s.sealed,
  'supabase', pg_get_userbyid(p.proowner) ~ '^supabase_' and (s.owner ~ '^supabase_' or n.nspname = 'extensions'),
  'roles', (select coalesce(jsonb_agg(api.rolname), '[]') from api
    where has_function_privilege(api.oid, p.oid, 'EXECUTE') and has_schema_privilege(api.oid, n.oid, 'USAGE')))
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace join space s on s.oid = n.oid
  join pg_catalog.pg_language l on l.oid = p.prolang
  left join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
  left join pg_catalog.pg_extension e on e.oid = d.refobjid
where p.prokind in ('f', 'p', 'w')
  and (e.oid is null or e.extname in ('http', 'pg_net', 'dblink', 'postgres_fdw', 'file_fdw', 'wrappers', 'pg_cron', 'pgmq',
    'plsh') or not l.lanpltrusted and l.lanname not in ('c', 'internal'))
union all
select 'type', jsonb_build_object('id', t.oid::bigint, 'name', format_type(t.oid, null), 'kind', t.typtype,
  'category', t.typcategory, 'element', t.typelem::bigint, 'base', t.typbasetype::bigint,
  'labels', (select jsonb_agg(enumlabel order by enumsortorder) from pg_catalog.pg_enum where enumtypid = t.oid),
  'checks', (select jsonb_agg(pg_get_expr(conbin, 0)) from pg_catalog.pg_constraint where contypid = t.oid and contype = 'c'),
  'attributes', (select count(*) from pg_catalog.pg_attribute a
    where a.attrelid = t.typrelid and t.typrelid <> 0 and a.attnum > 0 and not a.attisdropped),
  'relation', t.typrelid::bigint)
from pg_catalog.pg_type t join used using (oid)
union all
-- A sequence of an identity column is nobody's but the column's.
select 'sequence', jsonb_build_object('schema', s.nspname, 'name', c.relname,
  'roles', (select coalesce(jsonb_agg(api.rolname || ' ' || verb), '[]')
    from api, unnest(array['USAGE', 'SELECT', 'UPDATE']) verb
    where has_sequence_privilege(api.oid, c.oid, verb) and has_schema_privilege(api.oid, s.oid, 'USAGE')))
from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
where c.relkind = 'S' and (s.declared or s.usable or s.sealed)
  and not exists (select from pg_catalog.pg_depend d
    where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype in ('e', 'i'))
  and not (pg_get_userbyid(c.relowner) ~ '^supabase_' and s.owner ~ '^supabase_')
union all
select 'counted', to_jsonb(c.relname)
from pg_catalog.pg_class c join space s on s.oid = c.relnamespace
where c.relkind in ('r', 'p') and exists (select from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = c.oid and (a.attidentity <> '' or a.atthasdef and pg_get_expr(d.adbin, d.adrelid) ~ 'nextval'))
union all
select 'schema', jsonb_build_object('name', nspname, 'exposed', declared or usable, 'sealed', sealed,
  'creators', (select coalesce(jsonb_agg(rolname), '[]') from api where has_schema_privilege(api.oid, space.oid, 'CREATE')))
from space where owner !~ '^supabase_'
union all
select 'published', jsonb_build_object('publication', p.pubname, 'table', c.oid::bigint)
from pg_catalog.pg_publication p, pg_catalog.pg_class c, lateral pg_catalog.pg_get_publication_tables(p.pubname) t
where p.pubname ~ '^supabase_realtime' and c.oid = t.relid and not c.relrowsecurity
union all
select 'setting', to_jsonb(setting) from setting where name ~ '^(request\.|pgrst\.db_pre_request)'
