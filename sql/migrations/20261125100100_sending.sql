-- Who may be sent to, held by the database whoever writes: nobody who unsubscribed, did not consent or was erased, and
-- each person once a campaign. Work on existing rows comes before what locks tables, which lasts until the commit.
--
-- Erased addresses are known by a fingerprint alone. It takes this key, so that a list of guesses cannot be held
-- against a copy of the fingerprints.
create table private.fingerprint_key (
  singleton boolean primary key default true check (singleton),
  key bytea not null
);
insert into private.fingerprint_key (key)
  values (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
-- An address stays here until new consent is given for it.
create table private.erased_addresses (
  organization_id uuid not null,
  fingerprint text not null,
  erased_at timestamptz not null default clock_timestamp(),
  primary key (organization_id, fingerprint)
);
-- What repeated sends pointed at, before one campaign could be sent to a person once only.
create table private.detached_sends (
  organization_id uuid not null,
  send_id uuid not null,
  campaign_id uuid,
  provider_message_id text,
  detached_at timestamptz not null default now(),
  primary key (organization_id, send_id)
);
revoke all on private.fingerprint_key, private.erased_addresses, private.detached_sends
  from public, anon, authenticated, service_role;
-- Fingerprints made before this file had no key. The key is added to what they hold, so that they go on matching.
create function private.keyed(digest bytea) returns text
language plpgsql stable set search_path = '' as $$
begin
  return encode(sha256((select key from private.fingerprint_key) || digest), 'hex') || '@erased.invalid';
end
$$;
create or replace function private.fingerprint(email text) returns text
language plpgsql stable set search_path = '' as $$
begin
  return case when email like '%@erased.invalid' then email
    else private.keyed(sha256(convert_to(lower(email), 'UTF8'))) end;
end
$$;
update public.email_sends set email = private.keyed(decode(left(email, 64), 'hex'))
  where email ~ '^[0-9a-f]{64}@erased\.invalid$';
update public.email_unsubscribes set email = private.keyed(decode(left(email, 64), 'hex'))
  where email ~ '^[0-9a-f]{64}@erased\.invalid$';
insert into private.erased_addresses (organization_id, fingerprint)
  select organization_id, email from public.email_sends where email like '%@erased.invalid'
  union
  select organization_id, email from public.email_unsubscribes where email like '%@erased.invalid';
-- Of sends that repeat another one's campaign and person, or its provider's message id, all but the first are detached;
-- nothing is lost: detached_sends keeps what they pointed at. Run it again when an index of the next files cannot be
-- made because a repetition came in between.
create function private.detach_repeated_sends() returns integer
language plpgsql set search_path = '' as $$
declare
  detached integer;
begin
  with numbered as (
    select id, organization_id, campaign_id, provider_message_id,
      campaign_id is not null and (
        contact_id is not null and row_number() over (
          partition by organization_id, campaign_id, contact_id order by created_at, id) > 1
        or row_number() over (partition by organization_id, campaign_id, email order by created_at, id) > 1
      ) as again,
      provider_message_id is not null and row_number() over (
        partition by organization_id, provider_message_id order by created_at, id) > 1 as same_message
    from public.email_sends
    where campaign_id is not null or provider_message_id is not null
  ),
  kept as (
    insert into private.detached_sends (organization_id, send_id, campaign_id, provider_message_id)
    select organization_id, id, case when again then campaign_id end,
      case when same_message then provider_message_id end
    from numbered where again or same_message
    on conflict (organization_id, send_id) do update
      set campaign_id = coalesce(excluded.campaign_id, detached_sends.campaign_id),
        provider_message_id = coalesce(excluded.provider_message_id, detached_sends.provider_message_id)
    returning 1
  )
  update public.email_sends s
    set campaign_id = case when not n.again then s.campaign_id end,
      provider_message_id = case when not n.same_message then s.provider_message_id end
    from numbered n where n.id = s.id and (n.again or n.same_message);
  get diagnostics detached = row_count;
  return detached;
end
$$;
update public.email_sends set provider_message_id = null where btrim(provider_message_id) = '';
select private.detach_repeated_sends();
-- Who unsubscribed before this file no longer consents.
update public.contacts c set marketing_consent = false
  from public.email_unsubscribes u
  where u.organization_id = c.organization_id and u.email = c.email and u.scope <> 'sequence' and c.marketing_consent;
update public.contacts c set marketing_consent = false
  from public.email_unsubscribes u
  where u.organization_id = c.organization_id and u.contact_id = c.id and u.scope <> 'sequence' and c.marketing_consent;
--
-- Why an address must not be sent to; null when it may be. A mail that has neither campaign, sequence nor contact and
-- goes to nobody among the contacts is not marketing, and needs no consent.
create function private.refusal(organization uuid, contact uuid, address text, campaign uuid, sequence uuid)
returns text language plpgsql set search_path = '' as $$
declare
  erased text := private.fingerprint(address);
  consents boolean := (
    select bool_and(marketing_consent) from public.contacts
    where organization_id = organization and (email = address or id = contact));
begin
  if exists (select from private.erased_addresses where organization_id = organization and fingerprint = erased)
    or address like '%@erased.invalid' then
    return 'erased';
  elsif exists (
    select from public.email_unsubscribes
    where organization_id = organization and (email in (address, erased) or contact_id = contact)
      and (scope = 'all' or scope = 'sequence' and sequence is not null
        or scope = 'marketing' and (campaign is not null or sequence is not null or consents is not null))
  ) then
    return 'unsubscribed';
  elsif not coalesce(consents, campaign is null and sequence is null) then
    return 'without consent';
  end if;
  return null;
end
$$;
-- Judges sends that go out or are about to. What the provider reports of a mail (delivered, opened, bounced, ...) is
-- taken down always. After the row, so that row-level security refuses first.
-- The contact's row is locked against a change of its consent until the send is committed: whoever unsubscribes then
-- waits, and cancels it. An address that is no contact's has one of 256 locks, so that a large mailing needs few.
create function private.guard_send() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  reason text;
begin
  if new.status not in ('queued', 'sent') then
    return null;
  elsif tg_op = 'UPDATE' and new.status = old.status and (new.status = 'sent' or (new.organization_id, new.email) =
    (old.organization_id, old.email) and coalesce(new.contact_id = old.contact_id, new.contact_id is null)
    and coalesce(new.campaign_id = old.campaign_id, new.campaign_id is null)
    and coalesce(new.sequence_id = old.sequence_id, new.sequence_id is null)) then
    return null;
  end if;
  perform from public.contacts
    where organization_id = new.organization_id and (email = new.email or id = new.contact_id) order by id for share;
  if not found then
    perform pg_advisory_xact_lock_shared(25112026, abs(hashtext(new.organization_id || new.email) % 256));
  end if;
  reason := private.refusal(new.organization_id, new.contact_id, new.email, new.campaign_id, new.sequence_id);
  if reason is not null then
    raise exception 'this address must not be sent to: %', reason using errcode = 'check_violation',
      hint = 'Send to contacts with marketing_consent that are not in email_unsubscribes.',
      schema = 'public', table = 'email_sends', column = 'email', constraint = 'email_sends_recipient';
  end if;
  return null;
end
$$;
create function private.cancel_sends(organization uuid, contact uuid, address text) returns void
language plpgsql set search_path = '' as $$
begin
  update public.email_sends s
    set status = 'failed',
      error = 'not sent: ' || private.refusal(organization_id, contact_id, email, campaign_id, sequence_id)
    where organization_id = organization and (email = address or contact_id = contact) and status = 'queued'
      and private.refusal(organization_id, contact_id, email, campaign_id, sequence_id) is not null;
end
$$;
create function private.withdraw_consent() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  if tg_op = 'UPDATE' and (new.organization_id, new.email, new.scope) = (old.organization_id, old.email, old.scope)
    and (new.contact_id is null or new.contact_id = old.contact_id) then
    return null;
  end if;
  perform pg_advisory_xact_lock(25112026, abs(hashtext(new.organization_id || new.email) % 256));
  -- Locked although its consent may be gone already: a send may be waiting to be committed.
  perform from public.contacts
    where organization_id = new.organization_id and (email = new.email or id = new.contact_id)
    order by id for no key update;
  if new.scope in ('all', 'marketing') then
    update public.contacts set marketing_consent = false
      where organization_id = new.organization_id and (email = new.email or id = new.contact_id) and marketing_consent;
  end if;
  perform private.cancel_sends(new.organization_id, new.contact_id, new.email);
  return null;
end
$$;
create function private.stop_sends() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
  perform private.cancel_sends(new.organization_id, new.id, new.email);
  return null;
end
$$;
-- Consent that does not count is not kept: of who unsubscribed, and of an address that was erased. For that one, only
-- consent given to an existing contact counts, and later than the erasure: no import brings an erased person back.
create function private.judge_consent() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
  print text;
  erased timestamptz;
begin
  if new.email is null or tg_op = 'UPDATE' and old.marketing_consent and new.email = old.email
    and new.organization_id = old.organization_id then
    return new;
  end if;
  print := private.fingerprint(new.email);
  select erased_at into erased from private.erased_addresses
    where organization_id = new.organization_id and fingerprint = print;
  if exists (
    select from public.email_unsubscribes
    where organization_id = new.organization_id and (email in (new.email, print) or contact_id = new.id)
      and scope in ('all', 'marketing')
  ) then
    new.marketing_consent := false;
  elsif erased is not null then
    if tg_op = 'UPDATE' and old.email = new.email and not old.marketing_consent and new.consent_at > erased then
      delete from private.erased_addresses where organization_id = new.organization_id and fingerprint = print;
    else
      new.marketing_consent := false;
    end if;
  end if;
  return new;
end
$$;
-- Addresses as they are compared. Blanks alone are no address.
create function private.normalise_email() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.email := nullif(lower(btrim(new.email, E' \t\n\r\u00a0')), '');
  return new;
end
$$;
create function private.normalise_sender() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.from_email := lower(btrim(new.from_email, E' \t\n\r\u00a0'));
  new.reply_to := nullif(lower(btrim(new.reply_to, E' \t\n\r\u00a0')), '');
  return new;
end
$$;
create function private.normalise_provider() returns trigger
language plpgsql set search_path = '' as $$
begin
  new.provider := nullif(lower(btrim(new.provider)), '');
  new.provider_message_id := nullif(btrim(new.provider_message_id), '');
  return new;
end
$$;
revoke all on function private.keyed(bytea), private.fingerprint(text), private.detach_repeated_sends(),
  private.refusal(uuid, uuid, text, uuid, uuid), private.guard_send(), private.cancel_sends(uuid, uuid, text),
  private.withdraw_consent(), private.stop_sends(), private.judge_consent(), private.normalise_email(),
  private.normalise_sender(), private.normalise_provider() from public, anon, authenticated, service_role;
--
-- From here on tables are locked. Triggers name text columns in their functions only: a column that a trigger's own
-- definition names cannot get another type.
alter table private.erased_addresses
  add foreign key (organization_id) references public.organizations (id) on delete cascade;
alter table private.detached_sends
  add foreign key (organization_id) references public.organizations (id) on delete cascade;
alter table public.email_sends add column provider text;
create trigger contacts_email before insert or update on public.contacts
  for each row execute function private.normalise_email();
create trigger users_email before insert or update on public.users
  for each row execute function private.normalise_email();
create trigger email_sends_email before insert or update on public.email_sends
  for each row execute function private.normalise_email();
create trigger email_unsubscribes_email before insert or update on public.email_unsubscribes
  for each row execute function private.normalise_email();
create trigger email_campaigns_sender before insert or update on public.email_campaigns
  for each row execute function private.normalise_sender();
create trigger email_sends_provider before insert or update on public.email_sends
  for each row execute function private.normalise_provider();
-- Triggers of one kind run in the order of their names: this one sees the address as it is kept.
create trigger contacts_judge_consent before insert or update on public.contacts
  for each row when (new.marketing_consent) execute function private.judge_consent();
create trigger contacts_stop_sends after update on public.contacts
  for each row when (old.marketing_consent and not new.marketing_consent) execute function private.stop_sends();
create trigger email_sends_recipient after insert or update on public.email_sends
  for each row execute function private.guard_send();
create trigger email_unsubscribes_withdraw
  after insert or update on public.email_unsubscribes
  for each row execute function private.withdraw_consent();
-- Who unsubscribed stays unsubscribed: members add, and only the server takes back, when the person asks for it.
revoke update, delete on public.email_unsubscribes from authenticated;
grant update (reason) on public.email_unsubscribes to authenticated;
