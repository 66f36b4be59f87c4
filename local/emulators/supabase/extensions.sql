-- The extensions that a new project has, as far as this server offers them. Can be run again.
do $$
declare
  extension text;
  target text;
begin
  -- They belong to {owner}, as on the hosted service, where it once was the superuser.
  alter role "{owner}" superuser;
  set local role "{owner}";
  for extension, target in values ('pg_stat_statements', 'extensions'), ('pgcrypto', 'extensions'),
    ('uuid-ossp', 'extensions')
  loop
    if exists (select from pg_available_extensions where name = extension) then
      execute format('create extension if not exists %I with schema %I', extension, target);
    end if;
  end loop;
  reset role;
  alter role "{owner}" nosuperuser;

  if exists (select from pg_available_extensions where name = 'supabase_vault') then
    create extension if not exists supabase_vault;
    grant usage on schema vault to "{owner}" with grant option;
    grant select, delete, truncate on vault.secrets, vault.decrypted_secrets to "{owner}" with grant option;
    grant execute on all functions in schema vault to "{owner}" with grant option;
    grant select, delete on vault.secrets, vault.decrypted_secrets to service_role;
    grant execute on all functions in schema vault to service_role;
  end if;
end
$$;
