-- History is added to and never rewritten, not even with the secret key; it goes with its organization only.
revoke update, delete on public.audit_log from service_role;
-- Who asks is answered once a query, so asking must not keep Postgres from sharing the rest among its workers. plpgsql
-- keeps the plan for the whole session; sql plans anew with each query before Postgres 18, and takes twice the time.
create or replace function private.current_organization() returns uuid
language plpgsql stable security definer parallel safe set search_path = '' as $$
begin
  return (select organization_id from public.users where auth_user_id = auth.uid() and status = 'active');
end
$$;
create or replace function private.current_member() returns uuid
language plpgsql stable security definer parallel safe set search_path = '' as $$
begin
  return (select id from public.users where auth_user_id = auth.uid() and status = 'active');
end
$$;
create or replace function private.current_member_role() returns text
language plpgsql stable security definer parallel safe set search_path = '' as $$
begin
  return (select role from public.users where auth_user_id = auth.uid() and status = 'active');
end
$$;
