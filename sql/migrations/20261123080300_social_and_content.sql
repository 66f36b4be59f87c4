-- Social accounts, what is posted on them, and the editorial queue with its templates.
--
-- No access token here: members may read every column, tokens live with the workflow engine.
create table public.social_accounts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  connected_by uuid,
  platform text not null
    check (platform in ('facebook', 'instagram', 'linkedin', 'x', 'tiktok', 'youtube', 'pinterest', 'threads')),
  external_account_id text not null,
  handle text not null,
  display_name text,
  profile_url text,
  credential_name text,
  status text not null default 'connected' check (status in ('connected', 'expired', 'revoked')),
  followers_count integer not null default 0 check (followers_count >= 0),
  last_synced_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  unique (organization_id, platform, external_account_id),
  foreign key (organization_id, connected_by) references public.users (organization_id, id)
    on delete set null (connected_by)
);
-- A text to be filled in, by people or by a model.
create table public.content_templates (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  created_by uuid,
  name text not null check (length(name) between 1 and 200),
  channel text not null check (channel in ('social', 'email', 'blog', 'ad')),
  tone text,
  prompt text,
  body text not null,
  variables text[] not null default '{}',
  is_archived boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, created_by) references public.users (organization_id, id)
    on delete set null (created_by)
);
-- A post, from draft to figures.
create table public.social_posts (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  social_account_id uuid,
  created_by uuid,
  body text not null,
  media_urls text[] not null default '{}',
  link_url text,
  hashtags text[] not null default '{}',
  status text not null default 'draft' check (status in ('draft', 'scheduled', 'published', 'failed')),
  scheduled_at timestamptz,
  published_at timestamptz,
  external_post_id text,
  likes_count integer not null default 0 check (likes_count >= 0),
  comments_count integer not null default 0 check (comments_count >= 0),
  shares_count integer not null default 0 check (shares_count >= 0),
  error text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, social_account_id) references public.social_accounts (organization_id, id)
    on delete set null (social_account_id),
  foreign key (organization_id, created_by) references public.users (organization_id, id)
    on delete set null (created_by),
  check (status <> 'scheduled' or scheduled_at is not null)
);
-- What the editors work on.
create table public.content_queue (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  template_id uuid,
  social_post_id uuid,
  campaign_id uuid,
  assigned_to uuid,
  title text not null check (length(title) between 1 and 300),
  channel text not null check (channel in ('social', 'email', 'blog', 'ad')),
  brief text,
  draft text,
  status text not null default 'idea' check (status in ('idea', 'drafting', 'review', 'approved', 'published')),
  priority smallint not null default 3 check (priority between 1 and 5),
  scheduled_at timestamptz,
  published_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, template_id) references public.content_templates (organization_id, id)
    on delete set null (template_id),
  foreign key (organization_id, social_post_id) references public.social_posts (organization_id, id)
    on delete set null (social_post_id),
  foreign key (organization_id, campaign_id) references public.email_campaigns (organization_id, id)
    on delete set null (campaign_id),
  foreign key (organization_id, assigned_to) references public.users (organization_id, id)
    on delete set null (assigned_to)
);
-- What dashboards and the publishing workers ask for.
create index idx_social_posts_organization_status on public.social_posts (organization_id, status);
create index idx_social_posts_scheduled_at on public.social_posts (scheduled_at) where status = 'scheduled';
create index idx_content_queue_organization_status on public.content_queue (organization_id, status);
create index idx_content_queue_scheduled_at on public.content_queue (scheduled_at) where status = 'approved';
-- What foreign keys need when the row they point at goes away.
create index fk_social_accounts_connected_by on public.social_accounts (organization_id, connected_by);
create index fk_content_templates_created_by on public.content_templates (organization_id, created_by);
create index fk_social_posts_social_account on public.social_posts (organization_id, social_account_id);
create index fk_social_posts_created_by on public.social_posts (organization_id, created_by);
create index fk_content_queue_template on public.content_queue (organization_id, template_id);
create index fk_content_queue_social_post on public.content_queue (organization_id, social_post_id);
create index fk_content_queue_campaign on public.content_queue (organization_id, campaign_id);
create index fk_content_queue_assigned_to on public.content_queue (organization_id, assigned_to);
-- Timestamps.
create trigger social_accounts_touch before update on public.social_accounts
  for each row execute function private.touch();
create trigger content_templates_touch before update on public.content_templates
  for each row execute function private.touch();
create trigger social_posts_touch before update on public.social_posts
  for each row execute function private.touch();
create trigger content_queue_touch before update on public.content_queue
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.social_accounts enable row level security;
alter table public.content_templates enable row level security;
alter table public.social_posts enable row level security;
alter table public.content_queue enable row level security;
create policy social_accounts_member on public.social_accounts for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy content_templates_member on public.content_templates for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy social_posts_member on public.social_posts for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
create policy content_queue_member on public.content_queue for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
-- Rights: none, then those meant.
revoke all on public.social_accounts, public.content_templates, public.social_posts, public.content_queue
  from public, anon, authenticated, service_role;
grant select, insert, update, delete
  on public.social_accounts, public.content_templates, public.social_posts, public.content_queue
  to authenticated, service_role;
