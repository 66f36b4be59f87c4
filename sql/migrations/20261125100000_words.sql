-- Words, addresses and telephone numbers in texts, so that a person is found by whole tokens and through an index.
--
-- All strings, numbers and keys of a JSON document, without JSON's escapes: "a\nb" would read as the word "nb".
create function private.texts(content jsonb) returns text
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return (
    select string_agg(part, E'\n')
    from (
      select leaf #>> '{}' from jsonb_path_query(content, 'strict $.**') leaf
      where jsonb_typeof(leaf) in ('string', 'number')
      union all
      select key from jsonb_path_query(content, 'strict $.** ? (@.type() == "object")') object,
        jsonb_object_keys(object) key
    ) parts (part)
  );
end
$$;
-- Telephone numbers, normalised: +<digits> when written with + or 00, else the digits as dialled. A number is a whole
-- run of 7 to 15 digits, with at most three separators between two of them and no letter at either end.
create function private.phones(content text) returns text[]
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  if content is null or content !~ '[0-9][0-9 \u00a0./()-]{5,}[0-9]' then
    return '{}';
  end if;
  return array(
    select number
    from regexp_matches(content,
        '(?:^|[^[:alnum:]+])(\+?[0-9](?:[ \u00a0./()-]{0,3}[0-9]){6,})(?![[:alnum:]])', 'g') run,
      regexp_replace(run[1], '\(0\)', '', 'g') dialled,
      regexp_replace(regexp_replace(dialled, '[^0-9+]', '', 'g'), '^00', '+') number
    where length(ltrim(number, '+')) between 7 and 15
  );
end
$$;
-- Whether two normalised numbers are one: +44 20 7946 0000 is 020 7946 0000 where the country is not written, and
-- +1 415 555 0132 is 415 555 0132.
create function private.same_phone(one text, other text) returns boolean
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  international text := case when one like '+%' then one else other end;
  plain text := case when one like '+%' then other else one end;
  subscriber text := ltrim(plain, '0');
begin
  return one = other or international like '+%' and plain not like '+%' and (
    international in ('+' || plain, '+1' || plain)
    or plain like '0%' and length(subscriber) >= 7 and right(international, length(subscriber)) = subscriber
      and length(international) - length(subscriber) between 2 and 4
  );
end
$$;
-- Addresses in a text in lower case, each as long as it could be: with everything before the @ that an address allows.
create function private.addresses(content text) returns text[]
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return array(
    select distinct rtrim(run[1], '.-')
    from regexp_matches(content, '([^[:space:]<>()"\[\],;:@]+@[[:alnum:].-]+)', 'g') run
  );
end
$$;
-- The words of a term, as the indexes words_<table> hold those of texts. Their expressions name no function of ours: it
-- would run with the rights of whoever writes a row. Words are cut, because an entry is at most 2,700 bytes.
create function private.words(content text) returns text[]
language plpgsql immutable parallel safe set search_path = '' as $$
begin
  return string_to_array(btrim(regexp_replace(lower(content), '[^[:alnum:]]+', ' ', 'g')), ' ')::varchar(250)[];
end
$$;
-- A regular expression, for texts in lower case, that finds a term as a whole: not the end of a longer address
-- (joann@ex.com, jo.ann@ex.com), not the beginning of one (ann@ex.com.au), and not a part of a longer word or name.
create function private.whole(kind text, term text) returns text
language plpgsql immutable parallel safe set search_path = '' as $$
declare
  literal text := regexp_replace(lower(term), '([^[:alnum:][:space:]])', '\\\1', 'g');
begin
  return case kind
    when 'address' then '(?<![[:alnum:]_%+@-][.'']*)' || literal || '(?![[:alnum:]_@]|[.-]+[[:alnum:]])'
    when 'name' then '(?<![[:alnum:]_]|[[:alnum:]][''’-])' || regexp_replace(literal, '\s+', '\\s+', 'g')
      || '(?![[:alnum:]_]|-[[:alnum:]])'
    else '(?<![[:alnum:]])' || literal || '(?![[:alnum:]])'
  end;
end
$$;
revoke all on function private.texts(jsonb), private.phones(text), private.same_phone(text, text),
  private.addresses(text), private.words(text), private.whole(text, text)
  from public, anon, authenticated, service_role;
