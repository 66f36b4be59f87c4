-- transaction: none
-- Not partial, so that the API can upsert on (organization_id, external_id); contacts without one do not collide.
create unique index concurrently if not exists contacts_organization_id_external_id_key
  on public.contacts (organization_id, external_id);
