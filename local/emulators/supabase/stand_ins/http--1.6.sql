-- Stand-in for http: its types and functions exist, so that functions that name them can be made.
create domain http_method as text;
create type http_header as (field varchar, value varchar);
create type http_request as (
  method http_method, uri varchar, headers http_header[], content_type varchar, content varchar
);
create type http_response as (status int, content_type varchar, headers http_header[], content varchar);

create function http(request http_request) returns http_response language plpgsql as $$
begin
  raise exception 'local mode''s stand-in for http sends no request (% %)', request.method, request.uri using
    errcode = 'feature_not_supported', hint = 'Try what calls it on a project of its own.';
end
$$;
create function http_get(uri varchar) returns http_response language sql
return http(('GET', uri, null, null, null)::http_request);
create function http_get(uri varchar, data jsonb) returns http_response language sql
return http(('GET', uri, null, null, data::text)::http_request);
create function http_head(uri varchar) returns http_response language sql
return http(('HEAD', uri, null, null, null)::http_request);
create function http_delete(uri varchar) returns http_response language sql
return http(('DELETE', uri, null, null, null)::http_request);
create function http_delete(uri varchar, content varchar, content_type varchar) returns http_response language sql
return http(('DELETE', uri, null, content_type, content)::http_request);
create function http_post(uri varchar, content varchar, content_type varchar) returns http_response language sql
return http(('POST', uri, null, content_type, content)::http_request);
create function http_post(uri varchar, data jsonb) returns http_response language sql
return http(('POST', uri, null, 'application/x-www-form-urlencoded', data::text)::http_request);
create function http_put(uri varchar, content varchar, content_type varchar) returns http_response language sql
return http(('PUT', uri, null, content_type, content)::http_request);
create function http_patch(uri varchar, content varchar, content_type varchar) returns http_response language sql
return http(('PATCH', uri, null, content_type, content)::http_request);

create function http_header(field varchar, value varchar) returns http_header immutable language sql
return (field, value)::http_header;
create function http_set_curlopt(curlopt varchar, value varchar) returns boolean language sql
return true;
create function http_reset_curlopt() returns boolean language sql
return true;
create function text_to_bytea(data text) returns bytea immutable strict language sql
return convert_to(data, getdatabaseencoding());
create function bytea_to_text(data bytea) returns text immutable strict language sql
return convert_from(data, getdatabaseencoding());

-- RFC 3986: letters, digits and -._~ stay, every other byte becomes %XX.
create function urlencode(data bytea) returns text immutable strict language sql
return (
  select coalesce(string_agg(case
    when convert_from(set_byte('\x20', 0, case when byte < 128 then byte else 32 end), 'UTF8') ~ '[A-Za-z0-9._~-]'
    then chr(byte) else '%' || upper(lpad(to_hex(byte), 2, '0')) end, '' order by i), '')
  from generate_series(0, length(data) - 1) as i, lateral (select get_byte(data, i)) as each(byte)
);
create function urlencode(string varchar) returns text immutable strict language sql
return urlencode(convert_to(string, 'UTF8'));
create function urlencode(data jsonb) returns text immutable strict language sql
return (
  select coalesce(string_agg(urlencode(convert_to(each.key, 'UTF8')) || '=' || urlencode(convert_to(each.value, 'UTF8')),
    '&'), '')
  from jsonb_each_text(data) as each
);
do $$ begin raise warning 'http here is the stand-in of local mode: a request raises an error'; end $$;
