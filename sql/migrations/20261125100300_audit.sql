-- Each change of contacts, companies, deals and members leaves an entry in the history that the database itself writes:
-- who, when, which row, and which columns, but none of their values: nothing in it is to be erased but the row's id.
alter table public.audit_log add column by_database boolean not null default false, add column changed_columns text[];
-- Members never could name these columns. The server loses the right to the whole row, and gets it back without them.
revoke insert on public.audit_log from service_role;
grant insert (id, organization_id, user_id, action, entity_type, entity_id, old_values, new_values, ip_address,
  user_agent, created_at, updated_at) on public.audit_log to service_role;
-- Once a statement, so that a large import takes one more insert. The member is the one of the token, and only under
-- the API's role: whoever reaches the database otherwise could claim any.
create function private.record_changes() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  entity text := tg_argv[0];
  member record;
begin
  select id, organization_id into member from public.users
    where current_setting('role', true) = 'authenticated' and auth_user_id = auth.uid() and status = 'active';
  if tg_op = 'INSERT' then
    insert into public.audit_log (organization_id, user_id, action, entity_type, entity_id, by_database)
      select organization_id, case when organization_id = member.organization_id then member.id end, 'created', entity,
        id, true
      from new_rows;
  elsif tg_op = 'UPDATE' then
    insert into public.audit_log
      (organization_id, user_id, action, entity_type, entity_id, by_database, changed_columns)
      select n.organization_id, case when n.organization_id = member.organization_id then member.id end, 'updated',
        entity, n.id, true, array(
          select key from jsonb_each(to_jsonb(n)) change
          where change.value is distinct from rows.before -> key and key <> 'updated_at' order by key)
      from new_rows n left join old_rows o on o.id = n.id
        cross join lateral (select to_jsonb(o) offset 0) rows (before);
  else
    -- Not of an organization that is going itself, and its history with it.
    insert into public.audit_log (organization_id, user_id, action, entity_type, entity_id, by_database)
      select o.organization_id, case when o.organization_id = member.organization_id then member.id end, 'deleted',
        entity, o.id, true
      from old_rows o join public.organizations kept on kept.id = o.organization_id;
  end if;
  return null;
end
$$;
revoke all on function private.record_changes() from public, anon, authenticated, service_role;
create trigger contacts_created after insert on public.contacts referencing new table as new_rows
  for each statement execute function private.record_changes('contact');
create trigger contacts_updated after update on public.contacts
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.record_changes('contact');
create trigger contacts_deleted after delete on public.contacts referencing old table as old_rows
  for each statement execute function private.record_changes('contact');
create trigger companies_created after insert on public.companies referencing new table as new_rows
  for each statement execute function private.record_changes('company');
create trigger companies_updated after update on public.companies
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.record_changes('company');
create trigger companies_deleted after delete on public.companies referencing old table as old_rows
  for each statement execute function private.record_changes('company');
create trigger deals_created after insert on public.deals referencing new table as new_rows
  for each statement execute function private.record_changes('deal');
create trigger deals_updated after update on public.deals
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.record_changes('deal');
create trigger deals_deleted after delete on public.deals referencing old table as old_rows
  for each statement execute function private.record_changes('deal');
create trigger users_created after insert on public.users referencing new table as new_rows
  for each statement execute function private.record_changes('user');
create trigger users_updated after update on public.users
  referencing old table as old_rows new table as new_rows
  for each statement execute function private.record_changes('user');
create trigger users_deleted after delete on public.users referencing old table as old_rows
  for each statement execute function private.record_changes('user');
