-- Schemas, accounts and rights as the hosted service has them today. Can be run again: an older database gets what it
-- lacks. Schemas of services belong to the superuser, and {owner} makes policies there without owning a table.
alter schema auth owner to current_user;
alter schema storage owner to current_user;
alter schema extensions owner to "{owner}";
grant all on schema auth to supabase_auth_admin, dashboard_user;
grant usage on schema auth to "{owner}", anon, authenticated, service_role;
grant usage, create on schema extensions to "{owner}", dashboard_user;
grant usage on schema extensions, graphql, graphql_public, vault to "{owner}", service_role;
grant usage on schema extensions, graphql, graphql_public to anon, authenticated;
alter default privileges in schema extensions grant all on tables to "{owner}" with grant option;
alter default privileges in schema extensions grant all on sequences to "{owner}" with grant option;
alter default privileges in schema extensions grant all on functions to "{owner}" with grant option;
alter default privileges for role supabase_auth_admin in schema auth
  grant all on tables to "{owner}", dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth
  grant all on sequences to "{owner}", dashboard_user;
alter default privileges for role supabase_auth_admin in schema auth
  grant all on functions to "{owner}", dashboard_user;

create table if not exists auth.identities (
  provider_id text not null,
  user_id uuid not null references auth.users on delete cascade,
  identity_data jsonb not null,
  provider text not null,
  last_sign_in_at timestamptz,
  created_at timestamptz,
  updated_at timestamptz,
  email text generated always as (lower(identity_data ->> 'email')) stored,
  id uuid primary key default gen_random_uuid(),
  unique (provider_id, provider)
);
create table if not exists auth.sessions (
  id uuid primary key,
  user_id uuid not null references auth.users on delete cascade,
  created_at timestamptz,
  updated_at timestamptz,
  factor_id uuid,
  aal text,
  not_after timestamptz,
  refreshed_at timestamp,
  user_agent text,
  ip inet,
  tag text
);
create table if not exists auth.refresh_tokens (
  instance_id uuid,
  id bigserial primary key,
  token varchar(255) unique,
  user_id varchar(255),
  revoked boolean,
  created_at timestamptz,
  updated_at timestamptz,
  parent varchar(255),
  session_id uuid references auth.sessions on delete cascade
);
create table if not exists auth.mfa_factors (
  id uuid primary key,
  user_id uuid not null references auth.users on delete cascade,
  friendly_name text,
  factor_type text not null,
  status text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  secret text,
  phone text,
  last_challenged_at timestamptz unique
);
create table if not exists auth.audit_log_entries (
  instance_id uuid,
  id uuid primary key,
  payload json,
  created_at timestamptz,
  ip_address varchar(64) not null default ''
);
do $$
declare
  name text;
begin
  foreach name in array array['users', 'identities', 'sessions', 'refresh_tokens', 'mfa_factors', 'audit_log_entries']
  loop
    execute format('alter table auth.%I owner to supabase_auth_admin', name);
    execute format('alter table auth.%I enable row level security', name);
    execute format('grant all on auth.%I to "{owner}", dashboard_user', name);
    execute format('grant select on auth.%I to "{owner}" with grant option', name);
  end loop;
end
$$;
grant all on sequence auth.refresh_tokens_id_seq to "{owner}", dashboard_user;

-- On the hosted service an extension of the server (supautils) lets {owner} make policies on tables of services. Here
-- {owner} inherits their owners' rights, and these triggers refuse what the hosted service refuses.
create or replace function extensions.refuse_service_ddl() returns event_trigger language plpgsql as $$
declare
  refused text;
begin
  if current_user <> '{owner}' then
    return;
  end if;
  if tg_event = 'sql_drop' then
    select object_type || ' ' || coalesce(object_name, object_identity) into refused
    from pg_event_trigger_dropped_objects()
    where original and schema_name in ('auth', 'storage', 'realtime') and object_type not in ('policy', 'trigger');
  else
    select object_type || ' ' || object_identity into refused
    from pg_event_trigger_ddl_commands()
    where (schema_name in ('auth', 'storage', 'realtime') or object_type = 'schema' and object_identity in ('auth',
        'storage', 'realtime'))
      and command_tag not in ('CREATE POLICY', 'ALTER POLICY', 'CREATE TRIGGER', 'GRANT', 'REVOKE');
  end if;
  if refused is not null then
    raise exception 'must be owner of %', refused using errcode = '42501',
      hint = 'Schemas of Supabase''s services take policies and triggers of a project, and no other change.';
  end if;
end
$$;
drop event trigger if exists refuse_service_ddl;
create event trigger refuse_service_ddl on ddl_command_end execute function extensions.refuse_service_ddl();
drop event trigger if exists refuse_service_drop;
create event trigger refuse_service_drop on sql_drop execute function extensions.refuse_service_ddl();
