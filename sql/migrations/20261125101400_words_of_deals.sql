-- transaction: none
-- What export_contact and erase_contact find texts by: words as private.words() makes them.
create index concurrently if not exists words_deals on public.deals using gin ((
  string_to_array(regexp_replace(lower(title || ' ' || coalesce(lost_reason, '')),
    '[^[:alnum:]]+', ' ', 'g'), ' ')::varchar(250)[]));
