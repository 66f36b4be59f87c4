-- In a project that began on Postgres 14 everybody may make tables.
revoke create on schema public from public, anon, authenticated;
