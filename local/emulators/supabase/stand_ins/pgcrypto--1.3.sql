-- Stand-in for pgcrypto, which needs OpenSSL. Functions that call each other have bodies of the SQL standard, which
-- are bound when they are created, so that `alter extension ... set schema` works.
{sha1}

-- Volatile, or the planner would call it for a branch that is never taken.
create function pgcrypto_lacks(what text) returns bytea volatile parallel safe language plpgsql as $$
begin
  raise exception 'local mode''s stand-in for pgcrypto cannot do %', what using
    errcode = 'feature_not_supported',
    hint = 'Point DATABASE_URL at a server that has the real extension.';
end
$$;

create function digest(data bytea, type text) returns bytea immutable strict parallel safe language sql
return case lower(type)
  when 'md5' then decode(md5(data), 'hex')
  when 'sha1' then pgcrypto_sha1(data)
  when 'sha224' then sha224(data)
  when 'sha256' then sha256(data)
  when 'sha384' then sha384(data)
  when 'sha512' then sha512(data)
  else pgcrypto_lacks('digest ' || type)
end;
create function digest(data text, type text) returns bytea immutable strict parallel safe language sql
return digest(convert_to(data, getdatabaseencoding()), type);

-- RFC 2104. SHA-384 and SHA-512 work on blocks of 128 bytes, the others of 64.
create function hmac(data bytea, key bytea, type text) returns bytea immutable strict parallel safe language sql
return (
  with block as (select case when lower(type) in ('sha384', 'sha512') then 128 else 64 end as size),
  short as (select size, case when length(key) > size then digest(key, type) else key end as short from block),
  padded as (select size, short || decode(repeat('00', size - length(short)), 'hex') as full_key from short),
  pads as (
    select string_agg(set_byte('\x00', 0, get_byte(full_key, i) # 54), ''::bytea order by i) as inner_pad,
      string_agg(set_byte('\x00', 0, get_byte(full_key, i) # 92), ''::bytea order by i) as outer_pad
    from padded, generate_series(0, size - 1) as i
  )
  select digest(outer_pad || digest(inner_pad || data, type), type) from pads
);
create function hmac(data text, key text, type text) returns bytea immutable strict parallel safe language sql
return hmac(convert_to(data, getdatabaseencoding()), convert_to(key, getdatabaseencoding()), type);

create function gen_random_uuid() returns uuid volatile parallel safe language sql
return pg_catalog.gen_random_uuid();

create function gen_random_bytes(count int) returns bytea volatile strict parallel safe language plpgsql as $$
declare
  found bytea := '';
begin
  if count < 1 or count > 1024 then
    raise exception 'Length not in range' using errcode = 'external_routine_invocation_exception';
  end if;
  while length(found) < count loop
    found := found || sha256(uuid_send(pg_catalog.gen_random_uuid()) || uuid_send(pg_catalog.gen_random_uuid()));
  end loop;
  return substr(found, 1, count);
end
$$;

-- Salts: 22 characters for bf, 8 for md5, in the alphabets of crypt(3).
create function gen_salt(type text, iter_count int) returns text volatile strict parallel safe language plpgsql as $$
declare
  random bytea := uuid_send(pg_catalog.gen_random_uuid()) || uuid_send(pg_catalog.gen_random_uuid());
  standard constant text := 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  bcrypt constant text := './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  salt text := translate(encode(substr(sha256(random), 1, 16), 'base64'), standard, bcrypt);
begin
  case lower(type)
    when 'bf' then
      if iter_count not between 4 and 31 then
        raise exception 'gen_salt: Incorrect number of rounds' using errcode = 'invalid_parameter_value';
      end if;
      return '$2a$' || lpad(iter_count::text, 2, '0') || '$' || substr(salt, 1, 22);
    when 'md5' then
      return '$1$' || substr(salt, 1, 8);
    else
      raise exception 'local mode''s stand-in for pgcrypto cannot do gen_salt(''%'')', type using
        errcode = 'feature_not_supported', hint = 'It knows bf and md5.';
  end case;
end
$$;
create function gen_salt(type text) returns text volatile strict parallel safe language sql
return gen_salt(type, 6);

-- MD5-crypt, as Poul-Henning Kamp's for FreeBSD: 1000 rounds.
create function pgcrypto_md5(password bytea, setting text) returns text
immutable strict parallel safe language plpgsql as $$
declare
  alphabet constant text := './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  orders constant int[] := array[0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, -1, -1, 11];
  plain text := substr(split_part(setting, '$', 3), 1, 8);
  salt bytea := convert_to(plain, 'UTF8');
  other bytea := decode(md5(password || salt || password), 'hex');
  mixed bytea := password || '\x243124'::bytea || salt;
  sum bytea;
  rest int := length(password);
  value int;
  answer text := '';
begin
  mixed := mixed || substr(decode(repeat(encode(other, 'hex'), rest / 16 + 1), 'hex'), 1, rest);
  while rest > 0 loop
    mixed := mixed || case when rest & 1 = 1 or length(password) = 0 then '\x00'::bytea else substr(password, 1, 1) end;
    rest := rest >> 1;
  end loop;
  sum := decode(md5(mixed), 'hex');
  for i in 0 .. 999 loop
    mixed := case when i & 1 = 1 then password else sum end;
    mixed := mixed || case when i % 3 <> 0 then salt else '' end || case when i % 7 <> 0 then password else '' end;
    sum := decode(md5(mixed || case when i & 1 = 1 then sum else password end), 'hex');
  end loop;
  for i in 0 .. 5 loop
    value := 0;
    for j in 1 .. 3 loop
      value := value << 8 | case when orders[i * 3 + j] < 0 then 0 else get_byte(sum, orders[i * 3 + j]) end;
    end loop;
    for j in 0 .. case when i = 5 then 1 else 3 end loop
      answer := answer || substr(alphabet, (value >> j * 6 & 63) + 1, 1);
    end loop;
  end loop;
  return '$1$' || plain || '$' || answer;
end
$$;

-- bcrypt, as Niels Provos and David Mazieres': `box` holds Blowfish's 18 subkeys and its 4 boxes of 256 words, which
-- begin as the fraction of pi. Cost 6 takes about a second, and each step more twice as long.
create function pgcrypto_bcrypt(password bytea, setting text) returns text
immutable strict parallel safe language plpgsql as $$
declare
  mask constant bigint := 4294967295;
  most constant int := 10;
  standard constant text := 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  bcrypt constant text := './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
  box bigint[] := array[{pi}];
  cost int := substr(setting, 5, 2);
  salt bytea := decode(translate(substr(setting, 8, 22), bcrypt, standard) || '==', 'base64');
  cycle bytea := substr(password || '\x00'::bytea, 1, 72);
  text_words bigint[] := array[1332899944, 1700884034, 1701343084, 1684370003, 1668446532, 1869963892];
  key bigint[];
  salt_words bigint[];
  words bigint[];
  l bigint;
  r bigint;
  last boolean := false;
  answer bytea;
begin
  if cost not between 4 and most then
    raise exception 'local mode''s stand-in for pgcrypto cannot do crypt with a bf cost of %', cost using
      errcode = 'feature_not_supported', hint = format('It takes costs from 4 to %s.', most);
  end if;
  cycle := decode(repeat(encode(cycle, 'hex'), 72 / length(cycle) + 1), 'hex');
  for i in 1 .. 18 loop
    key[i] := ('x' || encode(substr(cycle, i * 4 - 3, 4), 'hex'))::bit(32)::bigint;
    salt_words[i] := ('x' || encode(substr(salt, (i * 4 - 4) % 16 + 1, 4), 'hex'))::bit(32)::bigint;
  end loop;
  -- Once with key and salt, 2^cost times with the key and with the salt in turn, and at last the text 64 times.
  for phase in 0 .. 2 * (1 << cost) + 1 loop
    last := phase > 2 * (1 << cost);
    if not last then
      words := case when phase > 0 and phase % 2 = 0 then salt_words else key end;
      for i in 1 .. 18 loop
        box[i] := box[i] # words[i];
      end loop;
    end if;
    l := 0;
    r := 0;
    for i in 0 .. case when last then 191 else 520 end loop
      if last then
        l := text_words[i % 3 * 2 + 1];
        r := text_words[i % 3 * 2 + 2];
      elsif phase = 0 then
        l := l # salt_words[i * 2 % 4 + 1];
        r := r # salt_words[i * 2 % 4 + 2];
      end if;
      l := l # box[1];
      for round in 1 .. 8 loop
        r := r # box[round * 2] # (((box[19 + (l >> 24)] + box[275 + (l >> 16 & 255)] & mask)
          # box[531 + (l >> 8 & 255)]) + box[787 + (l & 255)] & mask);
        l := l # box[round * 2 + 1] # (((box[19 + (r >> 24)] + box[275 + (r >> 16 & 255)] & mask)
          # box[531 + (r >> 8 & 255)]) + box[787 + (r & 255)] & mask);
      end loop;
      r := r # box[18];
      if last then
        text_words[i % 3 * 2 + 1] := r;
        text_words[i % 3 * 2 + 2] := l;
      else
        box[i * 2 + 1] := r;
        box[i * 2 + 2] := l;
      end if;
      words := array[r];
      r := l;
      l := words[1];
    end loop;
  end loop;
  answer := (select string_agg(substr(int8send(word), 5), ''::bytea order by place)
    from unnest(text_words) with ordinality as each(word, place));
  return substr(setting, 1, 29) || substr(translate(encode(substr(answer, 1, 23), 'base64'), standard, bcrypt), 1, 31);
end
$$;

create function crypt(password text, salt text) returns text immutable strict parallel safe language sql
return case
  when salt ~ '^\$2a\$\d\d\$[./A-Za-z0-9]{22}' then pgcrypto_bcrypt(convert_to(password, getdatabaseencoding()), salt)
  when salt ~ '^\$1\$' then pgcrypto_md5(convert_to(password, getdatabaseencoding()), salt)
  else encode(pgcrypto_lacks('crypt with a salt that is neither bf ($2a$) nor md5 ($1$)'), 'hex')
end;

-- What needs a cipher exists, so that functions and views that name it can be made, and raises when it is called.
do $lacking$
declare
  signature text;
  result text;
begin
  for signature, result in values
    ('encrypt(data bytea, key bytea, type text)', 'bytea'),
    ('decrypt(data bytea, key bytea, type text)', 'bytea'),
    ('encrypt_iv(data bytea, key bytea, iv bytea, type text)', 'bytea'),
    ('decrypt_iv(data bytea, key bytea, iv bytea, type text)', 'bytea'),
    ('pgp_sym_encrypt(data text, psw text)', 'bytea'),
    ('pgp_sym_encrypt(data text, psw text, options text)', 'bytea'),
    ('pgp_sym_encrypt_bytea(data bytea, psw text)', 'bytea'),
    ('pgp_sym_encrypt_bytea(data bytea, psw text, options text)', 'bytea'),
    ('pgp_sym_decrypt(msg bytea, psw text)', 'text'),
    ('pgp_sym_decrypt(msg bytea, psw text, options text)', 'text'),
    ('pgp_sym_decrypt_bytea(msg bytea, psw text)', 'bytea'),
    ('pgp_sym_decrypt_bytea(msg bytea, psw text, options text)', 'bytea'),
    ('pgp_pub_encrypt(data text, key bytea)', 'bytea'),
    ('pgp_pub_encrypt(data text, key bytea, options text)', 'bytea'),
    ('pgp_pub_encrypt_bytea(data bytea, key bytea)', 'bytea'),
    ('pgp_pub_encrypt_bytea(data bytea, key bytea, options text)', 'bytea'),
    ('pgp_pub_decrypt(msg bytea, key bytea)', 'text'),
    ('pgp_pub_decrypt(msg bytea, key bytea, psw text)', 'text'),
    ('pgp_pub_decrypt(msg bytea, key bytea, psw text, options text)', 'text'),
    ('pgp_pub_decrypt_bytea(msg bytea, key bytea)', 'bytea'),
    ('pgp_pub_decrypt_bytea(msg bytea, key bytea, psw text)', 'bytea'),
    ('pgp_pub_decrypt_bytea(msg bytea, key bytea, psw text, options text)', 'bytea'),
    ('pgp_key_id(key bytea)', 'text'),
    ('armor(data bytea)', 'text'),
    ('armor(data bytea, keys text[], data_values text[])', 'text'),
    ('dearmor(data text)', 'bytea')
  loop
    execute format(
      'create function %s returns %s %s strict parallel safe language sql return %s',
      signature, result, case when signature like 'pgp%encrypt%' then 'volatile' else 'immutable' end,
      format(case result when 'text' then 'encode(pgcrypto_lacks(%L), ''hex'')' else 'pgcrypto_lacks(%L)' end,
        split_part(signature, '(', 1)));
  end loop;
end
$lacking$;
create function pgp_armor_headers(data text, out key text, out value text) returns setof record
immutable strict parallel safe language sql
begin atomic
  select null::text, null::text from pgcrypto_lacks('pgp_armor_headers');
end;
