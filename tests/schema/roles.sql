-- The roles of a Supabase project; `project` stands for its `postgres`, which the server's superuser is called here.
create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role supabase_auth_admin noinherit createrole login;
create role project nosuperuser createdb createrole replication bypassrls login;
grant anon, authenticated, service_role to project;
