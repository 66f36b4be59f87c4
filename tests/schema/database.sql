create schema auth authorization supabase_auth_admin;
create table auth.users (id uuid primary key, email text);
alter table auth.users enable row level security;
alter table auth.users owner to supabase_auth_admin;
create function auth.uid() returns uuid language sql stable as
  $$ select (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid $$;
grant usage on schema auth to project, anon, authenticated, service_role;
grant select, references, trigger on auth.users to project;
grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to project;
