-- A new project's database, before anybody touches it: schemas, accounts, today's default grants. What databases of
-- an earlier version lack is in services.sql, storage.sql, realtime.sql and extensions.sql.
create schema auth;
create schema storage;
create schema extensions;
create schema graphql;
create schema graphql_public;
create schema realtime;
create schema vault;
grant usage on schema public, extensions, auth, storage to anon, authenticated, service_role, "{owner}";
grant all on schema public, extensions to "{owner}";
alter schema public owner to "{owner}";
create publication supabase_realtime;
alter publication supabase_realtime owner to "{owner}";

create table auth.users (
  instance_id uuid,
  id uuid primary key,
  aud varchar(255),
  role varchar(255),
  email varchar(255),
  encrypted_password varchar(255),
  email_confirmed_at timestamptz,
  invited_at timestamptz,
  confirmation_token varchar(255),
  confirmation_sent_at timestamptz,
  recovery_token varchar(255),
  recovery_sent_at timestamptz,
  email_change_token_new varchar(255),
  email_change varchar(255),
  email_change_sent_at timestamptz,
  last_sign_in_at timestamptz,
  raw_app_meta_data jsonb,
  raw_user_meta_data jsonb,
  is_super_admin boolean,
  created_at timestamptz,
  updated_at timestamptz,
  phone text unique,
  phone_confirmed_at timestamptz,
  phone_change text default '',
  phone_change_token varchar(255) default '',
  phone_change_sent_at timestamptz,
  confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
  email_change_token_current varchar(255) default '',
  email_change_confirm_status smallint default 0,
  banned_until timestamptz,
  reauthentication_token varchar(255) default '',
  reauthentication_sent_at timestamptz,
  is_sso_user boolean not null default false,
  deleted_at timestamptz,
  is_anonymous boolean not null default false
);
create unique index users_email_partial_key on auth.users (email) where not is_sso_user;

create function auth.uid() returns uuid language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.sub', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')
  )::uuid
$$;
create function auth.role() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.role', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
  )::text
$$;
create function auth.email() returns text language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim.email', true), ''),
    (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
  )::text
$$;
create function auth.jwt() returns jsonb language sql stable as $$
  select coalesce(
    nullif(current_setting('request.jwt.claim', true), ''),
    nullif(current_setting('request.jwt.claims', true), '')
  )::jsonb
$$;
alter function auth.uid() owner to supabase_auth_admin;
alter function auth.role() owner to supabase_auth_admin;
alter function auth.email() owner to supabase_auth_admin;
alter function auth.jwt() owner to supabase_auth_admin;

-- The grants that every project had, then what new projects take back since May 2026. TRUNCATE, REFERENCES and
-- TRIGGER on tables and UPDATE on sequences remain, and functions stay executable through PUBLIC.
alter default privileges for role "{owner}" in schema public
  grant all on tables to anon, authenticated, service_role;
alter default privileges for role "{owner}" in schema public
  grant all on sequences to anon, authenticated, service_role;
alter default privileges for role "{owner}" in schema public
  grant all on functions to anon, authenticated, service_role;
alter default privileges for role "{owner}" in schema public
  revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role "{owner}" in schema public
  revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role "{owner}" in schema public
  revoke execute on functions from anon, authenticated, service_role;

-- The Data API reads the schema anew when it changes.
create function extensions.pgrst_watch() returns event_trigger language plpgsql as $$
begin
  notify pgrst, 'reload schema';
end
$$;
create event trigger pgrst_ddl_watch on ddl_command_end execute function extensions.pgrst_watch();
create event trigger pgrst_drop_watch on sql_drop execute function extensions.pgrst_watch();
