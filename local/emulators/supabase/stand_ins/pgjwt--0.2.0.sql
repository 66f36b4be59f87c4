-- Stand-in for pgjwt: JSON Web Tokens (RFC 7519) with HS256, HS384 and HS512.
create function @extschema@.url_encode(data bytea) returns text immutable language sql as $$
  select translate(encode(data, 'base64'), E'+/=\n', '-_')
$$;
create function @extschema@.url_decode(data text) returns bytea immutable language sql as $$
  select decode(rpad(translate(data, '-_', '+/'), (length(data) + 3) / 4 * 4, '='), 'base64')
$$;
create function @extschema@.algorithm_sign(signables text, secret text, algorithm text) returns text
immutable language sql as $$
  select @extschema@.url_encode(@extschema:pgcrypto@.hmac(signables, secret,
    case algorithm when 'HS256' then 'sha256' when 'HS384' then 'sha384' when 'HS512' then 'sha512' else '' end))
$$;
create function @extschema@.sign(payload json, secret text, algorithm text default 'HS256') returns text
immutable language sql as $$
  select signables || '.' || @extschema@.algorithm_sign(signables, secret, algorithm)
  from (select @extschema@.url_encode(convert_to('{"alg":"' || algorithm || '","typ":"JWT"}', 'UTF8')) || '.'
    || @extschema@.url_encode(convert_to(payload::text, 'UTF8'))) as each(signables)
$$;
create function @extschema@.try_cast_double(inp text) returns double precision immutable language sql as $$
  select case when pg_input_is_valid(inp, 'double precision') then inp::double precision end
$$;
create function @extschema@.verify(token text, secret text, algorithm text default 'HS256')
returns table (header json, payload json, valid boolean) language sql stable as $$
  select convert_from(@extschema@.url_decode(parts[1]), 'UTF8')::json, claims,
    parts[3] = @extschema@.algorithm_sign(parts[1] || '.' || parts[2], secret, algorithm)
    and tstzrange(to_timestamp(@extschema@.try_cast_double(claims ->> 'nbf')),
      to_timestamp(@extschema@.try_cast_double(claims ->> 'exp'))) @> current_timestamp
  from string_to_array(token, '.') as parts,
    lateral (select convert_from(@extschema@.url_decode(parts[2]), 'UTF8')::json) as each(claims)
$$;
do $$
begin
  raise warning 'pgjwt here is the stand-in of local mode; hosted projects on Postgres 17 do not offer pgjwt';
end
$$;
