-- Organizations (tenants) and their members, and the helpers that every policy asks.
-- Supabase grants differ by the age of a project, so each file revokes everything first and then grants what is meant.
-- No empty lines between statements: `supabase migration fetch` writes a file back from its statements.
--
-- Not exposed by the API: nobody but the owner may look inside. Policies may still call a granted function.
create schema private;
revoke all on schema private from public, anon, authenticated, service_role;
-- Whose environment this database is; written by the deployment, proof of ownership when its state is lost.
create table private.environment_mark (
  singleton boolean primary key default true check (singleton),
  client_id text not null,
  project_name text not null
);
revoke all on private.environment_mark from public, anon, authenticated, service_role;
create function private.touch() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.created_at := old.created_at;
  new.updated_at := clock_timestamp();
  return new;
end
$$;
revoke all on function private.touch() from public, anon, authenticated, service_role;
-- A tenant. plan and status belong to the agency.
create table public.organizations (
  id uuid primary key default gen_random_uuid(),
  name text not null check (length(name) between 1 and 200),
  slug text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
  plan text not null default 'starter' check (plan in ('starter', 'growth', 'scale')),
  status text not null default 'active' check (status in ('active', 'closed')),
  industry text,
  website text,
  logo_url text,
  billing_email text check (billing_email ~ '^[^@\s]+@[^@\s]+$'),
  timezone text not null default 'UTC',
  currency text not null default 'GBP' check (currency ~ '^[A-Z]{3}$'),
  settings jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
-- A member of an organization, invited before an account exists.
create table public.users (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  -- Deferred, so that the isolation check (always rolled back) can have members without writing to auth.users,
  -- which the role `postgres` may not. One account belongs to one organization.
  auth_user_id uuid unique references auth.users (id) on delete set null deferrable initially deferred,
  email text not null check (email = lower(email) and email ~ '^[^@\s]+@[^@\s]+$'),
  full_name text not null check (length(full_name) between 1 and 200),
  role text not null default 'member' check (role in ('owner', 'admin', 'member')),
  status text not null default 'invited' check (status in ('invited', 'active', 'disabled')),
  job_title text,
  phone text,
  avatar_url text,
  timezone text not null default 'UTC',
  preferences jsonb not null default '{}' check (jsonb_typeof(preferences) = 'object'),
  last_seen_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, email)
);
-- Who is asking. SECURITY DEFINER, so that reading users does not ask the policy on users again, for ever.
create function private.current_organization() returns uuid
language sql stable security definer set search_path = '' as $$
  select organization_id from public.users where auth_user_id = (select auth.uid()) and status = 'active'
$$;
create function private.current_member() returns uuid
language sql stable security definer set search_path = '' as $$
  select id from public.users where auth_user_id = (select auth.uid()) and status = 'active'
$$;
create function private.current_member_role() returns text
language sql stable security definer set search_path = '' as $$
  select role from public.users where auth_user_id = (select auth.uid()) and status = 'active'
$$;
revoke all on function private.current_organization(), private.current_member(), private.current_member_role()
  from public, anon, authenticated, service_role;
grant execute on function private.current_organization(), private.current_member(), private.current_member_role()
  to authenticated;
-- Timestamps.
create trigger organizations_touch before update on public.organizations
  for each row execute function private.touch();
create trigger users_touch before update on public.users
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.organizations enable row level security;
alter table public.users enable row level security;
create policy organizations_select on public.organizations for select to authenticated
  using (id = (select private.current_organization()));
create policy organizations_update on public.organizations for update to authenticated
  using (id = (select private.current_organization())
    and (select private.current_member_role()) in ('owner', 'admin'))
  with check (id = (select private.current_organization())
    and (select private.current_member_role()) in ('owner', 'admin'));
-- Deleting takes the billing and audit history along, so the agency has to close the organization first.
create policy organizations_delete on public.organizations for delete to authenticated
  using (id = (select private.current_organization())
    and (select private.current_member_role()) = 'owner' and status = 'closed');
create policy users_select on public.users for select to authenticated
  using (organization_id = (select private.current_organization()));
create policy users_insert on public.users for insert to authenticated
  with check (organization_id = (select private.current_organization())
    and (select private.current_member_role()) in ('owner', 'admin') and role <> 'owner');
create policy users_update on public.users for update to authenticated
  using (organization_id = (select private.current_organization())
    and (auth_user_id = (select auth.uid()) or (select private.current_member_role()) in ('owner', 'admin')))
  with check (organization_id = (select private.current_organization())
    and (auth_user_id = (select auth.uid()) or (select private.current_member_role()) in ('owner', 'admin')));
-- A policy cannot pin a column, a grant can: plan, role, status, tenant and account are set on the server only.
revoke all on public.organizations, public.users from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.organizations, public.users to service_role;
grant select, delete on public.organizations to authenticated;
grant update (name, industry, website, logo_url, timezone, currency, settings) on public.organizations to authenticated;
grant select on public.users to authenticated;
grant insert (organization_id, email, full_name, role, job_title, phone, avatar_url, timezone, preferences)
  on public.users to authenticated;
grant update (full_name, job_title, phone, avatar_url, timezone, preferences, last_seen_at)
  on public.users to authenticated;
