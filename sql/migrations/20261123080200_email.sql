-- E-mail marketing: templates, one-off campaigns, automated sequences, each mail sent, and who must not get any.
--
-- A mail to be filled in.
create table public.email_templates (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  created_by uuid,
  name text not null check (length(name) between 1 and 200),
  category text not null default 'marketing' check (category in ('marketing', 'transactional', 'sequence')),
  subject text not null,
  preheader text,
  body_html text not null,
  body_text text,
  variables text[] not null default '{}',
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, created_by) references public.users (organization_id, id)
    on delete set null (created_by)
);
-- One mailing to an audience.
create table public.email_campaigns (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  template_id uuid,
  created_by uuid,
  name text not null check (length(name) between 1 and 200),
  subject text not null,
  from_name text not null,
  from_email text not null check (from_email ~ '^[^@\s]+@[^@\s]+$'),
  reply_to text check (reply_to ~ '^[^@\s]+@[^@\s]+$'),
  audience jsonb not null default '{}' check (jsonb_typeof(audience) = 'object'),
  status text not null default 'draft'
    check (status in ('draft', 'scheduled', 'sending', 'sent', 'paused', 'cancelled')),
  scheduled_at timestamptz,
  sent_at timestamptz,
  recipients_count integer not null default 0 check (recipients_count >= 0),
  opens_count integer not null default 0 check (opens_count >= 0),
  clicks_count integer not null default 0 check (clicks_count >= 0),
  bounces_count integer not null default 0 check (bounces_count >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, template_id) references public.email_templates (organization_id, id)
    on delete set null (template_id),
  foreign key (organization_id, created_by) references public.users (organization_id, id)
    on delete set null (created_by),
  check (status <> 'scheduled' or scheduled_at is not null)
);
-- A series of mails that an event starts.
create table public.email_sequences (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  created_by uuid,
  name text not null check (length(name) between 1 and 200),
  description text,
  trigger_event text not null
    check (trigger_event in ('manual', 'contact_created', 'tag_added', 'form_submitted', 'deal_stage_changed')),
  steps jsonb not null default '[]' check (jsonb_typeof(steps) = 'array'),
  status text not null default 'draft' check (status in ('draft', 'active', 'paused', 'archived')),
  enrolled_count integer not null default 0 check (enrolled_count >= 0),
  completed_count integer not null default 0 check (completed_count >= 0),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, created_by) references public.users (organization_id, id)
    on delete set null (created_by)
);
-- One mail to one address.
create table public.email_sends (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  campaign_id uuid,
  sequence_id uuid,
  contact_id uuid,
  email text not null check (email = lower(email) and email ~ '^[^@\s]+@[^@\s]+$'),
  subject text not null,
  status text not null default 'queued'
    check (status in ('queued', 'sent', 'delivered', 'opened', 'clicked', 'bounced', 'complained', 'failed')),
  provider_message_id text,
  scheduled_at timestamptz not null default now(),
  sent_at timestamptz,
  opened_at timestamptz,
  clicked_at timestamptz,
  bounced_at timestamptz,
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, campaign_id) references public.email_campaigns (organization_id, id)
    on delete set null (campaign_id),
  foreign key (organization_id, sequence_id) references public.email_sequences (organization_id, id)
    on delete set null (sequence_id),
  foreign key (organization_id, contact_id) references public.contacts (organization_id, id)
    on delete set null (contact_id)
);
-- Kept when contact or campaign go: who unsubscribed stays unsubscribed.
create table public.email_unsubscribes (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  contact_id uuid,
  campaign_id uuid,
  email text not null check (email = lower(email) and email ~ '^[^@\s]+@[^@\s]+$'),
  scope text not null default 'all' check (scope in ('all', 'marketing', 'sequence')),
  reason text,
  source text not null default 'link' check (source in ('link', 'reply', 'complaint', 'manual', 'import')),
  unsubscribed_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, email, scope),
  foreign key (organization_id, contact_id) references public.contacts (organization_id, id)
    on delete set null (contact_id),
  foreign key (organization_id, campaign_id) references public.email_campaigns (organization_id, id)
    on delete set null (campaign_id)
);
-- What dashboards and the sending workers ask for; workers look across organizations, at due rows only.
create index idx_email_campaigns_organization_status on public.email_campaigns (organization_id, status);
create index idx_email_campaigns_scheduled_at on public.email_campaigns (scheduled_at) where status = 'scheduled';
create index idx_email_sends_organization_status on public.email_sends (organization_id, status);
create index idx_email_sends_scheduled_at on public.email_sends (scheduled_at) where status = 'queued';
-- What foreign keys need when the row they point at goes away.
create index fk_email_templates_created_by on public.email_templates (organization_id, created_by);
create index fk_email_campaigns_template on public.email_campaigns (organization_id, template_id);
create index fk_email_campaigns_created_by on public.email_campaigns (organization_id, created_by);
create index fk_email_sequences_created_by on public.email_sequences (organization_id, created_by);
create index fk_email_sends_campaign on public.email_sends (organization_id, campaign_id);
create index fk_email_sends_sequence on public.email_sends (organization_id, sequence_id);
create index fk_email_sends_contact on public.email_sends (organization_id, contact_id);
create index fk_email_unsubscribes_contact on public.email_unsubscribes (organization_id, contact_id);
create index fk_email_unsubscribes_campaign on public.email_unsubscribes (organization_id, campaign_id);
-- Timestamps.
create trigger email_templates_touch before update on public.email_templates
  for each row execute function private.touch();
create trigger email_campaigns_touch before update on public.email_campaigns
  for each row execute function private.touch();
create trigger email_sequences_touch before update on public.email_sequences
  for each row execute function private.touch();
create trigger email_sends_touch before update on public.email_sends
  for each row execute function private.touch();
create trigger email_unsubscribes_touch before update on public.email_unsubscribes
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.email_templates enable row level security;
alter table public.email_campaigns enable row level security;
alter table public.email_sequences enable row level security;
alter table public.email_sends enable row level security;
alter table public.email_unsubscribes enable row level security;
create policy email_templates_member on public.email_templates for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy email_campaigns_member on public.email_campaigns for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy email_sequences_member on public.email_sequences for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy email_sends_member on public.email_sends for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy email_unsubscribes_member on public.email_unsubscribes for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
-- Rights: none, then those meant.
revoke all on public.email_templates, public.email_campaigns, public.email_sequences, public.email_sends,
  public.email_unsubscribes from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.email_templates, public.email_campaigns, public.email_sequences,
  public.email_sends, public.email_unsubscribes to authenticated, service_role;
