-- Stand-in for pg_net: requests are rows, each with a response that says why nothing was sent.
create schema net;
create domain net.http_method as text check (value ilike 'get' or value ilike 'post' or value ilike 'delete');
create type net.request_status as enum ('PENDING', 'SUCCESS', 'ERROR');
create type net.http_response as (status_code int, headers jsonb, body text);
create type net.http_response_result as (status net.request_status, message text, response net.http_response);
create table net.http_request_queue (
  id bigserial,
  method net.http_method not null,
  url text not null,
  headers jsonb,
  body bytea,
  timeout_milliseconds int not null
);
create table net._http_response (
  id bigint,
  status_code int,
  content_type text,
  headers jsonb,
  content text,
  timed_out bool,
  error_msg text,
  created timestamptz not null default now()
);

create function net.store_request(
  method text, url text, params jsonb, headers jsonb, body bytea, timeout_milliseconds int
) returns bigint language plpgsql security definer set search_path = '' as $$
declare
  query text := (select string_agg(each.key || '=' || each.value, '&') from jsonb_each_text(params) as each);
  request bigint;
begin
  insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
  values (method, url || case when query is null then '' else '?' || query end, headers, body, timeout_milliseconds)
  returning id into request;
  insert into net._http_response (id, timed_out, error_msg) values (request, false, 'local mode sends no request');
  raise notice 'local mode''s stand-in for pg_net stores this request and does not send it';
  return request;
end
$$;

create function net.http_get(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000
) returns bigint language sql as $$
  select net.store_request('GET', url, params, headers, null, timeout_milliseconds)
$$;
create function net.http_delete(
  url text, params jsonb default '{}', headers jsonb default '{}', timeout_milliseconds int default 5000,
  body jsonb default null
) returns bigint language sql as $$
  select net.store_request('DELETE', url, params, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
$$;
create function net.http_post(
  url text, body jsonb default '{}', params jsonb default '{}',
  headers jsonb default '{"Content-Type": "application/json"}', timeout_milliseconds int default 5000
) returns bigint language sql as $$
  select net.store_request('POST', url, params, headers, convert_to(body::text, 'UTF8'), timeout_milliseconds)
$$;
create function net.http_collect_response(request_id bigint, async boolean default true)
returns net.http_response_result language sql security definer set search_path = '' as $$
  select ('ERROR', coalesce((select error_msg from net._http_response where id = request_id),
    'request matching request_id not found'), null)::net.http_response_result
$$;

grant usage on schema net to anon, authenticated, service_role, @extowner@;
grant all on all functions in schema net to anon, authenticated, service_role, @extowner@;
grant all on all tables in schema net to @extowner@;
do $$ begin raise warning 'pg_net here is the stand-in of local mode: it stores requests and sends none'; end $$;
