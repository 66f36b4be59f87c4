-- transaction: none
-- What export_contact and erase_contact find texts by: words as private.words() makes them.
-- Those of JSON are parted by its escapes too.
create index concurrently if not exists words_notifications on public.notifications using gin ((
  string_to_array(regexp_replace(lower(title || ' ' || coalesce(body, '') || ' ' || coalesce(link_path, '')),
    '[^[:alnum:]]+', ' ', 'g'), ' ')::varchar(250)[]
  || string_to_array(regexp_replace(lower(payload::text),
    '(\\\\|\\[bfnrt"]|\\u00[0-9a-f]{2}|[^[:alnum:]\\])+', ' ', 'g'), ' ')::varchar(250)[]));
