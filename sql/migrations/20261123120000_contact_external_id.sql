-- A contact's id in the system it was imported from, so that workflows can repeat an import without doubling people.
-- Nothing is rewritten or read here: a new column without default, and a check that is validated by the next file.
alter table public.contacts add column external_id text;
alter table public.contacts add constraint contacts_external_id_check
  check (length(external_id) between 1 and 200) not valid;
