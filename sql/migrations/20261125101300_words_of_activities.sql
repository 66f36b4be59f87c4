-- transaction: none
-- What export_contact and erase_contact find texts by: words as private.words() makes them.
create index concurrently if not exists words_activities on public.activities using gin ((
  string_to_array(regexp_replace(lower(subject || ' ' || coalesce(body, '') || ' ' || coalesce(outcome, '')),
    '[^[:alnum:]]+', ' ', 'g'), ' ')::varchar(250)[]));
