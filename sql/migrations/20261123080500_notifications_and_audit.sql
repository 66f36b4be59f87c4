-- What a member is told, and what members did.
--
-- A message to one member.
create table public.notifications (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid not null,
  kind text not null check (kind in ('info', 'success', 'warning', 'error', 'mention', 'task')),
  title text not null check (length(title) between 1 and 300),
  body text,
  link_path text,
  payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
  -- Unread while null.
  read_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, user_id) references public.users (organization_id, id) on delete cascade
);
-- entity_id points at no table on purpose: the history outlives what it tells about.
create table public.audit_log (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  user_id uuid,
  action text not null check (length(action) between 1 and 100),
  entity_type text not null,
  entity_id uuid,
  old_values jsonb,
  new_values jsonb,
  ip_address inet,
  user_agent text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (organization_id, id),
  foreign key (organization_id, user_id) references public.users (organization_id, id) on delete set null (user_id)
);
-- The first also serves the foreign key: it begins with organization and user.
create index idx_notifications_user_read on public.notifications (organization_id, user_id, read_at, created_at desc);
create index idx_audit_log_organization_created_at on public.audit_log (organization_id, created_at desc);
-- What foreign keys need when the row they point at goes away.
create index fk_audit_log_user on public.audit_log (organization_id, user_id);
-- Timestamps.
create trigger notifications_touch before update on public.notifications
  for each row execute function private.touch();
create trigger audit_log_touch before update on public.audit_log
  for each row execute function private.touch();
-- Row-level security, and who sees what.
alter table public.notifications enable row level security;
alter table public.audit_log enable row level security;
-- A member's notifications are nobody else's business, colleagues included.
create policy notifications_member on public.notifications for all to authenticated
  using (organization_id = (select private.current_organization())
    and user_id = (select private.current_member()))
  with check (organization_id = (select private.current_organization())
    and user_id = (select private.current_member()));
-- Members read the whole history and add entries in their own name.
create policy audit_log_member on public.audit_log for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization())
    and user_id = (select private.current_member()));
-- Append-only for members: no update, no delete, no choice of the time.
revoke all on public.notifications, public.audit_log from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.notifications to authenticated, service_role;
grant select on public.audit_log to authenticated;
grant insert (organization_id, user_id, action, entity_type, entity_id, old_values, new_values, ip_address, user_agent)
  on public.audit_log to authenticated;
grant select, insert, update, delete on public.audit_log to service_role;
