-- What the isolation check needs inside its savepoint, which is always rolled back.

-- A query for the candidates of a column, `pool`, that its type and its checks accept, in their order.
create function pg_temp.accepted(fact jsonb, pool text) returns text language sql as $$
  -- Without a use of the value, the plan would leave out the cast that tells whether it is one.
  select format('select %1$L as name, to_jsonb(array(select v from (select v as "isolation v", v::%2$s as %3$I, v, n'
    || ' from jsonb_array_elements_text(%4$s) with ordinality u(v, n)) s where %3$I::text is not null and %5$s'
    || ' order by n)) as found', fact ->> 'name', fact ->> 'type', fact ->> 'name', pool, coalesce((
      select string_agg(format('(%s) is not false', each), ' and ')
      from jsonb_array_elements_text(fact -> 'checks') each), 'true'))
$$;

-- The candidates of a column that fit. A condition that fails on one takes only that one away.
create function pg_temp.fitting(fact jsonb) returns jsonb language plpgsql as $$
declare
  query text := format('select found from (%s) s', pg_temp.accepted(fact, '$1'));
  found jsonb := '[]'; one jsonb; candidate jsonb;
begin
  begin
    execute query into found using fact -> 'pool';
    return found;
  exception
  when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
  when others then
    found := '[]';
  end;
  for candidate in select jsonb_array_elements(fact -> 'pool') loop
    begin
      execute query into one using jsonb_build_array(candidate);
      found := found || one;
    exception
    when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
    when others then
      null;  -- this one does not fit
    end;
  end loop;
  return found;
end
$$;

-- The candidates that fit of all columns of a table, in one query where nothing fails: {column: candidates}.
create function pg_temp.fitting_columns(facts jsonb) returns jsonb language plpgsql as $$
declare
  found jsonb;
begin
  execute (
    select format('select jsonb_object_agg(name, found) from (%s) s', string_agg(
      pg_temp.accepted(fact, format('$1 -> %s -> %L', at - 1, 'pool')), ' union all '))
    from jsonb_array_elements(facts) with ordinality f(fact, at)
  ) into found using facts;
  return found;
exception
when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
when others then
  return (select jsonb_object_agg(fact ->> 'name', pg_temp.fitting(fact)) from jsonb_array_elements(facts) fact);
end
$$;

-- Values of several columns that satisfy the checks they share, or null where none of the candidates do.
create function pg_temp.together(names text[], kinds jsonb, pools jsonb, checks jsonb) returns jsonb
language plpgsql as $$
declare
  found jsonb;
begin
  execute (
    select format('select jsonb_build_object(%s) from (select %s from %s) s where %s limit 1',
      string_agg(format('%L, %I', name, 'text of ' || name), ', '),
      string_agg(format('u%1$s.v as %2$I, u%1$s.v::%3$s as %4$I', at, 'text of ' || name, kinds ->> name, name), ', '),
      string_agg(format('jsonb_array_elements_text(%L) u%s(v)', pools -> name, at), ', '),
      (select string_agg(format('(%s) is not false', each), ' and ') from jsonb_array_elements_text(checks) each))
    from unnest(names) with ordinality n(name, at)
  ) into found;
  return found;
exception
when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
when others then
  return null;
end
$$;

-- For each table: which candidates fit, and which fit together in each variant of a row.
create function pg_temp.solve(questions jsonb) returns jsonb language plpgsql as $$
declare
  question jsonb; part jsonb; columns jsonb := '{}'; rows jsonb := '{}'; kinds jsonb; pools jsonb; fitting jsonb;
  place text; name text; pool jsonb;
