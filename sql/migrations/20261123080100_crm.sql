-- Customers of an organization: companies, the people in them, the deals with them and what happened.
-- Every reference carries organization_id, so that no row can point into another organization.
--
-- A company an organization deals with.
create table public.companies (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  owner_id uuid,
  name text not null check (length(name) between 1 and 300),
  domain text check (domain = lower(domain)),
  industry text,
  employee_count integer check (employee_count >= 0),
  annual_revenue numeric(16, 2) check (annual_revenue >= 0),
  phone text,
  website text,
  address_line text,
  city text,
  postal_code text,
  country_code text check (country_code ~ '^[A-Z]{2}$'),
  tags text[] not null default '{}',
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, owner_id) references public.users (organization_id, id) on delete set null (owner_id)
);
-- A person an organization deals with.
create table public.contacts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  company_id uuid,
  owner_id uuid,
  email text check (email = lower(email) and email ~ '^[^@\s]+@[^@\s]+$'),
  first_name text,
  last_name text,
  phone text,
  job_title text,
  status text not null default 'lead' check (status in ('lead', 'subscriber', 'customer', 'inactive')),
  source text,
  lead_score smallint not null default 0 check (lead_score between 0 and 100),
  marketing_consent boolean not null default false,
  consent_at timestamptz,
  tags text[] not null default '{}',
  custom_fields jsonb not null default '{}' check (jsonb_typeof(custom_fields) = 'object'),
  last_contacted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, company_id) references public.companies (organization_id, id)
    on delete set null (company_id),
  foreign key (organization_id, owner_id) references public.users (organization_id, id) on delete set null (owner_id),
  check (not marketing_consent or consent_at is not null)
);
-- A sale in the making, or one that was won or lost.
create table public.deals (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  company_id uuid,
  contact_id uuid,
  owner_id uuid,
  title text not null check (length(title) between 1 and 300),
  stage text not null default 'qualification'
    check (stage in ('qualification', 'proposal', 'negotiation', 'contract')),
  status text not null default 'open' check (status in ('open', 'won', 'lost')),
  amount numeric(14, 2) not null default 0 check (amount >= 0),
  currency text not null default 'GBP' check (currency ~ '^[A-Z]{3}$'),
  probability smallint not null default 0 check (probability between 0 and 100),
  expected_close_date date,
  closed_at timestamptz,
  lost_reason text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, company_id) references public.companies (organization_id, id)
    on delete set null (company_id),
  foreign key (organization_id, contact_id) references public.contacts (organization_id, id)
    on delete set null (contact_id),
  foreign key (organization_id, owner_id) references public.users (organization_id, id) on delete set null (owner_id),
  check ((status = 'open') = (closed_at is null))
);
-- What happened with a contact, company or deal, or is due to happen.
create table public.activities (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  contact_id uuid,
  company_id uuid,
  deal_id uuid,
  user_id uuid,
  kind text not null check (kind in ('call', 'email', 'meeting', 'note', 'task')),
  subject text not null check (length(subject) between 1 and 300),
  body text,
  outcome text,
  duration_minutes integer check (duration_minutes >= 0),
  occurred_at timestamptz not null default now(),
  due_at timestamptz,
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, contact_id) references public.contacts (organization_id, id)
    on delete set null (contact_id),
  foreign key (organization_id, company_id) references public.companies (organization_id, id)
    on delete set null (company_id),
  foreign key (organization_id, deal_id) references public.deals (organization_id, id) on delete set null (deal_id),
  foreign key (organization_id, user_id) references public.users (organization_id, id) on delete set null (user_id)
);
-- What the dashboards ask for.
create index idx_companies_organization_domain on public.companies (organization_id, domain);
create unique index idx_contacts_organization_email on public.contacts (organization_id, email);
create index idx_contacts_organization_status on public.contacts (organization_id, status, created_at desc);
create index idx_deals_organization_status on public.deals (organization_id, status, stage);
create index idx_deals_organization_close_date on public.deals (organization_id, expected_close_date)
  where status = 'open';
create index idx_activities_organization_occurred_at on public.activities (organization_id, occurred_at desc);
create index idx_activities_organization_due_at on public.activities (organization_id, due_at)
  where completed_at is null and due_at is not null;
-- What foreign keys need when the row they point at goes away.
create index fk_companies_owner on public.companies (organization_id, owner_id);
create index fk_contacts_company on public.contacts (organization_id, company_id);
create index fk_contacts_owner on public.contacts (organization_id, owner_id);
create index fk_deals_company on public.deals (organization_id, company_id);
create index fk_deals_contact on public.deals (organization_id, contact_id);
create index fk_deals_owner on public.deals (organization_id, owner_id);
create index fk_activities_contact on public.activities (organization_id, contact_id);
create index fk_activities_company on public.activities (organization_id, company_id);
create index fk_activities_deal on public.activities (organization_id, deal_id);
create index fk_activities_user on public.activities (organization_id, user_id);
-- Timestamps.
create trigger companies_touch before update on public.companies
  for each row execute function private.touch();
create trigger contacts_touch before update on public.contacts
  for each row execute function private.touch();
create trigger deals_touch before update on public.deals
  for each row execute function private.touch();
create trigger activities_touch before update on public.activities
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.companies enable row level security;
alter table public.contacts enable row level security;
alter table public.deals enable row level security;
alter table public.activities enable row level security;
create policy companies_member on public.companies for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy contacts_member on public.contacts for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy deals_member on public.deals for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy activities_member on public.activities for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
-- Rights: none, then those meant.
revoke all on public.companies, public.contacts, public.deals, public.activities
  from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.companies, public.contacts, public.deals, public.activities
  to authenticated, service_role;
