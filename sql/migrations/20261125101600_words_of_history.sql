-- transaction: none
-- What export_contact and erase_contact find texts by: words as private.words() makes them.
-- Entries of the database itself hold no text, and are found by their row.
create index concurrently if not exists words_audit_log on public.audit_log using gin ((
  string_to_array(regexp_replace(lower(action || ' ' || entity_type),
    '[^[:alnum:]]+', ' ', 'g'), ' ')::varchar(250)[]
  || string_to_array(regexp_replace(lower(coalesce(old_values::text, '') || ' ' || coalesce(new_values::text, '')),
    '(\\\\|\\[bfnrt"]|\\u00[0-9a-f]{2}|[^[:alnum:]\\])+', ' ', 'g'), ' ')::varchar(250)[]))
  where not by_database;
