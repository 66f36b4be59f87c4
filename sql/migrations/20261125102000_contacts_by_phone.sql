-- transaction: none
-- Finds who else has a telephone number.
create index concurrently if not exists contacts_phone
  on public.contacts (organization_id, right(regexp_replace(phone, '[^0-9]', '', 'g'), 7));
