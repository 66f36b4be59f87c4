-- transaction: none
-- Finds longer names of which a name is a part.
create index concurrently if not exists contacts_surname
  on public.contacts (organization_id, lower(last_name) text_pattern_ops);
