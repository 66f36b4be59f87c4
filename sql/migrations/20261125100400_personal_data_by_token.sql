-- One person's data, exactly: rows that point at the contact, and rows that mention it by a whole address, telephone
-- number, id or name, but never a row that belongs to another contact. For the agency alone, in the SQL editor:
-- select private.export_contact('<id>'); select private.erase_contact('<id>');
--
drop function private.export_contact(uuid), private.erase_contact(uuid), private.rows_mentioning(uuid, text[]),
  private.contact_terms(uuid), private.without_mentions(jsonb, text[]), private.mentions(text, text[]);
-- How a contact is called: a JSON list of {kind, value, words, find}. `words` is what an index finds candidates by,
-- `find` the expression that decides (a number is compared as a number). An address or number that another contact has
-- today is not among them: it says nothing about this one. The kind `longer` are other contacts' names of which this
-- one's is a part: Mary Ann Lee, where Ann Lee is meant.
create function private.contact_terms(contact uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  one public.contacts := (select c from public.contacts c where id = contact);
  name text := lower(nullif(btrim(one.first_name), '') || ' ' || nullif(btrim(one.last_name), ''));
  surname text := substring(name from '[^[:space:]]+$');
begin
  return (
    select coalesce(jsonb_agg(distinct jsonb_build_object('kind', kind, 'value', value, 'words', words,
      'find', case kind when 'phone' then null when 'longer' then private.whole('name', value)
        else private.whole(kind, value) end)), '[]')
    from (
      select 'id' as kind, one.id::text as value
      union
      select 'address', lower(email)
      from (
        select one.email
        union select email from public.email_sends where organization_id = one.organization_id and contact_id = one.id
        union select email from public.email_unsubscribes
          where organization_id = one.organization_id and contact_id = one.id
      ) known (email)
      where email not like '%@erased.invalid' and not exists (select from public.contacts c
        where c.organization_id = one.organization_id and c.email = known.email and c.id <> one.id)
      union
      select 'phone', number from unnest(private.phones(one.phone)) number
      where not exists (select from public.contacts c
        where c.organization_id = one.organization_id and c.id <> one.id
          and right(regexp_replace(c.phone, '[^0-9]', '', 'g'), 7) = right(number, 7)
          and exists (select from unnest(private.phones(c.phone)) other where private.same_phone(number, other)))
      union
      select 'name', name
      union
      select 'longer', longer
      from public.contacts c, lower(btrim(c.first_name) || ' ' || btrim(c.last_name)) longer
      where c.organization_id = one.organization_id and c.id <> one.id and longer <> name
        -- From the surname itself to the last one that begins with it and a blank.
        and lower(c.last_name) ~>=~ surname and lower(c.last_name) ~<~ (surname || '!')
        and longer ~ private.whole('name', name)
    ) terms,
      private.words(value) words
    where words[1] <> ''
  );
end
$$;
-- A text in lower case without what belongs to other contacts: their longer names, and their addresses that end or
-- begin like this one's.
create function private.without_others(organization uuid, contact uuid, content text, terms jsonb) returns text
language plpgsql stable set search_path = '' as $$
declare
  other text;
begin
  for other in
    select private.whole('address', c.email) from unnest(private.addresses(content)) address
      join public.contacts c on c.organization_id = organization and c.email = address
    where c.id <> contact
    union all
    select term ->> 'find' from jsonb_array_elements(terms) term where term ->> 'kind' = 'longer'
  loop
    content := regexp_replace(content, other, ' ', 'g');
  end loop;
  return content;
end
$$;
-- Which kinds of terms a text mentions.
create function private.mentions(content text, terms jsonb) returns text[]
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return array(
    select distinct term ->> 'kind' from jsonb_array_elements(terms) term
    where case term ->> 'kind' when 'longer' then false
      when 'phone' then exists (
        select from unnest(private.phones(content)) phone where private.same_phone(phone, term ->> 'value'))
      else content ~ (term ->> 'find') end
  );
end
$$;
-- Whether a row belongs to another contact: it carries that one's id, or the id of a deal with it, anywhere.
create function private.of_another(organization uuid, contact uuid, content jsonb) returns boolean
language plpgsql stable set search_path = '' as $$
begin
  return content ->> 'contact_id' <> contact::text
    or content ->> 'entity_type' = 'contact' and content ->> 'entity_id' <> contact::text
    or exists (
      select from regexp_matches(private.texts(content),
        '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'gi') carried
      where exists (select from public.contacts
          where organization_id = organization and id = carried[1]::uuid and id <> contact)
        or exists (select from public.deals
          where organization_id = organization and id = carried[1]::uuid and contact_id <> contact)
    );
end
$$;
-- Rows of all tables of an organization that point at a contact or mention it, clients' own tables included.
-- own: it points at the contact; another: it belongs to another contact; kinds: of the terms that it mentions.
-- A table with an index words_<table> is searched by it, any other row by row.
create function private.rows_about(organization uuid, contact uuid, terms jsonb)
returns table (relation text, content jsonb, own boolean, another boolean, kinds text[])
language plpgsql stable set search_path = '' as $$
declare
  points text; indexed text; condition text; arms text[];
begin
  for relation, points, indexed, condition in
    select c.relname, max(a.attname) filter (where a.attname = 'contact_id'),
      (array_agg(pg_get_indexdef(i.indexrelid, 1, true)) filter (where i.indexrelid is not null))[1],
      (array_agg(pg_get_expr(i.indpred, i.indrelid)) filter (where i.indexrelid is not null))[1]
    from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid and not a.attisdropped
      left join pg_catalog.pg_index i on i.indrelid = c.oid and i.indisvalid and i.indexprs is not null
        and i.indexrelid = to_regclass(format('public.%I', 'words_' || c.relname))
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
    group by c.oid, c.relname having bool_or(a.attname = 'organization_id') order by c.relname
  loop
    arms := case
      when relation = 'contacts' then format('id = %L', contact)
        || private.search_conditions(indexed, 'custom_fields::text like ''%@%''', terms, array['address'])
      when relation in ('email_sends', 'email_unsubscribes') then array[format('email = any (%L::text[])', array(
        select term ->> 'value' from jsonb_array_elements(terms) term where term ->> 'kind' = 'address'))]
      when relation = 'audit_log' then format('entity_id = %L', contact)
        || private.search_conditions(indexed, condition, terms)
      else private.search_conditions(indexed, condition, terms) end;
    if points is not null then
      arms := format('contact_id = %L', contact) || arms;
    end if;
    for content in execute (
      select string_agg(
        format('select to_jsonb(t) from public.%I t where t.organization_id = $1 and %s', relation, arm), ' union ')
      from unnest(arms) arm) using organization
    loop
      own := coalesce(relation = 'contacts' and content ->> 'id' = contact::text
        or content ->> 'contact_id' = contact::text
        or relation = 'audit_log' and content ->> 'entity_id' = contact::text, false);
      another := not own
        and (relation = 'contacts' or coalesce(private.of_another(organization, contact, content), false));
      kinds := private.mentions(
        private.without_others(organization, contact, lower(private.texts(content)), terms), terms);
      if own or cardinality(kinds) > 0 then
        return next;
      end if;
    end loop;
  end loop;
end
$$;
-- Words that a group of digits may be whose end is the end of `digits`: with or without what comes before, a zero in
-- front where the country is left out, and any country in front where a number is known without one.
create function private.digit_groups(digits text, shortest integer, international boolean) returns text[]
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return array(
    select prefix || right(digits, length)
    from generate_series(shortest, length(digits)) length, unnest(array['', '0', '00']) prefix
    union
    select prefix || country || ltrim(digits, '0')
    from generate_series(1, 999) country, unnest(array['', '00']) prefix where not international
  );
end
$$;
-- The condition that finds a telephone number by the words of a text, however its digits are grouped: the last group
-- has five digits or more, or it is not the only one.
create function private.phone_condition(indexed text, phone text) returns text
language plpgsql immutable strict parallel safe set search_path = '' as $$
declare
  digits text := ltrim(phone, '+');
  international boolean := phone like '+%';
begin
  return format('(%s && %L', indexed, private.digit_groups(digits, 5, international)) || (
    select string_agg(format(' or %1$s @> %2$L and %1$s && %3$L', indexed, array[right(digits, length)],
      private.digit_groups(left(digits, -length), 2, international)), '')
    from generate_series(2, 4) length
  ) || ')';
end
$$;
-- The conditions that find rows which may mention one of the terms. Where there is an index: one a term, or a common
-- word of one would have the others looked for in each of its rows. Else one for all, so that the table is read once.
create function private.search_conditions(indexed text, condition text, terms jsonb, kinds text[] default null)
returns text[]
language plpgsql immutable set search_path = '' as $$
declare
  found_arms text[] := array(
    select case
      when term ->> 'kind' = 'phone' then format('t::text ~ %L%s',
        regexp_replace(right(term ->> 'value', 7), '(?<=.)(?=.)', '[ \\u00a0./()-]*', 'g'),
        ' and ' || private.phone_condition(indexed, term ->> 'value'))
      when indexed is not null then
        format('%s @> %L', indexed, array(select jsonb_array_elements_text(term -> 'words')))
      else format('strpos(lower(t::text), %L) > 0', (
        select word from jsonb_array_elements_text(term -> 'words') word order by length(word) desc limit 1)) end
    from jsonb_array_elements(terms) term
    where term ->> 'kind' <> 'longer' and (kinds is null or term ->> 'kind' = any (kinds))
  );
begin
  if indexed is null and cardinality(found_arms) > 0 then
    found_arms := array['(' || array_to_string(found_arms, ' or ') || ')'];
  end if;
  return array(select arm || coalesce(' and ' || condition, '') from unnest(found_arms) arm);
end
$$;
create function private.export_contact(contact uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  organization uuid := (select organization_id from public.contacts where id = contact);
begin
  if organization is null then
    raise exception 'there is no contact %', contact using errcode = 'no_data_found';
  end if;
  return (
    select jsonb_object_agg(relation, contents)
    from (
      select relation, jsonb_agg(content) as contents
      from private.rows_about(organization, contact, private.contact_terms(contact))
      where not another group by relation
    ) found
  );
end
$$;
-- Values of a history entry without those that mention one of the terms.
create function private.without_mentions(organization uuid, contact uuid, content jsonb, terms jsonb) returns jsonb
language plpgsql stable set search_path = '' as $$
begin
  return (
    select jsonb_object_agg(key, value) from jsonb_each(case jsonb_typeof(content) when 'object' then content end)
    where private.mentions(private.without_others(
      organization, contact, lower(key || E'\n' || coalesce(private.texts(value), '')), terms), terms) = '{}'
  );
end
$$;
-- Facts stay without the person: that a mail was sent, a deal was won, an entry was changed. Answers where the person
-- may still be mentioned, as {table: rows}: in a text about somebody of the same name, or in a row of another contact,
-- which is never touched. That is for a human to judge.
create function private.erase_contact(contact uuid) returns jsonb
language plpgsql set search_path = '' as $$
declare
  organization uuid; terms jsonb; addresses text[]; rows_found jsonb;
begin
  select organization_id into organization from public.contacts where id = contact for update;
  if organization is null then
    raise exception 'there is no contact %', contact using errcode = 'no_data_found';
  end if;
  terms := private.contact_terms(contact);
  addresses := array(
    select term ->> 'value' from jsonb_array_elements(terms) term where term ->> 'kind' = 'address');
  -- A campaign, a post or a template is not about one person, whoever it mentions: those are told, not changed.
  rows_found := (
    select coalesce(jsonb_object_agg(relation, ids), '{}')
    from (
      select relation, jsonb_agg(content ->> 'id') as ids from private.rows_about(organization, contact, terms)
      where not another and relation in ('activities', 'deals', 'notifications', 'audit_log', 'email_sends',
        'email_unsubscribes') group by relation
    ) found
  );
  insert into private.erased_addresses (organization_id, fingerprint)
    select organization, private.fingerprint(address) from unnest(addresses) address
    on conflict (organization_id, fingerprint) do update set erased_at = excluded.erased_at;
  perform private.erase_mails(organization, contact, rows_found);
  update public.activities
    set subject = 'Erased', body = null, outcome = null, contact_id = nullif(contact_id, contact)
    where organization_id = organization
      and id in (select jsonb_array_elements_text(rows_found -> 'activities')::uuid);
  update public.deals set title = 'Erased', lost_reason = null, contact_id = nullif(contact_id, contact)
    where organization_id = organization and id in (select jsonb_array_elements_text(rows_found -> 'deals')::uuid);
  delete from public.notifications
    where organization_id = organization
      and id in (select jsonb_array_elements_text(rows_found -> 'notifications')::uuid);
  delete from public.contacts where id = contact;
  update public.audit_log
    set action = case when private.mentions(lower(action), terms) = '{}' then action else 'Erased' end,
      old_values = private.without_mentions(organization, contact, old_values, terms),
      new_values = private.without_mentions(organization, contact, new_values, terms)
    where organization_id = organization and id in (select jsonb_array_elements_text(rows_found -> 'audit_log')::uuid);
  -- The entries of this erasure included.
  update public.audit_log set entity_id = null, old_values = null, new_values = null
    where organization_id = organization and entity_id = contact;
  return (
    select coalesce(jsonb_object_agg(relation, number), '{}')
    from (
      select relation, count(*) as number from private.rows_about(organization, contact, terms) group by relation
    ) found
  );
end
$$;
-- Sends stay as figures, unsubscribes as fingerprints. A mail that waits is not sent. Of two erased sends of a campaign
-- to one address (sent, erased, imported again, sent again) one keeps the campaign.
create function private.erase_mails(organization uuid, contact uuid, rows_found jsonb) returns void
language plpgsql set search_path = '' as $$
begin
  delete from private.detached_sends
    where organization_id = organization
      and send_id in (select jsonb_array_elements_text(rows_found -> 'email_sends')::uuid);
  update public.email_sends s
    set email = private.fingerprint(email), subject = 'Erased', provider_message_id = null, error = null,
      contact_id = null, status = case when status = 'queued' then 'failed' else status end,
      campaign_id = case when not exists (select from public.email_sends other
        where other.organization_id = organization and other.email = private.fingerprint(s.email)
          and other.campaign_id = s.campaign_id) then campaign_id end
    where organization_id = organization
      and id in (select jsonb_array_elements_text(rows_found -> 'email_sends')::uuid);
  delete from public.email_unsubscribes u using public.email_unsubscribes kept
    where u.organization_id = organization
      and u.id in (select jsonb_array_elements_text(rows_found -> 'email_unsubscribes')::uuid)
      and kept.organization_id = organization and kept.email = private.fingerprint(u.email) and kept.scope = u.scope;
  update public.email_unsubscribes set email = private.fingerprint(email), reason = null, contact_id = null
    where organization_id = organization
      and id in (select jsonb_array_elements_text(rows_found -> 'email_unsubscribes')::uuid);
end
$$;
revoke all on function private.contact_terms(uuid), private.without_others(uuid, uuid, text, jsonb),
  private.mentions(text, jsonb), private.of_another(uuid, uuid, jsonb), private.rows_about(uuid, uuid, jsonb),
  private.digit_groups(text, integer, boolean), private.phone_condition(text, text),
  private.search_conditions(text, text, jsonb, text[]), private.export_contact(uuid),
  private.without_mentions(uuid, uuid, jsonb, jsonb), private.erase_contact(uuid),
  private.erase_mails(uuid, uuid, jsonb) from public, anon, authenticated, service_role;
