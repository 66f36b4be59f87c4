-- Every object of the schemas public and private that is not an extension's, with a definition that reads the same on
-- Postgres 15 to 18. Run it with an empty search_path, so that names in definitions are qualified.
-- The rights of an owner outside the API are left out: a reviewer cares for what comes through the API, and for what
-- the workflow engine's role reaches.
with relation as (
  select c.oid, c.relkind, c.relowner, c.relacl, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
    n.nspname || '.' || c.relname as name
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
),
routine as (
  select p.oid, p.proowner, p.proacl, n.nspname || '.' || p.proname
    || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name
  from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname in ('public', 'private') and p.prokind in ('f', 'p', 'w')
    and not exists (select from pg_catalog.pg_depend d
      where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
),
acl as (
  select 'relation' as kind, r.oid, null::name as part, x.* from relation r, aclexplode(r.relacl) x
  union all
  select 'relation', r.oid, a.attname, x.*
  from relation r join pg_catalog.pg_attribute a on a.attrelid = r.oid, aclexplode(a.attacl) x
  union all
  select 'routine', f.oid, null, x.*
  from routine f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) x
  union all
  select 'schema', n.oid, null, x.* from pg_catalog.pg_namespace n, aclexplode(n.nspacl) x where n.nspname = 'private'
  union all
  -- Row-level security does not bind an owner. Told of the API's roles only, like every other right.
  select kind, oid, null, owner, owner, 'OWNER', false
  from (select 'relation', oid, relowner from relation union all select 'routine', oid, proowner from routine)
    as owned(kind, oid, owner)
),
privilege as (
  select acl.kind, acl.oid, coalesce(g.rolname, 'PUBLIC') as grantee,
    acl.privilege_type || coalesce(' (' || string_agg(acl.part, ', ' order by acl.part) || ')', '')
    || case when acl.is_grantable then ' with grant option' else '' end as right_text
  from acl left join pg_catalog.pg_roles g on g.oid = acl.grantee
  where acl.grantee = 0 or g.rolname in ('anon', 'authenticated', 'service_role', 'workflows')
  group by acl.kind, acl.oid, g.rolname, acl.privilege_type, acl.is_grantable, acl.part is null
),
api as (
  select kind, oid, string_agg(line, '; ' order by line) as rights
  from (
    select kind, oid, grantee || ': ' || string_agg(right_text, ', ' order by right_text) as line
    from privilege group by kind, oid, grantee
  ) per_role group by kind, oid
)
select 'schema ' || n.nspname as object, 'rights: ' || coalesce(api.rights, 'none') as definition
from pg_catalog.pg_namespace n left join api on api.kind = 'schema' and api.oid = n.oid where n.nspname = 'private'
union all
select case r.relkind when 'v' then 'view ' when 'm' then 'matview ' when 'f' then 'foreign-table '
    when 'S' then 'sequence ' else 'table ' end || r.name,
  concat_ws(' ', array_to_string(r.reloptions, ', '),
    case when r.relkind in ('v', 'm') then pg_catalog.pg_get_viewdef(r.oid) else 'exists' end)
from relation r
union all
select 'grants ' || r.name, coalesce(api.rights, 'none')
from relation r left join api on api.kind = 'relation' and api.oid = r.oid
union all
select 'rls ' || r.name, case when r.relrowsecurity then 'enabled' else 'disabled' end
  || case when r.relforcerowsecurity then ', forced' else '' end
from relation r where r.relkind in ('r', 'p')
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
where r.relkind in ('r', 'p')
union all
-- Not-null constraints (rows of their own since Postgres 18) are told by the column.
select 'constraint ' || r.name || '.' || k.conname, pg_catalog.pg_get_constraintdef(k.oid)
from relation r join pg_catalog.pg_constraint k on k.conrelid = r.oid where k.contype in ('c', 'f', 'p', 'u', 'x')
union all
select 'index ' || r.name || '.' || i.relname,
  pg_catalog.pg_get_indexdef(i.oid) || case when x.indisvalid then '' else ' (invalid)' end
from relation r
  join pg_catalog.pg_index x on x.indrelid = r.oid join pg_catalog.pg_class i on i.oid = x.indexrelid
where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.oid and k.contype in ('p', 'u', 'x'))
union all
select 'policy ' || r.name || '.' || p.polname, concat_ws(' ',
  case when p.polpermissive then 'permissive' else 'restrictive' end,
  case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
    else 'all' end,
  'to ' || (select string_agg(coalesce(g.rolname, 'PUBLIC'), ', ' order by g.rolname)
    from unnest(p.polroles) member left join pg_catalog.pg_roles g on g.oid = member),
  'using (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
  'with check (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')')
from relation r join pg_catalog.pg_policy p on p.polrelid = r.oid
union all
select 'trigger ' || r.name || '.' || t.tgname, pg_catalog.pg_get_triggerdef(t.oid)
  || case t.tgenabled when 'O' then '' when 'D' then ' (disabled)' else ' (mode ' || t.tgenabled::text || ')' end
from relation r join pg_catalog.pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal
union all
-- On tables nobody needs one; a view's own rule is its definition.
select 'rule ' || r.name || '.' || w.rulename, pg_catalog.pg_get_ruledef(w.oid)
from relation r join pg_catalog.pg_rewrite w on w.ev_class = r.oid where r.relkind in ('r', 'p')
union all
select 'function ' || f.name, pg_catalog.pg_get_functiondef(f.oid) || 'rights: ' || coalesce(api.rights, 'none')
from routine f left join api on api.kind = 'routine' and api.oid = f.oid
order by 1
