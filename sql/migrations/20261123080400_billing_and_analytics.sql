-- Figures the platform writes and members only read: usage, subscription, analytics.
--
-- What an organization used in a period, and what its plan includes.
create table public.client_usage_metrics (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  metric text not null
    check (metric in ('contacts', 'emails_sent', 'social_posts', 'ai_tokens', 'storage_bytes', 'api_calls')),
  period_start date not null,
  period_end date not null,
  quantity numeric(18, 2) not null default 0 check (quantity >= 0),
  included_quantity numeric(18, 2) check (included_quantity >= 0),
  unit_price numeric(12, 6) check (unit_price >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, metric, period_start),
  check (period_end > period_start)
);
-- Each change of an organization's subscription.
create table public.subscription_history (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  changed_by uuid,
  event text not null check (event in ('started', 'upgraded', 'downgraded', 'renewed', 'cancelled')),
  from_plan text check (from_plan in ('starter', 'growth', 'scale')),
  to_plan text check (to_plan in ('starter', 'growth', 'scale')),
  amount numeric(12, 2) not null default 0 check (amount >= 0),
  currency text not null default 'GBP' check (currency ~ '^[A-Z]{3}$'),
  billing_interval text not null default 'month' check (billing_interval in ('month', 'year')),
  external_subscription_id text,
  effective_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, changed_by) references public.users (organization_id, id)
    on delete set null (changed_by)
);
-- Figures of a day, week or month, for dashboards.
create table public.analytics_snapshots (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  period text not null check (period in ('day', 'week', 'month')),
  snapshot_date date not null,
  contacts_total integer not null default 0 check (contacts_total >= 0),
  contacts_new integer not null default 0 check (contacts_new >= 0),
  deals_open integer not null default 0 check (deals_open >= 0),
  pipeline_amount numeric(16, 2) not null default 0 check (pipeline_amount >= 0),
  emails_sent integer not null default 0 check (emails_sent >= 0),
  email_open_rate numeric(5, 4) check (email_open_rate between 0 and 1),
  social_engagements integer not null default 0 check (social_engagements >= 0),
  details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, period, snapshot_date)
);
-- What the connected platforms report about an organization.
create table public.platform_metrics (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  social_account_id uuid,
  platform text not null,
  metric text not null,
  measured_on date not null,
  value numeric(18, 4) not null,
  unit text not null default 'count' check (unit in ('count', 'percent', 'seconds', 'currency')),
  dimensions jsonb not null default '{}' check (jsonb_typeof(dimensions) = 'object'),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique nulls not distinct (organization_id, platform, metric, measured_on, social_account_id),
  foreign key (organization_id, social_account_id) references public.social_accounts (organization_id, id)
    on delete cascade
);
-- What foreign keys need when the row they point at goes away.
create index fk_subscription_history_changed_by on public.subscription_history (organization_id, changed_by);
create index fk_platform_metrics_social_account on public.platform_metrics (organization_id, social_account_id);
-- Timestamps.
create trigger client_usage_metrics_touch before update on public.client_usage_metrics
  for each row execute function private.touch();
create trigger subscription_history_touch before update on public.subscription_history
  for each row execute function private.touch();
create trigger analytics_snapshots_touch before update on public.analytics_snapshots
  for each row execute function private.touch();
create trigger platform_metrics_touch before update on public.platform_metrics
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.client_usage_metrics enable row level security;
alter table public.subscription_history enable row level security;
alter table public.analytics_snapshots enable row level security;
alter table public.platform_metrics enable row level security;
create policy client_usage_metrics_select on public.client_usage_metrics for select to authenticated
  using (organization_id = (select private.current_organization()));
create policy subscription_history_select on public.subscription_history for select to authenticated
  using (organization_id = (select private.current_organization()));
create policy analytics_snapshots_select on public.analytics_snapshots for select to authenticated
  using (organization_id = (select private.current_organization()));
create policy platform_metrics_select on public.platform_metrics for select to authenticated
  using (organization_id = (select private.current_organization()));
-- Rights: none, then those meant.
revoke all on public.client_usage_metrics, public.subscription_history, public.analytics_snapshots,
  public.platform_metrics from public, anon, authenticated, service_role;
grant select on public.client_usage_metrics, public.subscription_history, public.analytics_snapshots,
  public.platform_metrics to authenticated;
grant select, insert, update, delete on public.client_usage_metrics, public.subscription_history,
  public.analytics_snapshots, public.platform_metrics to service_role;
