-- An organization's own currency for what is added without one, and time zones that exist. What is there stays as it
-- is: a value is judged when it is written or changed.
--
create function private.own_currency() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if coalesce(new.currency, '') = '' then
    new.currency := (select currency from public.organizations where id = new.organization_id);
  end if;
  return new;
end
$$;
-- Names are written as the list has them: 'europe/london' is Europe/London. Reading the list takes some 10 ms.
create function private.check_time_zone() returns trigger
language plpgsql set search_path = '' as $$
declare
  known text;
begin
  if new.timezone = 'UTC' or tg_op = 'UPDATE' and new.timezone = old.timezone then
    return new;
  end if;
  select name into known from pg_catalog.pg_timezone_names where lower(name) = lower(btrim(new.timezone)) limit 1;
  if known is null then
    raise exception 'there is no such time zone' using errcode = 'check_violation',
      hint = 'Take a name from pg_timezone_names, like Europe/London.',
      schema = tg_table_schema, table = tg_table_name, column = 'timezone', constraint = tg_table_name || '_timezone';
  end if;
  new.timezone := known;
  return new;
end
$$;
revoke all on function private.own_currency(), private.check_time_zone()
  from public, anon, authenticated, service_role;
-- Empty instead of none: generated types of the client's site go on taking the column as one that may be left out.
alter table public.deals alter column currency set default '';
alter table public.subscription_history alter column currency set default '';
create trigger deals_currency before insert or update on public.deals
  for each row execute function private.own_currency();
create trigger subscription_history_currency before insert or update on public.subscription_history
  for each row execute function private.own_currency();
create trigger organizations_timezone before insert or update on public.organizations
  for each row execute function private.check_time_zone();
create trigger users_timezone before insert or update on public.users
  for each row execute function private.check_time_zone();
