-- What the isolation check needs inside its transaction, which is always rolled back.

-- Runs one statement as a role with a token's claims and undoes it. Answers the number of rows, or the SQLSTATE.
create function pg_temp.attack(as_role text, claims text, statement text) returns text language plpgsql as $$
declare
  touched bigint;
begin
  perform set_config('request.jwt.claims', claims, true), set_config('isolation.rows', '0', true),
    set_config('role', as_role, true);
  execute statement;
  get diagnostics touched = row_count;
  raise exception using errcode = 'ROWS0', message = touched::text;
exception when others then
  return case when sqlstate = 'ROWS0' then sqlerrm else sqlstate end;
end
$$;

-- As a condition: lets a statement reach so many rows and fails at the next. Naming no column, it keeps the SELECT
-- policies out of an UPDATE or DELETE, as a request without a filter does, and it stops before harm is done.
create function pg_temp.tripwire(allowed integer) returns boolean language plpgsql volatile as $$
begin
  perform set_config('isolation.rows', (current_setting('isolation.rows')::integer + 1)::text, true);
  if current_setting('isolation.rows')::integer > allowed then
    raise exception using errcode = 'LEAK0';
  end if;
  return true;
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

-- Every table and view of the API with what an attack has to know about it; `rows` holds one row per organization.
create function pg_temp.targets(organizations uuid[])
returns table (name text, kind text, tenant text, columns jsonb, keys jsonb, rows jsonb) language plpgsql as $$
declare
  organization uuid; one jsonb;
begin
  for name, kind, tenant, columns, keys in
    select format('public.%I', c.relname), case when c.relkind in ('r', 'p') then 'table'
        -- Neither a materialized view nor a foreign table has policies of its own.
        when c.relkind in ('m', 'f') then 'copy'
        -- Bits of what a view passes on: update, insert, delete.
        when pg_relation_is_updatable(c.oid, false) & 28 = 28 then 'writable view' else 'view' end,
      case when c.oid = 'public.organizations'::regclass then 'id' else (select a.attname::text
        from pg_attribute a where a.attrelid = c.oid and a.attname = 'organization_id' and not a.attisdropped) end,
      (select jsonb_object_agg(quote_ident(a.attname), (
          select jsonb_agg(r.rolname || ' ' || v.verb) || jsonb_build_array(a.atthasdef or not a.attnotnull)
          from pg_roles r, unnest(array['INSERT', 'UPDATE']) v(verb)
          where r.rolname in ('anon', 'authenticated') and has_column_privilege(r.oid, c.oid, a.attnum, v.verb)))
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''),
      (select jsonb_agg(jsonb_build_object('target', format('public.%I', f.relname), 'columns', (
          select jsonb_object_agg(own.attname, theirs.attname)
          from unnest(k.conkey, k.confkey) pair(own, theirs)
            join pg_attribute own on own.attrelid = k.conrelid and own.attnum = pair.own
            join pg_attribute theirs on theirs.attrelid = k.confrelid and theirs.attnum = pair.theirs)))
        from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and f.relnamespace = 'public'::regnamespace
          and f.oid <> 'public.organizations'::regclass)
    from pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')
    order by c.relname
  loop
    rows := '{}';
    if tenant is not null and kind <> 'copy' then
      foreach organization in array organizations loop
        -- Not the owner's own row: that none may be added is another rule than that of the organization.
        execute format('select to_jsonb(t) from %s t where %I = $1 order by to_jsonb(t) ->> ''role'' = ''owner'''
          || ' nulls first limit 1', name, tenant) into one using organization;
        rows := rows || jsonb_build_object(organization, one);
      end loop;
    end if;
    return next;
  end loop;
end
$$;

