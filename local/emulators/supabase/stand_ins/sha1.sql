-- SHA-1 (FIPS 180-4), which Postgres itself does not have. {prefix} is the extension that includes this file.
create function {prefix}_sha1(data bytea) returns bytea
language plpgsql immutable strict parallel safe as $$
declare
  mask constant bigint := 4294967295;
  state bigint[] := array[1732584193, 4023233417, 2562383102, 271733878, 3285377520];
  padding int := (119 - length(data) % 64) % 64;
  message bytea := data || '\x80'::bytea || decode(repeat('00', padding), 'hex') || int8send(length(data) * 8::bigint);
  word bigint[];
  a bigint; b bigint; c bigint; d bigint; e bigint;
  mixed bigint;
  rotated bigint;
begin
  for block in 0 .. length(message) / 64 - 1 loop
    for i in 1 .. 16 loop
      word[i] := ('x' || encode(substr(message, block * 64 + i * 4 - 3, 4), 'hex'))::bit(32)::bigint;
    end loop;
    for i in 17 .. 80 loop
      mixed := word[i - 3] # word[i - 8] # word[i - 14] # word[i - 16];
      word[i] := (mixed << 1 & mask) | (mixed >> 31);
    end loop;
    a := state[1]; b := state[2]; c := state[3]; d := state[4]; e := state[5];
    for i in 1 .. 80 loop
      mixed := case
        when i <= 20 then ((b & c) | ((b # mask) & d)) + 1518500249
        when i <= 40 then (b # c # d) + 1859775393
        when i <= 60 then ((b & c) | (b & d) | (c & d)) + 2400959708
        else (b # c # d) + 3395469782
      end;
      rotated := (a << 5 & mask) | (a >> 27);
      mixed := (rotated + mixed + e + word[i]) & mask;
      e := d; d := c; c := (b << 30 & mask) | (b >> 2); b := a; a := mixed;
    end loop;
    state[1] := (state[1] + a) & mask;
    state[2] := (state[2] + b) & mask;
    state[3] := (state[3] + c) & mask;
    state[4] := (state[4] + d) & mask;
    state[5] := (state[5] + e) & mask;
  end loop;
  return (select string_agg(substr(int8send(part), 5), ''::bytea order by place)
    from unnest(state) with ordinality as each(part, place));
end
$$;