begin
  for question in select jsonb_array_elements(questions) loop
    fitting := pg_temp.fitting_columns(question -> 'columns');
    kinds := (select jsonb_object_agg(fact ->> 'name', fact -> 'type') from jsonb_array_elements(question -> 'columns') fact);
    columns := columns || (select jsonb_object_agg((question ->> 'relation') || '.' || key, value) from jsonb_each(fitting));
    for part in select jsonb_array_elements(question -> 'rows') loop
      pools := '{}';
      for name in select jsonb_array_elements_text(part -> 'columns') loop
        pool := coalesce((select jsonb_agg(v) from (select v
          from jsonb_array_elements(fitting -> name) v limit 8) few), '[]');
        if part -> 'pinned' ? name then
          pool := jsonb_build_array(part -> 'pinned' -> name);
        elsif part -> 'loose' ? name then
          pool := case when (part -> 'loose' -> name)::boolean then '[null]' || pool else pool || '[null]' end;
        end if;
        pools := pools || jsonb_build_object(name, pool);
      end loop;
      place := question ->> 'relation' || '.' || (part ->> 'variant');
      rows := rows || jsonb_build_object(place, coalesce(rows -> place, '{}') || coalesce(pg_temp.together(
        array(select jsonb_array_elements_text(part -> 'columns')), kinds, pools, part -> 'checks'), '{}'));
    end loop;
  end loop;
  return jsonb_build_object('columns', columns, 'rows', rows);
end
$$;

-- Makes rows in batches: with the one statement that makes them all, else one by one. Answers for each row what was
-- made, or why it could not be, and which of its statements was the last.
create function pg_temp.plant(plan jsonb) returns table (outcome text, made jsonb, turn integer) language plpgsql as $$
declare
  batch jsonb; statements jsonb; rows jsonb;
begin
  set constraints all deferred;
  for batch in select jsonb_array_elements(plan) loop
    rows := pg_temp.made_together(batch ->> 'together', jsonb_array_length(batch -> 'each'));
    if rows is not null then
      return query select '', row, 1 from jsonb_array_elements(rows) row;
      continue;
    end if;
    for statements in select jsonb_array_elements(batch -> 'each') loop
      return query select * from pg_temp.made_first(statements);
    end loop;
  end loop;
end
$$;

-- The rows that one statement makes, or null where it fails or does not make all.
create function pg_temp.made_together(statement text, expected integer) returns jsonb language plpgsql as $$
declare
  rows jsonb;
begin
  if statement is null then
    return null;
  end if;
  execute statement into rows;
  if jsonb_array_length(rows) is distinct from expected then
    raise exception using errcode = 'ROWS0';
  end if;
  return rows;
exception
when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
when others then
  return null;
end
$$;

-- Of the statements that may make a row, the first that works.
create function pg_temp.made_first(statements jsonb, out outcome text, out made jsonb, out turn integer)
language plpgsql as $$
declare
  statement text; named text;
begin
  outcome := '';
  turn := 0;
  for statement in select jsonb_array_elements_text(statements) loop
    turn := turn + 1;
    begin
      execute statement into made;
      if made is not null then
        outcome := '';
        exit;
      end if;
    exception
    when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
    when others then
      -- A name is enough: details hold values.
      get stacked diagnostics named = constraint_name;
      if turn = 1 then
        outcome := concat_ws(' ', sqlstate, nullif(named, ''));
      end if;
    end;
  end loop;
end
$$;

-- Statements that prepare the ground, each in its turn; answers the SQLSTATE of those that failed.
create function pg_temp.prepare(statements jsonb) returns setof text language plpgsql as $$
declare
  statement text;
begin
  for statement in select jsonb_array_elements_text(statements) loop
    begin
      execute statement;
      return next '';
    exception
    when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
    when others then
      return next sqlstate;
    end;
  end loop;
end
$$;

-- An account as signing up makes it, claiming what it likes. Where accounts cannot be made, the triggers that signing
-- up fires are fired by a copy of the table.
create function pg_temp.sign_up(account uuid, claims jsonb) returns jsonb language plpgsql as $$
declare
  named text; calls text;
begin
  insert into auth.users (id, email, raw_user_meta_data) values (account, 'x@isolation.invalid', claims);
  return '{}';
exception when insufficient_privilege then
  create temporary table signed_up (like auth.users);
  for named, calls in
    select t.tgname, format('%s row execute function %s()', case when t.tgtype & 2 > 0 then 'before' else 'after' end
      || ' insert on pg_temp.signed_up for each', t.tgfoid::regproc)
    from pg_catalog.pg_trigger t
    where t.tgrelid = 'auth.users'::regclass and not t.tgisinternal and t.tgtype & 5 = 5 and t.tgenabled in ('O', 'A')
      and t.tgnargs = 0
  loop
    execute format('create trigger %I %s', named, calls);
  end loop;
  insert into pg_temp.signed_up (id, email, raw_user_meta_data, is_sso_user, is_anonymous)
    values (account, 'x@isolation.invalid', claims, false, false);
  return '{}';
