-- transaction: none
-- Reads all contacts, without keeping anybody from reading or writing them.
alter table public.contacts validate constraint contacts_external_id_check;
