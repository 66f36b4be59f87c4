-- What is held about one contact, for the person to have, and its erasure. For the agency alone, in the SQL editor:
-- select private.export_contact('<id>'); select private.erase_contact('<id>');
--
-- How a contact is called in rows that do not point at it. A name may be somebody else's too, the rest may not.
create function private.contact_terms(contact uuid, out own text[], out names text[])
language sql stable set search_path = '' as $$
  select array_agg(distinct lower(term)) filter (where length(term) > 4), (
    select coalesce(array_agg(lower(first_name || ' ' || last_name)), '{}') from public.contacts
    where id = contact and first_name <> '' and last_name <> '')
  from (
    select unnest(array[id::text, email, phone]) from public.contacts where id = contact
    union all
    select email from public.email_sends
    where (organization_id, contact_id) = (select organization_id, id from public.contacts where id = contact)
    union all
    select email from public.email_unsubscribes
    where (organization_id, contact_id) = (select organization_id, id from public.contacts where id = contact)
  ) known(term)
$$;
create function private.mentions(content text, terms text[]) returns boolean
language sql immutable parallel safe set search_path = '' as $$
  select exists (select from unnest(terms) term where strpos(lower(content), term) > 0)
$$;
-- Rows of all tables of an organization that mention one of the terms; who is pointed at is mentioned by id.
create function private.rows_mentioning(organization uuid, terms text[]) returns table (relation text, content jsonb)
language plpgsql stable set search_path = '' as $$
begin
  for relation in
    select c.relname from pg_catalog.pg_class c join pg_catalog.pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attname = 'organization_id' and not a.attisdropped
    order by c.relname
  loop
    return query execute format('select %L::text, to_jsonb(t) from public.%I t
      where t.organization_id = $1 and private.mentions(t::text, $2)', relation, relation) using organization, terms;
  end loop;
end
$$;
create function private.export_contact(contact uuid) returns jsonb
language plpgsql stable set search_path = '' as $$
declare
  organization uuid := (select organization_id from public.contacts where id = contact);
  known record := private.contact_terms(contact);
begin
  if organization is null then
    raise exception 'there is no contact %', contact using errcode = 'no_data_found';
  end if;
  return (
    select jsonb_object_agg(relation, contents)
    from (
      select relation, jsonb_agg(content) as contents
      from private.rows_mentioning(organization, known.own || known.names) group by relation
    ) found
  );
end
$$;
-- An address that nobody can read and that an import can still be held against: who unsubscribed stays unsubscribed.
create function private.fingerprint(email text) returns text
language sql immutable parallel safe set search_path = '' as $$
  select encode(sha256(convert_to(lower(email), 'UTF8')), 'hex') || '@erased.invalid'
$$;
-- Values of a history entry without those that mention one of the terms.
create function private.without_mentions(content jsonb, terms text[]) returns jsonb
language sql immutable parallel safe set search_path = '' as $$
  select jsonb_object_agg(key, value) from jsonb_each(case jsonb_typeof(content) when 'object' then content end)
  where not private.mentions(value::text, terms)
$$;
-- Facts stay without the person: that a mail was sent, a deal was won, an entry was changed. Answers where the person
-- may still be mentioned, as {table: rows}, say in a text about somebody of the same name: for a human to judge.
create function private.erase_contact(contact uuid) returns jsonb
language plpgsql set search_path = '' as $$
declare
  organization uuid; known record; every text[];
begin
  select organization_id into organization from public.contacts where id = contact for update;
  if organization is null then
    raise exception 'there is no contact %', contact using errcode = 'no_data_found';
  end if;
  known := private.contact_terms(contact);
  every := known.own || known.names;
  update public.email_sends
    set email = private.fingerprint(email), subject = 'Erased', provider_message_id = null, error = null,
      contact_id = null
    where organization_id = organization and (contact_id = contact or email = any (known.own));
  delete from public.email_unsubscribes u using public.email_unsubscribes kept
    where u.organization_id = organization and (u.contact_id = contact or u.email = any (known.own))
      and kept.organization_id = organization and kept.email = private.fingerprint(u.email) and kept.scope = u.scope;
  update public.email_unsubscribes set email = private.fingerprint(email), reason = null, contact_id = null
    where organization_id = organization and (contact_id = contact or email = any (known.own));
  update public.activities a
    set subject = 'Erased', body = null, outcome = null, contact_id = nullif(contact_id, contact)
    where organization_id = organization and (contact_id = contact or private.mentions(a::text, known.own)
      or contact_id is null and private.mentions(a::text, known.names));
  update public.deals d set title = 'Erased', lost_reason = null, contact_id = nullif(contact_id, contact)
    where organization_id = organization and (contact_id = contact or private.mentions(d::text, known.own)
      or contact_id is null and private.mentions(d::text, known.names));
  delete from public.notifications n where organization_id = organization and private.mentions(n::text, every);
  update public.audit_log set entity_id = null, old_values = null, new_values = null
    where organization_id = organization and entity_id = contact;
  update public.audit_log l
    set old_values = private.without_mentions(old_values, every),
      new_values = private.without_mentions(new_values, every)
    where organization_id = organization and (private.mentions(l::text, known.own)
      or entity_type <> 'contact' and private.mentions(l::text, known.names));
  delete from public.contacts where id = contact;
  return (
    select coalesce(jsonb_object_agg(relation, number), '{}')
    from (select relation, count(*) as number from private.rows_mentioning(organization, every) group by relation) found
  );
end
$$;
revoke all on function private.contact_terms(uuid), private.mentions(text, text[]),
  private.rows_mentioning(uuid, text[]), private.export_contact(uuid), private.fingerprint(text),
  private.without_mentions(jsonb, text[]), private.erase_contact(uuid) from public, anon, authenticated, service_role;
