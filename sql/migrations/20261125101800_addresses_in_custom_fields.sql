-- transaction: none
-- Only the contacts pay for it whose own fields hold an address.
create index concurrently if not exists words_contacts on public.contacts using gin ((
  string_to_array(regexp_replace(lower(custom_fields::text),
    '(\\\\|\\[bfnrt"]|\\u00[0-9a-f]{2}|[^[:alnum:]\\])+', ' ', 'g'), ' ')::varchar(250)[]))
  where custom_fields::text like '%@%';
