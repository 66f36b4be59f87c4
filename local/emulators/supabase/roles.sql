-- Roles of a Supabase cluster, as a new project has them. They belong to the server, not to one database.
-- {owner} is the role that owns a project's objects: `postgres`, or a stand-in on a server where that is a superuser.
do $$
declare
  role text;
begin
  foreach role in array array['anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin',
                              'supabase_storage_admin', 'supabase_realtime_admin', 'dashboard_user',
                              'supabase_read_only_user', '{owner}']
  loop
    if not exists (select from pg_roles where rolname = role) then
      execute format('create role %I', role);
    end if;
  end loop;
end
$$;

alter role "{owner}" nosuperuser createdb createrole replication bypassrls inherit;
alter role anon nologin noinherit;
alter role authenticated nologin noinherit;
alter role service_role nologin bypassrls inherit;
alter role authenticator noinherit;
alter role supabase_auth_admin noinherit createrole;
alter role supabase_storage_admin noinherit createrole;
alter role supabase_realtime_admin noinherit;
alter role supabase_read_only_user bypassrls;
grant pg_read_all_data to supabase_read_only_user;
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role to "{owner}";
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role "{owner}" set search_path = "$user", public, extensions;

-- So that policies can be made on the services' tables; services.sql says what that stands for. Since Postgres 16 a
-- membership can be one that nobody becomes the other role by.
do $$
declare
  role text;
begin
  foreach role in array array['supabase_auth_admin', 'supabase_storage_admin', 'supabase_realtime_admin']
  loop
    execute format('grant %I to "{owner}"%s', role,
      case when current_setting('server_version_num')::int >= 160000 then ' with inherit true, set false' else '' end);
  end loop;
end
$$;