end
$$;

-- Tables that need an account at once take it at the end of the transaction. Only where this transaction, which made
-- the table, holds its lock already: nobody waits for that.
create function pg_temp.loosen(relation regclass, named text, anyhow boolean) returns void language plpgsql as $$
begin
  if anyhow or exists (select from pg_catalog.pg_locks l where l.pid = pg_backend_pid() and l.relation = loosen.relation
      and l.mode = 'AccessExclusiveLock' and l.granted) then
    execute format('alter table %s alter constraint %I deferrable initially deferred', relation, named);
  end if;
exception
when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
when others then
  null;  -- the rows then fail by name
end
$$;

-- As a condition: lets a statement reach so many rows and fails at the next. Naming no column, it keeps the SELECT
-- policies out of an UPDATE or DELETE, as a request without a filter does, and it stops before harm is done.
create function pg_temp.tripwire(allowed integer) returns boolean language plpgsql volatile as $$
begin
  perform set_config('isolation.rows', (current_setting('isolation.rows')::integer + 1)::text, true);
  if current_setting('isolation.rows')::integer > allowed then
    raise exception using errcode = 'LEAK0';
  end if;
  return true;
end
$$;

-- Default privileges may keep it from those who attack, and a refused tripwire would count as a refused attack.
grant execute on function pg_temp.tripwire(integer) to public;

-- Makes pg_temp.state(number), whose queries have no parameter, so that they keep their plans for all attempts. It
-- answers the digests of the rows that each organization of the check but `isolation.own` has in one of the tables
-- watched, {organization: digest}; with 0, the digest of the members.
create function pg_temp.watch(watched jsonb, organizations uuid[], members text) returns void language plpgsql as $$
declare
  cases text;
begin
  select string_agg(format('when %1$s then return (select jsonb_object_agg(o, d) from (select %2$s::text as o,'
      || ' md5(string_agg(t::text, chr(10) order by t::text)) as d'
      || ' from %3$s t where %2$s = any (%4$L::%5$s[])'
      || ' and %2$s::text <> current_setting(''isolation.own'') group by 1) s);',
      at, fact ->> 'tenant', fact ->> 'name', organizations, fact ->> 'type'), chr(10))
    into cases from jsonb_array_elements(watched) with ordinality w(fact, at);
  execute format('create function pg_temp.state(integer) returns jsonb language plpgsql as %L', format(
    '#variable_conflict use_column%sbegin case $1 when 0 then return to_jsonb((%s)); %s end case; end',
    chr(10), coalesce(members, 'select null::text'), cases));
end
$$;

-- How many rows satisfy a condition each: {id: number}.
create function pg_temp.count_rows(conditions jsonb) returns jsonb language plpgsql as $$
declare
  each jsonb; found bigint; answer jsonb := '{}';
begin
  for each in select jsonb_array_elements(conditions) loop
    execute format('select count(*) from %s where %s', each ->> 'name', each ->> 'condition') into found;
    answer := answer || jsonb_build_object(each ->> 'id', found);
  end loop;
  return answer;
end
$$;

-- How many rows this transaction wrote, also where it was undone, by table.
create function pg_temp.written(tables oid[]) returns bigint[] language plpgsql as $$
begin
  return array(select pg_stat_get_xact_tuples_inserted(id) + pg_stat_get_xact_tuples_updated(id)
    + pg_stat_get_xact_tuples_deleted(id) from unnest(tables) with ordinality w(id, at) order by at);
end
$$;

-- Raises where a row of an organization other than `own` is not what it was before the attempt.
create function pg_temp.compare(tables oid[], names text[], written bigint[], before jsonb[], own text) returns void
language plpgsql as $$
declare
  counts bigint[] := pg_temp.written(tables);
begin
  perform set_config('isolation.own', own, true);
  for at in 1 .. cardinality(tables) loop
    if written[at] <> counts[at] and pg_temp.state(at) is distinct from nullif(before[at] - own, '{}') then
      raise exception using errcode = 'ROWS0', message = 'changed ' || names[at];
    end if;
  end loop;
