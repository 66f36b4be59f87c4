-- Everything in a database that Supabase did not make, as object and definition, plus what somebody other than Supabase
-- arranged on Supabase's own objects. Definitions read the same on Postgres 15 to 18.
-- Run it with an empty search_path, so that names in definitions are qualified. One statement, read-only.
--
-- Supabase's own ("image") is told by owner and extension membership. The lists in the CTE "image" are the exceptions:
-- what an image makes under the name of `postgres`, and its roles. They are dated; a name that is missing there is
-- reported, never passed over.
with image as materialized (
  select
    -- Roles: supabase/postgres 15.14 and 17.6, nix/tests/expected/roles.out and z_17_roles.out, as of 2026-11.
    '{dashboard_user,pgbouncer,pgsodium_keyholder,pgsodium_keyiduser,pgsodium_keymaker,pgtle_admin,
      supabase_admin,supabase_auth_admin,supabase_etl_admin,supabase_functions_admin,
      supabase_read_only_user,supabase_realtime_admin,supabase_replication_admin,
      supabase_storage_admin,supabase_privileged_role}'::text[] as roles,
    '{anon,authenticated,service_role,authenticator}'::text[] as api,
    '{authenticator>anon,authenticator>authenticated,authenticator>service_role,
      pgsodium_keyholder>pgsodium_keyiduser,pgsodium_keymaker>pgsodium_keyholder,
      pgsodium_keymaker>pgsodium_keyiduser,supabase_etl_admin>pg_read_all_data,
      supabase_read_only_user>pg_read_all_data,supabase_storage_admin>authenticator}'::text[]
      as memberships,
    -- Extensions of a new project and their schemas, as of 2026-11.
    '{"plpgsql": "pg_catalog", "pg_stat_statements": "extensions", "pgcrypto": "extensions",
      "uuid-ossp": "extensions", "pgjwt": "extensions", "pg_graphql": "graphql",
      "supabase_vault": "vault", "pgsodium": "pgsodium"}'::jsonb as extensions,
    -- Schemas in which the image itself lets the API's roles in, as of 2026-11.
    '{extensions,graphql,graphql_public,net,realtime,storage,supabase_functions}'::text[] as open,
    -- Bodies, without white space, of the functions that every policy relies on: supabase/auth, migrations
    -- 00_init_auth_schema, 20220224000811 and 20220531120530.
    array[
      'uid:selectcoalesce(nullif(current_setting(''request.jwt.claim.sub'',true),''''),'
        '(nullif(current_setting(''request.jwt.claims'',true),'''')::jsonb->>''sub''))::uuid',
      'uid:selectnullif(current_setting(''request.jwt.claim.sub'',true),'''')::uuid',
      'role:selectcoalesce(nullif(current_setting(''request.jwt.claim.role'',true),''''),'
        '(nullif(current_setting(''request.jwt.claims'',true),'''')::jsonb->>''role''))::text',
      'role:selectnullif(current_setting(''request.jwt.claim.role'',true),'''')::text',
      'email:selectcoalesce(nullif(current_setting(''request.jwt.claim.email'',true),''''),'
        '(nullif(current_setting(''request.jwt.claims'',true),'''')::jsonb->>''email''))::text',
      'email:selectnullif(current_setting(''request.jwt.claim.email'',true),'''')::text',
      'jwt:selectcoalesce(nullif(current_setting(''request.jwt.claim'',true),''''),'
        'nullif(current_setting(''request.jwt.claims'',true),''''))::jsonb'
    ] as trusted
),
-- `postgres` is whoever runs this; a server where that name is the superuser's has a stand-in for it.
person as materialized (
  select r.*,
    case when r.rolname = current_user then 'postgres'
      when r.rolsuper and r.rolname = 'postgres' then 'supabase_admin'
      else pg_catalog.quote_ident(r.rolname) end as name,
    r.rolname = current_user as deployer,
    r.rolname = any (i.api) as api,
    v.visitor,
    r.rolname <> current_user and (r.rolsuper or v.visitor or r.rolname = any (i.roles)) as image
  from pg_catalog.pg_roles r cross join image i cross join lateral (
    -- Logins that the Management API gives for minutes.
    select r.rolname ~ '^cli_login_'
        and (not r.rolcanlogin or coalesce(r.rolvaliduntil < now() + interval '1 day', false))
      -- Logins of local mode, where projects share a server. On Supabase the database is `postgres`.
      or current_database() <> 'postgres' and exists (select from pg_catalog.pg_database d
        where r.rolname in ('postgres.' || d.datname, 'authenticator_' || d.datname,
          'cli_login_postgres.' || d.datname)) as visitor
  ) v
),
member_of_extension as materialized (
  select classid, objid from pg_catalog.pg_depend where deptype = 'e'
),
space as materialized (
  select n.oid, n.nspname, n.nspowner, n.nspacl, pg_catalog.quote_ident(n.nspname) as name, o.name as owner,
    -- The image makes `extensions` in the name of `postgres`.
    n.nspname <> 'public' and (n.nspname in ('extensions', 'supabase_migrations') or o.image or exists (
      select from member_of_extension e
      where e.classid = 'pg_catalog.pg_namespace'::regclass and e.objid = n.oid)) as image
  from pg_catalog.pg_namespace n join person o on o.oid = n.nspowner
  where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
),
relation as materialized (
  select c.oid, c.relname, c.relkind, c.relowner, c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
    c.relpersistence, c.relreplident, c.relpartbound, n.nspname,
    n.name || '.' || pg_catalog.quote_ident(c.relname) as name,
    o.name as owner, e.objid is not null as extension,
    e.objid is not null or n.image and case n.nspname
      -- The ledger belongs to the Supabase CLI, whoever ran it first.
      when 'supabase_migrations' then c.relname in ('schema_migrations', 'seed_files') else o.image end as image
  from pg_catalog.pg_class c join space n on n.oid = c.relnamespace join person o on o.oid = c.relowner
    left join member_of_extension e on e.classid = 'pg_catalog.pg_class'::regclass and e.objid = c.oid
  where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
),
routine as materialized (
  select p.oid, p.proname, p.prokind, p.proowner, p.proacl, p.prosecdef, n.oid as space, n.nspname, o.name as owner,
    n.name || '.' || pg_catalog.quote_ident(p.proname)
      || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name,
    e.objid is not null as extension, e.objid is not null or n.image and o.image as image,
    n.nspname = 'auth' and p.proname in ('uid', 'role', 'email', 'jwt') and p.pronargs = 0
      and (p.prosecdef or not (p.proname || ':' || regexp_replace(lower(p.prosrc), '\s|;\s*$', '', 'g')
        = any (i.trusted))) as replaced
  from pg_catalog.pg_proc p join space n on n.oid = p.pronamespace join person o on o.oid = p.proowner
    left join member_of_extension e on e.classid = 'pg_catalog.pg_proc'::regclass and e.objid = p.oid
    cross join image i
),
type as materialized (
  select t.oid, t.typtype, t.typrelid, t.typbasetype, t.typtypmod, t.typnotnull, t.typdefault, t.typacl, t.typowner,
    o.name as owner, n.name || '.' || pg_catalog.quote_ident(t.typname) as name
  from pg_catalog.pg_type t join space n on n.oid = t.typnamespace join person o on o.oid = t.typowner
    left join pg_catalog.pg_class c on c.oid = t.typrelid
  where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and c.relkind = 'c') and not (n.image and o.image)
    and not exists (select from member_of_extension e
      where e.classid = 'pg_catalog.pg_type'::regclass and e.objid = t.oid)
),
owned as (
  select 'relation' as kind, r.oid, r.relowner as owner, r.image, r.extension, r.nspname, false as definer,
    r.relacl as acl, 'pg_catalog.pg_class'::regclass as class
  from relation r
  union all
  select 'routine', f.oid, f.proowner, f.image, f.extension, f.nspname, f.prosecdef,
    coalesce(f.proacl, acldefault('f', f.proowner)), 'pg_catalog.pg_proc'::regclass
  from routine f
  union all
  select 'schema', n.oid, n.nspowner, n.image, false, n.nspname, false, n.nspacl, null from space n
  union all
  select 'type', t.oid, t.typowner, false, false, '', false, t.typacl, null from type t
  union all
  select 'server', s.oid, s.srvowner, false, false, '', false, s.srvacl, null
  from pg_catalog.pg_foreign_server s
  union all
  select 'database', d.oid, d.datdba, true, false, '', false, d.datacl, null
  from pg_catalog.pg_database d where d.datname = current_database()
  union all
  select 'parameter', p.oid, 0, true, false, '', false, p.paracl, null from pg_catalog.pg_parameter_acl p
  union all
  select 'default', d.oid, d.defaclrole, false, false,
    case when d.defaclnamespace = 0 then '*' else '' end, false, d.defaclacl, null
  from pg_catalog.pg_default_acl d
),
acl as (
  select o.*, null::name as part, x.grantor, x.grantee, x.privilege_type, x.is_grantable
  from owned o, aclexplode(o.acl) x
  union all
  select o.*, a.attname, x.grantor, x.grantee, x.privilege_type, x.is_grantable
  from owned o join pg_catalog.pg_attribute a on o.kind = 'relation' and a.attrelid = o.oid
    and a.attacl is not null, aclexplode(a.attacl) x
  union all
  -- Row-level security does not bind an owner, so that one is a right like others.
  select o.*, null, o.owner, o.owner, 'OWNER', false
  from owned o
  where not o.image and o.kind <> 'default'
),
privilege as (
  select acl.kind, acl.oid, coalesce(g.name, 'PUBLIC') as grantee,
    acl.privilege_type
      || coalesce(' (' || string_agg(pg_catalog.quote_ident(acl.part), ', ' order by acl.part) || ')', '')
      || case when acl.is_grantable then ' with grant option' else '' end as right_text
  from acl cross join image i
    left join person g on g.oid = acl.grantee join person giver on giver.oid = acl.grantor
  where not coalesce(g.deployer, false) and (acl.grantee <> acl.owner or acl.kind <> 'default' and not acl.image)
    and case
      when acl.kind = 'type' then acl.grantee <> 0
      -- Built in, and stored only where something else was changed.
      when acl.kind = 'default' and acl.nspname = '*' and acl.grantee = 0
        then acl.privilege_type not in ('EXECUTE', 'USAGE')
      -- The image lets the API and itself look up names in these, and some images let themselves do all.
      when acl.kind = 'schema' and acl.nspname in ('extensions', 'public') then not coalesce(g.image or g.rolname ~ '^pg_', false)
        and not (coalesce(g.api, true) and acl.privilege_type = 'USAGE' and not acl.is_grantable)
      when not acl.image then acl.privilege_type = 'OWNER' or not coalesce(g.rolsuper, false)
      when coalesce(g.image, false) or acl.kind = 'database' and acl.privilege_type <> 'CREATE' then false
      when acl.kind in ('database', 'parameter') then true
      when acl.extension and exists (select from pg_catalog.pg_init_privs b, aclexplode(b.initprivs) x
        where b.classoid = acl.class and b.objoid = acl.oid and b.objsubid = 0
          and (x.grantee, x.privilege_type) = (acl.grantee, acl.privilege_type)) then false
      -- What everybody may do by default is no gift of somebody's.
      when not giver.image then acl.kind <> 'routine' or acl.grantee <> 0 or not acl.extension
      -- What Supabase itself gives where it gives nothing to the API.
      when acl.extension or not coalesce(g.api, true) then false
      when acl.kind = 'schema' then acl.privilege_type = 'CREATE'
      when acl.nspname = any (i.open) or g.rolname in ('service_role', 'authenticator') then false
      when acl.kind = 'routine' then acl.definer
      else true end
  group by acl.kind, acl.oid, g.name, acl.privilege_type, acl.is_grantable, acl.part is null
),
given as materialized (
  select kind, oid, string_agg(line, '; ' order by line) as rights
  from (
    select kind, oid, grantee || ': ' || string_agg(right_text, ', ' order by right_text) as line
    from privilege group by kind, oid, grantee
  ) per_role group by kind, oid
),
policy as (
  select r.name || '.' || p.polname as name, concat_ws(' ',
    case when p.polpermissive then 'permissive' else 'restrictive' end,
    case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
      else 'all' end,
    'to ' || (select string_agg(coalesce(g.name, 'PUBLIC'), ', ' order by g.name)
      from unnest(p.polroles) member left join person g on g.oid = member),
    'using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
    'with check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')') as definition
  from relation r join pg_catalog.pg_policy p on p.polrelid = r.oid where not r.extension
),
role_found as (
  select p.name, concat_ws(' ',
    case when p.rolsuper then 'superuser' end,
    case when p.rolcreaterole and not p.deployer then 'createrole' end,
    case when p.rolcreatedb and not p.deployer then 'createdb' end,
    case when p.rolreplication and not p.deployer then 'replication' end,
    -- An operator gives `workflows` its login; before Postgres 16 nobody but a superuser can let it pass policies.
    case when p.rolcanlogin and p.rolname not in ('authenticator', 'workflows') then 'login' end,
    case when p.rolbypassrls and p.rolname not in ('service_role', 'workflows') then 'bypassrls' end) as attributes,
    p.api
  from person p
  where not p.image and not p.deployer and p.rolname !~ '^pg_'
    and (p.api or p.rolcanlogin or p.rolbypassrls or p.rolcreaterole or p.rolsuper or p.rolreplication
      or exists (select from pg_catalog.pg_shdepend d where d.refclassid = 'pg_catalog.pg_authid'::regclass
        and d.refobjid = p.oid
        and d.dbid = (select oid from pg_catalog.pg_database where datname = current_database())))
)
select 'schema ' || n.name as object, 'rights: ' || concat_ws('; ',
  case when n.image then n.owner || ': OWNER' end,
  coalesce(given.rights, case when not n.image then 'none' end)) as definition
from space n join person o on o.oid = n.nspowner left join given on given.kind = 'schema' and given.oid = n.oid
where not n.image or given.rights is not null
union all
select case r.relkind when 'v' then 'view ' when 'm' then 'matview ' when 'f' then 'foreign-table '
    when 'S' then 'sequence ' else 'table ' end || r.name,
  concat_ws(' ', array_to_string(r.reloptions, ', '),
    case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) else 'exists' end,
    case when r.relkind <> 'S' and r.relpersistence = 'u' then 'unlogged' end,
    case when r.relkind = 'S' then (select 'owned by ' || d.refobjid::regclass from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = r.oid and d.deptype in ('a', 'i')
        and d.refclassid = d.classid) end,
    case when r.relkind = 'p' then 'partitioned by ' || pg_catalog.pg_get_partkeydef(r.oid) end,
    (select 'inherits ' || string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
      from pg_catalog.pg_inherits i where i.inhrelid = r.oid),
    pg_catalog.pg_get_expr(r.relpartbound, r.oid),
    case when r.relkind in ('r', 'p') and r.relreplident <> 'd' then 'replica identity '
      || case r.relreplident when 'f' then 'full' when 'n' then 'nothing' else 'index' end end,
    (select 'on server ' || s.srvname from pg_catalog.pg_foreign_table t
      join pg_catalog.pg_foreign_server s on s.oid = t.ftserver where t.ftrelid = r.oid))
from relation r where not r.image
union all
select 'grants ' || r.name, concat_ws('; ', case when r.image then r.owner || ': OWNER' end,
    coalesce(given.rights, case when not r.image then 'none' end))
from relation r left join given on given.kind = 'relation' and given.oid = r.oid
where not r.image or given.rights is not null
union all
select 'rls ' || r.name, case when r.relrowsecurity then 'enabled' else 'disabled' end
  || case when r.relforcerowsecurity then ', forced' else '' end
from relation r where r.relkind in ('r', 'p') and (not r.image
  -- The two services that keep clients' data rely on it.
  or r.owner in ('supabase_auth_admin', 'supabase_storage_admin') and not r.relrowsecurity and exists (
    select from aclexplode(r.relacl) x left join person g on g.oid = x.grantee where coalesce(g.api, true)))
union all
select 'column ' || r.name || '.' || a.attname, concat_ws(' ',
  pg_catalog.format_type(a.atttypid, a.atttypmod),
  case when a.attcollation <> t.typcollation then 'collate ' || a.attcollation::regcollation end,
  case when a.attnotnull then 'not null' end,
  case when a.attidentity <> '' then 'identity ' || a.attidentity::text end,
  case when a.attgenerated <> '' then 'generated ' || a.attgenerated::text when d.oid is not null then 'default' end,
  pg_catalog.pg_get_expr(d.adbin, d.adrelid))
from relation r
  join pg_catalog.pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  join pg_catalog.pg_type t on t.oid = a.atttypid
  left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where r.relkind in ('r', 'p', 'f') and not r.image
union all
-- Not-null constraints (rows of their own since Postgres 18) are told by the column.
select 'constraint ' || r.name || '.' || k.conname, pg_catalog.pg_get_constraintdef(k.oid)
  || case when exists (select from pg_catalog.pg_trigger t where t.tgconstraint = k.oid and t.tgenabled = 'D')
    then ' (disabled)' else '' end
from relation r join pg_catalog.pg_constraint k on k.conrelid = r.oid
where k.contype in ('c', 'f', 'p', 'u', 'x') and not r.image
union all
select 'index ' || r.name || '.' || i.relname,
  pg_catalog.pg_get_indexdef(i.oid) || case when x.indisvalid then '' else ' (invalid)' end
from relation r
  join pg_catalog.pg_index x on x.indrelid = r.oid join pg_catalog.pg_class i on i.oid = x.indexrelid
where not r.image
  and not exists (select from pg_catalog.pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
union all
select 'policy ' || policy.name, policy.definition from policy
union all
select 'trigger ' || r.name || '.' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid)
  || case t.tgenabled when 'O' then '' when 'D' then ' (disabled)' else ' (mode ' || t.tgenabled::text || ')' end
from relation r join pg_catalog.pg_trigger t on t.tgrelid = r.oid left join routine f on f.oid = t.tgfoid
-- Supabase's own triggers call a function of Supabase's in the table's schema.
where not t.tgisinternal and not r.extension and not (r.image and coalesce(f.image and f.nspname = r.nspname, false))
union all
-- A view's own rule is its definition.
select 'rule ' || r.name || '.' || w.rulename, pg_catalog.pg_get_ruledef(w.oid)
  || case when w.ev_enabled = 'D' then ' (disabled)' else '' end
from relation r join pg_catalog.pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN' and not r.extension
union all
select 'statistics ' || r.name || '.' || s.stxname, pg_catalog.pg_get_statisticsobjdef(s.oid)
from relation r join pg_catalog.pg_statistic_ext s on s.stxrelid = r.oid where not r.image
union all
select case f.prokind when 'p' then 'procedure ' when 'a' then 'aggregate ' else 'function ' end || f.name,
  case when f.image and not f.replaced then ''
    when f.prokind = 'a' then (select concat_ws(' ', 'step', a.aggtransfn::regprocedure, 'final',
      nullif(a.aggfinalfn, 0)::regprocedure) || E'\n' from pg_catalog.pg_aggregate a where a.aggfnoid = f.oid)
    else pg_catalog.pg_get_functiondef(f.oid) end
  || 'rights: ' || concat_ws('; ', case when f.image then f.owner || ': OWNER' end,
    coalesce(given.rights, case when not f.image then 'none' end))
from routine f left join given on given.kind = 'routine' and given.oid = f.oid
where not f.image or f.replaced or given.rights is not null
union all
select 'type ' || t.name, case t.typtype
    when 'e' then (select 'enum (' || string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
      || ')' from pg_catalog.pg_enum e where e.enumtypid = t.oid)
    when 'd' then concat_ws(' ', 'domain', pg_catalog.format_type(t.typbasetype, t.typtypmod),
      case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
      (select string_agg(pg_catalog.pg_get_constraintdef(k.oid), ' ' order by k.conname)
        from pg_catalog.pg_constraint k where k.contypid = t.oid and k.contype = 'c'))
    when 'c' then (select 'composite (' || string_agg(a.attname || ' '
      || pg_catalog.format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum) || ')'
      from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)
    else (select 'range of ' || pg_catalog.format_type(g.rngsubtype, null) from pg_catalog.pg_range g
      where g.rngtypid = t.oid) end
  || '; rights: ' || coalesce(given.rights, 'none')
from type t left join given on given.kind = 'type' and given.oid = t.oid
union all
select 'default-privileges ' || coalesce(n.name, '*') || '.' || case d.defaclobjtype when 'r' then 'tables'
    when 'S' then 'sequences' when 'f' then 'functions' when 'T' then 'types' else 'schemas' end
    || case when o.deployer then '' else ' for ' || o.name end, given.rights
from pg_catalog.pg_default_acl d join person o on o.oid = d.defaclrole and not o.image
  left join space n on n.oid = d.defaclnamespace join given on given.kind = 'default' and given.oid = d.oid
where d.defaclnamespace = 0 or not n.image
union all
select 'publication ' || pg_catalog.quote_ident(p.pubname), concat_ws(' ',
  case when p.puballtables then 'all tables' end,
  case when p.pubinsert then 'insert' end, case when p.pubupdate then 'update' end,
  case when p.pubdelete then 'delete' end, case when p.pubtruncate then 'truncate' end,
  case when p.pubviaroot then 'via root' end)
  || '; rights: ' || coalesce(nullif(o.name, 'postgres') || ': OWNER', 'none')
from pg_catalog.pg_publication p join person o on o.oid = p.pubowner
-- The image makes it empty, in the name of `postgres`.
where not o.image and (p.pubname <> 'supabase_realtime' or p.puballtables) or o.image and p.puballtables
union all
select 'published ' || r.name || '.' || p.pubname, concat_ws(' ', 'in', pg_catalog.quote_ident(p.pubname),
  (select '(' || string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum) || ')'
    from pg_catalog.pg_attribute a where a.attrelid = r.oid and a.attnum = any (m.prattrs)),
  'where (' || pg_catalog.pg_get_expr(m.prqual, m.prrelid) || ')')
from pg_catalog.pg_publication_rel m join pg_catalog.pg_publication p on p.oid = m.prpubid
  join person o on o.oid = p.pubowner join relation r on r.oid = m.prrelid
where not (o.image and r.image)
union all
select 'publication ' || pg_catalog.quote_ident(p.pubname) || ' schema ' || n.name, 'every table'
from pg_catalog.pg_publication_namespace m join pg_catalog.pg_publication p on p.oid = m.pnpubid
  join space n on n.oid = m.pnnspid
union all
select 'subscription ' || pg_catalog.quote_ident(s.subname), case when s.subenabled then 'enabled' else 'disabled' end
  || '; rights: ' || coalesce(nullif(o.name, 'postgres') || ': OWNER', 'none')
from pg_catalog.pg_subscription s join person o on o.oid = s.subowner
where s.subdbid = (select oid from pg_catalog.pg_database where datname = current_database())
union all
select 'event-trigger ' || pg_catalog.quote_ident(t.evtname), concat_ws(' ', 'on', t.evtevent,
  array_to_string(t.evttags, ', '), 'calls', coalesce(f.name, t.evtfoid::regproc::text),
  case t.evtenabled when 'D' then '(disabled)' end)
  || '; rights: ' || coalesce(nullif(o.name, 'postgres') || ': OWNER', 'none')
from pg_catalog.pg_event_trigger t join person o on o.oid = t.evtowner left join routine f on f.oid = t.evtfoid
where not (o.image and coalesce(f.image, true)) and not exists (select from member_of_extension e
  where e.classid = 'pg_catalog.pg_event_trigger'::regclass and e.objid = t.oid)
union all
select 'extension ' || pg_catalog.quote_ident(e.extname), 'in schema ' || pg_catalog.quote_ident(n.nspname)
from pg_catalog.pg_extension e join pg_catalog.pg_namespace n on n.oid = e.extnamespace cross join image i
where i.extensions ->> e.extname::text is distinct from n.nspname::text
union all
-- Options hold passwords and addresses: their names are all that is read.
select 'server ' || pg_catalog.quote_ident(s.srvname), concat_ws(' ', 'of', w.fdwname,
  (select 'options (' || string_agg(split_part(x, '=', 1), ', ' order by x) || ')' from unnest(s.srvoptions) x))
  || '; rights: ' || coalesce(given.rights, 'none')
from pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw
  join person o on o.oid = s.srvowner left join given on given.kind = 'server' and given.oid = s.oid
where not exists (select from member_of_extension e
  where e.classid = 'pg_catalog.pg_foreign_server'::regclass and e.objid = s.oid)
union all
select 'user-mapping ' || pg_catalog.quote_ident(m.srvname) || ' for ' || coalesce(g.name, 'PUBLIC'), 'exists'
from pg_catalog.pg_user_mappings m left join person g on g.oid = m.umuser
union all
select 'foreign-data-wrapper ' || pg_catalog.quote_ident(w.fdwname),
  'rights: ' || coalesce(nullif(o.name, 'postgres') || ': OWNER', 'none')
from pg_catalog.pg_foreign_data_wrapper w join person o on o.oid = w.fdwowner
where not exists (select from member_of_extension e
  where e.classid = 'pg_catalog.pg_foreign_data_wrapper'::regclass and e.objid = w.oid)
union all
select 'cast ' || pg_catalog.format_type(c.castsource, null) || ' as ' || pg_catalog.format_type(c.casttarget, null),
  concat_ws(' ', nullif(c.castfunc, 0)::regprocedure, case c.castcontext when 'i' then 'implicit'
    when 'a' then 'assignment' else 'explicit' end)
from pg_catalog.pg_cast c
where c.oid >= 16384 and not exists (select from member_of_extension e
  where e.classid = 'pg_catalog.pg_cast'::regclass and e.objid = c.oid)
union all
select 'operator ' || p.oid::regoperator,
  'calls ' || p.oprcode::regprocedure || '; rights: ' || coalesce(nullif(o.name, 'postgres') || ': OWNER', 'none')
from pg_catalog.pg_operator p join person o on o.oid = p.oprowner join space n on n.oid = p.oprnamespace
where not (n.image and o.image) and not exists (select from member_of_extension e
  where e.classid = 'pg_catalog.pg_operator'::regclass and e.objid = p.oid)
union all
select 'database ' || pg_catalog.quote_ident(current_database()), 'rights: ' || given.rights
from given where given.kind = 'database'
union all
select 'parameter ' || p.parname, 'rights: ' || given.rights
from pg_catalog.pg_parameter_acl p join given on given.kind = 'parameter' and given.oid = p.oid
union all
select 'role ' || r.name, coalesce(nullif(r.attributes, ''), 'exists')
from role_found r where not r.api or r.attributes <> ''
union all
-- Values may be secrets, so only those of known settings are read. Time limits let nobody in.
select 'setting ' || coalesce(p.name, 'database') || ' ' || split_part(x.line, '=', 1),
  case when x.line ~ '^(pgrst\.db_\w+|role|row_security|search_path|session_(preload_libraries|replication_role))='
    then substr(x.line, strpos(x.line, '=') + 1) else 'set' end
from pg_catalog.pg_db_role_setting s left join person p on p.oid = s.setrole
  cross join lateral (select replace(line, '\', '') as line from unnest(s.setconfig) line) x
where s.setdatabase in (0, (select oid from pg_catalog.pg_database where datname = current_database()))
  and (s.setrole = 0 or not p.image) and x.line !~ '^(\w+_timeout|app\.settings\.jwt_\w+)='
  and not (coalesce(p.deployer, false) and x.line = 'search_path="$user", public, extensions')
  and not (coalesce(p.name, '') = 'authenticator' and x.line ~ '^session_preload_libraries=(supautils, *)?safeupdate$')
union all
select 'membership ' || m.name || ' in ' || g.name,
  'member' || case when a.admin_option then ' with admin option' else '' end
from pg_catalog.pg_auth_members a join person m on m.oid = a.member join person g on g.oid = a.roleid
  cross join image i
where not m.deployer and not m.rolsuper and m.rolname !~ '^pg_' and case
  when m.visitor then not (g.deployer or g.api)
  else not m.rolname || '>' || g.rolname = any (i.memberships) or a.admin_option end
order by 1
