-- Stand-in for uuid-ossp. Functions that call each other have bodies of the SQL standard, which are bound when they
-- are created, so that `alter extension ... set schema` works.
{sha1}

create function uuid_nil() returns uuid immutable strict parallel safe language sql
return '00000000-0000-0000-0000-000000000000'::uuid;
create function uuid_ns_dns() returns uuid immutable strict parallel safe language sql
return '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid;
create function uuid_ns_url() returns uuid immutable strict parallel safe language sql
return '6ba7b811-9dad-11d1-80b4-00c04fd430c8'::uuid;
create function uuid_ns_oid() returns uuid immutable strict parallel safe language sql
return '6ba7b812-9dad-11d1-80b4-00c04fd430c8'::uuid;
create function uuid_ns_x500() returns uuid immutable strict parallel safe language sql
return '6ba7b814-9dad-11d1-80b4-00c04fd430c8'::uuid;

create function uuid_generate_v4() returns uuid volatile strict parallel safe language sql
return gen_random_uuid();

-- RFC 9562, section 5.1: 100 ns since 1582-10-15, then clock sequence and node, both random, the multicast bit set.
create function uuid_generate_v1mc() returns uuid volatile strict parallel safe language plpgsql as $$
declare
  ticks bigint := (extract(epoch from clock_timestamp()) * 10000000)::bigint + 122192928000000000;
  digits text := lpad(to_hex(ticks), 16, '0');
  tail bytea := substr(uuid_send(gen_random_uuid()), 9);
begin
  tail := set_byte(tail, 2, get_byte(tail, 2) | 1);
  return (substr(digits, 9, 8) || substr(digits, 5, 4) || '1' || substr(digits, 2, 3) || encode(tail, 'hex'))::uuid;
end
$$;
create function uuid_generate_v1() returns uuid volatile strict parallel safe language sql
return uuid_generate_v1mc();

-- RFC 9562, section 5.3 and 5.5: the first 16 bytes of a digest, with version and variant written into them.
create function uuid_generate_v3(namespace uuid, name text) returns uuid immutable strict parallel safe language sql
return (
  select encode(set_byte(set_byte(d, 6, get_byte(d, 6) & 15 | 48), 8, get_byte(d, 8) & 63 | 128), 'hex')::uuid
  from decode(md5(uuid_send(namespace) || convert_to(name, 'UTF8')), 'hex') as d
);
create function uuid_generate_v5(namespace uuid, name text) returns uuid immutable strict parallel safe language sql
return (
  select encode(set_byte(set_byte(d, 6, get_byte(d, 6) & 15 | 80), 8, get_byte(d, 8) & 63 | 128), 'hex')::uuid
  from substr(uuid_ossp_sha1(uuid_send(namespace) || convert_to(name, 'UTF8')), 1, 16) as d
);