end
$$;

-- Runs one statement as a role and undoes it. Answers the number of rows, the SQLSTATE, or
-- `changed <table>` where a row of an organization other than `own` is not what it was, in one of the tables watched,
-- or `changed members`.
create function pg_temp.attack(as_role text, statement text, read_only boolean, immediate text,
  tables oid[], names text[], before jsonb[], own text, members jsonb) returns text language plpgsql as $$
declare
  touched bigint; role_before text := current_setting('role'); written bigint[];
begin
  if tables is not null then
    written := pg_temp.written(tables);
  end if;
  perform set_config('isolation.rows', '0', true);
  if read_only then
    perform set_config('transaction_read_only', 'on', true);
  end if;
  if immediate is not null then
    execute 'set constraints ' || immediate || ' immediate';
  end if;
  perform set_config('role', as_role, true);
  execute statement;
  get diagnostics touched = row_count;
  if tables is not null then
    perform set_config('role', role_before, true);
    perform pg_temp.compare(tables, names, written, before, own);
    if members is not null and pg_temp.state(0) is distinct from members then
      raise exception using errcode = 'ROWS0', message = 'changed members';
    end if;
  end if;
  raise exception using errcode = 'ROWS0', message = touched::text;
exception
when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
when others then
  return case when sqlstate = 'ROWS0' then sqlerrm else sqlstate end;
end
$$;

-- Runs attacks in turn. Each is {actor, statement, read_only, own, watch, keeps, right, enough}; actors are {role,
-- settings}, and `enough` numbers a list of outcomes. Of attempts at one right those after the first that is enough are
-- left out, with an empty outcome.
create function pg_temp.run(actors jsonb, attacks jsonb, enough jsonb, watched jsonb)
returns setof text language plpgsql as $$
declare
  each record; before jsonb[]; known jsonb; kept integer := -1; outcome text; acting integer := -1;
  tables oid[] := array(select (fact ->> 'id')::oid from jsonb_array_elements(watched) fact);
  names text[] := array(select fact ->> 'name' from jsonb_array_elements(watched) fact);
begin
  if jsonb_path_exists(attacks, '$[*] ? (@.watch == true)') then
    perform set_config('isolation.own', '', true);
    before := array(select pg_temp.state(at) from generate_subscripts(tables, 1) at);
    known := pg_temp.state(0);
  end if;
  for each in select * from jsonb_to_recordset(attacks) a(actor integer, statement text, read_only boolean, own text,
    watch boolean, keeps boolean, immediate text, enough integer, "right" integer)
  loop
    if each.right = kept then
      return next '';
      continue;
    end if;
    if each.actor <> acting then
      acting := each.actor;
      perform set_config(key, value, true) from jsonb_each_text(actors -> acting -> 'settings');
    end if;
    outcome := pg_temp.attack(actors -> acting ->> 'role', each.statement, each.read_only, each.immediate,
      case when each.watch then tables end, names, before, each.own, case when each.keeps then known end);
    if enough -> each.enough ? outcome then
      kept := each.right;
    end if;
    return next outcome;
  end loop;
end
$$;

-- What each query answers, read-only: a digest with the number of rows, or the SQLSTATE.
create function pg_temp.observe(actors jsonb, queries jsonb) returns setof text language plpgsql as $$
declare
  each jsonb; actor jsonb; answer text;
begin
  for each in select jsonb_array_elements(queries) loop
    actor := actors -> (each ->> 'actor')::integer;
    begin
      perform set_config(key, value, true) from jsonb_each_text(actor -> 'settings');
      perform set_config('transaction_read_only', 'on', true), set_config('role', actor ->> 'role', true);
      execute format('select count(v) || '' '' || coalesce(md5(string_agg(v, chr(10) order by v)), '''') from (%s) s(v)',
        each ->> 'statement') into answer;
      raise exception using errcode = 'ROWS0', message = answer;
    exception
    when lock_not_available or deadlock_detected then raise;  -- which says nothing about isolation
    when others then
      answer := case when sqlstate = 'ROWS0' then sqlerrm else sqlstate end;
    end;
    return next answer;
  end loop;
end
$$;