-- Members of an organization reaching for more than their role gives them.
create function pg_temp.insiders()
returns table (member text, name text, verb text, statement text) language sql as $$
  select role, 'users', format('update (%s)', part),
    format('update public.users set %s = %s where auth_user_id = auth.uid()', part, value)
  from unnest(array['owner', 'admin', 'member']) role, (values ('role', '''owner'''), ('status', '''active'''),
    ('email', '''x@isolation.invalid'''), ('auth_user_id', 'gen_random_uuid()'),
    ('organization_id', 'gen_random_uuid()')) as forbidden(part, value)
  union all
  select role, 'users', format('insert (%s)', invited), format(
    'insert into public.users (organization_id, email, full_name, role)
      select organization_id, ''new@isolation.invalid'', ''New'', %L from public.users where auth_user_id = auth.uid()',
    invited)
  from (values ('member', 'member'), ('admin', 'owner'), ('owner', 'owner')) as forbidden(role, invited)
  union all
  select role, 'organizations', 'delete', 'delete from public.organizations'
  from unnest(array['owner', 'admin', 'member']) role
  union all
  -- Tables that members only read; into the audit log they add, but not at a time of their choice.
  select role, name, split_part(template, ' ', 1), format(template, 'public.' || name)
  from unnest(array['owner', 'admin', 'member']) role,
    unnest(array['client_usage_metrics', 'subscription_history', 'analytics_snapshots', 'platform_metrics',
      'audit_log']) name,
    unnest(array['delete from %s where pg_temp.tripwire(0)',
      'update %s set created_at = now() where pg_temp.tripwire(0)',
      'insert into %s (organization_id, created_at) select organization_id, now() from public.users']) template
  union all
  select 'owner', 'notifications', split_part(start, ' ', 1),
    start || ' where user_id in (select id from public.users where auth_user_id is distinct from auth.uid())'
  from unnest(array['select 1 from public.notifications', 'update public.notifications set read_at = now()',
    'delete from public.notifications']) start
  union all
  select 'owner', 'organizations', format('update (%s)', part),
    format('update public.organizations set %s = %L', part, value)
  from (values ('plan', 'scale'), ('status', 'closed'), ('slug', 'x'), ('billing_email', 'x@isolation.invalid'))
    as forbidden(part, value)
  union all
  values
    ('owner', 'notifications', 'insert (user_id)',
      'insert into public.notifications (organization_id, user_id, kind, title)
        select organization_id, id, ''info'', ''x'' from public.users where auth_user_id is distinct from auth.uid()'),
    ('owner', 'notifications', 'update (user_id)', 'update public.notifications set user_id = u.id
        from public.users u where u.auth_user_id is distinct from auth.uid()'),
    ('member', 'organizations', 'update', 'update public.organizations set name = ''x'''),
    ('owner', 'organizations', 'insert', 'insert into public.organizations (name, slug) values (''x'', ''x'')'),
    ('owner', 'users', 'delete', 'delete from public.users where pg_temp.tripwire(0)'),
    ('member', 'users', 'update',
      'update public.users set full_name = ''x'' where auth_user_id is distinct from auth.uid()'),
    ('owner', 'audit_log', 'insert (user_id)',
      'insert into public.audit_log (organization_id, user_id, action, entity_type)
        select organization_id, id, ''x'', ''x'' from public.users where auth_user_id is distinct from auth.uid()')
$$;

-- What no role of the API may do at all, besides what it may not do with the tables and views of the API. Conditions
-- that are false and values out of range leave the privilege alone to decide, and nothing happens where it is held.
create function pg_temp.sealed() returns table (role text, name text, verb text, statement text) language sql as $$
  with api as (select unnest(array['anon', 'authenticated', 'service_role']) as role),
  relation as (
    select n.nspname as space, c.relkind in ('r', 'p') as is_table, format('%I.%I', n.nspname, c.relname) as name,
      (select quote_ident(attname) from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped
        and attgenerated = '' order by attnum limit 1) as part
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('private', 'supabase_migrations', 'before_baseline') and c.relkind in ('r', 'p', 'v', 'm', 'f')
      or c.oid = to_regclass('auth.users')
  )
  select role, name, split_part(template, ' ', 1), replace(replace(template, '{name}', name), '{part}', part)
  from api, relation, unnest(array['select 1 from {name} where false',
    'insert into {name} ({part}) select null where false', 'update {name} set {part} = default where false',
    'delete from {name} where false', 'truncate {name}']) template
  -- The accounts are Supabase's, and so is what its server may do with them.
  where (is_table or template like 'select%') and (space <> 'auth' or role <> 'service_role')
  union all
  -- A sequence tells how much is added. Asked for outside the session's own numbers, it tells only who may ask.
  select role, c.relname, verb, format(template, format('public.%I', c.relname))
  from api, pg_class c,
    (values ('usage', 'select currval(%L)'), ('update', 'select setval(%L, 0)')) as forbidden(verb, template)
  where c.relkind = 'S' and c.relnamespace = 'public'::regnamespace
    and (role = 'anon' or role = 'authenticated' and verb = 'update')
  union all
  -- Helpers, and what runs with its owner's rights in front of the API. Members may ask the helpers who they are.
  select role, format('%s.%s', n.nspname, p.proname), 'execute',
    format('select %I.%I(%s) from (select %s 1 offset 0) a where false', n.nspname, p.proname, given.names, given.nulls)
  from api, pg_namespace n join pg_proc p on p.pronamespace = n.oid cross join lateral (
    select string_agg('a.p' || at, ', ' order by at) as names,
      string_agg(format('null::%s as p%s,', format_type(type, null), at), ' ' order by at) as nulls
    from unnest(p.proargtypes) with ordinality as argument(type, at)
  ) given
  where (n.nspname = 'private' or n.nspname = 'public' and p.prosecdef and role <> 'service_role')
    and p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)
    and not (role = 'authenticated' and n.nspname = 'private'
      and p.proname in ('current_organization', 'current_member', 'current_member_role'))
  union all
  select role, 'schema public', 'create', 'create table public.isolation_check ()' from api where role <> 'service_role'
  union all
  -- Not even the server rewrites history; it only goes with its organization.
  select 'service_role', 'audit_log', split_part(template, ' ', 1), template
  from unnest(array['update public.audit_log set action = action where false',
    'delete from public.audit_log where false']) template
$$;
