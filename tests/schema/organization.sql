-- Runs one statement as a role with a token's claims and undoes it. Answers the number of rows, or the SQLSTATE.
create function pg_temp.attack(as_role text, claims text, statement text) returns text language plpgsql as $$
declare
  touched bigint;
begin
  perform set_config('request.jwt.claims', claims, true), set_config('role', as_role, true);
  execute statement;
  get diagnostics touched = row_count;
  raise exception using errcode = 'ROWS0', message = touched::text;
exception when others then
  return case when sqlstate = 'ROWS0' then sqlerrm else sqlstate end;
end
$$;

-- An organization with one account per role and, unless it is to stay empty, one row or more in every table.
create function pg_temp.populate(organization uuid, accounts jsonb, filled boolean default true) returns void
language plpgsql as $$
declare
  owner_id uuid; member_id uuid; company_id uuid; contact_id uuid; deal_id uuid; template_id uuid; campaign_id uuid;
  sequence_id uuid; account_id uuid; content_template_id uuid; post_id uuid;
begin
  insert into public.organizations (id, name, slug) values (organization, 'Isolation check', organization::text);
  insert into public.users (organization_id, auth_user_id, email, full_name, role, status)
    select organization, value::uuid, key || '@isolation.invalid', key,
      case when key in ('owner', 'admin') then key else 'member' end,
      case when key = 'disabled' then key else 'active' end
    from jsonb_each_text(accounts);
  if not filled then
    return;
  end if;
  select id into owner_id from public.users u where u.organization_id = organization and role = 'owner';
  select id into member_id from public.users u where u.organization_id = organization and email like 'member@%';
  insert into public.companies (organization_id, owner_id, name)
    values (organization, owner_id, 'Company') returning id into company_id;
  insert into public.contacts (organization_id, company_id, owner_id, email, marketing_consent, consent_at)
    values (organization, company_id, owner_id, 'contact@isolation.invalid', true, now()) returning id into contact_id;
  insert into public.deals (organization_id, company_id, contact_id, owner_id, title)
    values (organization, company_id, contact_id, owner_id, 'Deal') returning id into deal_id;
  insert into public.activities (organization_id, contact_id, company_id, deal_id, user_id, kind, subject)
    values (organization, contact_id, company_id, deal_id, owner_id, 'note', 'Activity');
  insert into public.email_templates (organization_id, created_by, name, subject, body_html)
    values (organization, owner_id, 'Template', 'Subject', 'Body') returning id into template_id;
  insert into public.email_campaigns (organization_id, template_id, created_by, name, subject, from_name, from_email)
    values (organization, template_id, owner_id, 'Campaign', 'Subject', 'Sender', 'sender@isolation.invalid')
    returning id into campaign_id;
  insert into public.email_sequences (organization_id, created_by, name, trigger_event)
    values (organization, owner_id, 'Sequence', 'manual') returning id into sequence_id;
  insert into public.email_sends (organization_id, campaign_id, sequence_id, contact_id, email, subject)
    values (organization, campaign_id, sequence_id, contact_id, 'contact@isolation.invalid', 'Subject');
  insert into public.email_unsubscribes (organization_id, contact_id, campaign_id, email)
    values (organization, contact_id, campaign_id, 'contact@isolation.invalid');
  insert into public.social_accounts (organization_id, connected_by, platform, external_account_id, handle)
    values (organization, owner_id, 'linkedin', 'isolation', 'isolation') returning id into account_id;
  insert into public.content_templates (organization_id, created_by, name, channel, body)
    values (organization, owner_id, 'Template', 'social', 'Body') returning id into content_template_id;
  insert into public.social_posts (organization_id, social_account_id, created_by, body)
    values (organization, account_id, owner_id, 'Post') returning id into post_id;
  insert into public.content_queue
    (organization_id, template_id, social_post_id, campaign_id, assigned_to, title, channel)
    values (organization, content_template_id, post_id, campaign_id, owner_id, 'Item', 'social');
  insert into public.client_usage_metrics (organization_id, metric, period_start, period_end)
    values (organization, 'contacts', '2000-01-01', '2000-02-01');
  insert into public.subscription_history (organization_id, changed_by, event)
    values (organization, owner_id, 'started');
  insert into public.analytics_snapshots (organization_id, period, snapshot_date)
    values (organization, 'day', '2000-01-01');
  insert into public.platform_metrics (organization_id, social_account_id, platform, metric, measured_on, value)
    values (organization, account_id, 'linkedin', 'followers', '2000-01-01', 1);
  insert into public.notifications (organization_id, user_id, kind, title)
    values (organization, owner_id, 'info', 'Notification'), (organization, member_id, 'info', 'Notification');
  insert into public.audit_log (organization_id, user_id, action, entity_type, entity_id)
    values (organization, owner_id, 'created', 'contact', contact_id);
end
$$;
