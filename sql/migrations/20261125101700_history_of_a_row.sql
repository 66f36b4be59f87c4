-- transaction: none
-- What happened to one row, and what an erasure looks for.
create index concurrently if not exists audit_log_entity
  on public.audit_log (organization_id, entity_id);
