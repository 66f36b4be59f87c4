-- What pgschema/baseline.py needs inside its transaction: old tables move to the schema before_baseline, and
-- their rows are copied into tables of ours. Nothing old is changed or deleted.

-- What would go on reading or pointing at the old tables after they have moved.
create or replace function pg_temp.dependents(tables text[]) returns table (dependent text) language sql as $$
  with old as (select to_regclass(format('public.%I', name))::oid as oid from unnest(tables) name)
  select format('%s (foreign key %s)', c.conrelid::regclass, c.conname) from pg_constraint c
  where c.contype = 'f' and c.confrelid in (table old) and c.conrelid not in (select oid from old where oid is not null)
  union
  select format('%s (view)', r.ev_class::regclass) from pg_depend d join pg_rewrite r on r.oid = d.objid
  where d.classid = 'pg_rewrite'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjid in (table old)
    and r.ev_class <> d.refobjid
$$;

create or replace function pg_temp.move(tables text[]) returns void language plpgsql as $$
declare
  name text;
begin
  create schema before_baseline;
  revoke all on schema before_baseline from public, anon, authenticated, service_role;
  -- whole: the row stayed behind; otherwise it was carried without the value of one column.
  create table before_baseline.left_behind (relation text not null, id text, whole boolean not null,
    subject text not null, reason text not null, value text);
  create table before_baseline.schema_migrations as table supabase_migrations.schema_migrations;
  delete from supabase_migrations.schema_migrations;
  foreach name in array tables loop
    execute format('alter table if exists public.%I set schema before_baseline', name);
  end loop;
end
$$;

-- Each column of ours that something old fills: by the expression given for it, or by the old column of its name, in
-- snake_case or camelCase. `source` is that over the old row, `expression` the same in our column's type: with our
-- default for a null where we take none, and null for a reference to what the organization does not have.
create or replace function pg_temp.sources(tab text, given jsonb)
returns table (attnum smallint, name text, source text, expression text, reference boolean) language sql as $$
  with plain as (
    select a.attnum, a.attname::text as name, a.attnotnull as required, found.source,
      case when a.attnotnull and d.oid is not null then 'coalesce(' || typed.text || ', '
        || pg_get_expr(d.adbin, d.adrelid) || ')' else typed.text end as expression
    from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    cross join lateral (
      select coalesce(given ->> a.attname, (
        select format('o.%I', old.attname) from pg_attribute old
        where old.attrelid = to_regclass(format('before_baseline.%I', tab)) and old.attnum > 0
          and lower(regexp_replace(old.attname, '([a-z0-9])([A-Z])', '\1_\2', 'g')) = a.attname
        order by old.attname = a.attname desc limit 1)) as source
    ) found
    cross join lateral (select format('(%s)::%s', found.source, format_type(a.atttypid, a.atttypmod)) as text) typed
    where a.attrelid = format('public.%I', tab)::regclass and a.attnum > 0 and found.source is not null
  ),
  reference as (
    -- Organization first, then what is pointed at: only that one may be emptied.
    select c.conkey[cardinality(c.conkey)] as attnum, format('exists (select from %s r where %s)', c.confrelid::regclass,
      (select string_agg(format('r.%I = %s', far.attname, near.expression), ' and ')
        from unnest(c.conkey, c.confkey) as k(near, far) join plain near on near.attnum = k.near
        join pg_attribute far on far.attrelid = c.confrelid and far.attnum = k.far)) as condition
    from pg_constraint c where c.contype = 'f' and c.conrelid = format('public.%I', tab)::regclass
  )
  select p.attnum, p.name, p.source,
    coalesce('case when ' || r.condition || ' then ' || p.expression || ' end', p.expression), r.condition is not null
  from plain p left join reference r on r.attnum = p.attnum and not p.required
$$;

-- Runs a command over rows lo to hi. Where that fails for the data's sake, halves find the rows that do not fit.
create or replace function pg_temp.carry_range(tab text, command text, lo bigint, hi bigint) returns bigint language plpgsql as $$
declare
  touched bigint := 0; middle bigint := (lo + hi) / 2; subject text; part text;
begin
  if lo <= hi then
    execute command using lo, hi;
    get diagnostics touched = row_count;
  end if;
  return touched;
exception when integrity_constraint_violation or data_exception then
  if lo < hi then
    return pg_temp.carry_range(tab, command, lo, middle) + pg_temp.carry_range(tab, command, middle + 1, hi);
  end if;
  get stacked diagnostics subject = constraint_name, part = column_name;
  insert into before_baseline.left_behind (relation, id, whole, subject, reason)
    select tab, carry_id, true, coalesce(nullif(subject, ''), nullif(part, ''), 'SQLSTATE ' || sqlstate), sqlerrm
    from carrying where carry_n = lo;
  return 0;
end
$$;

-- Copies a table's rows, or again those that stayed behind, and answers how many there were and how many were copied.
create or replace function pg_temp.carry(tab text, given jsonb, again boolean, out rows bigint, out carried bigint)
language plpgsql as $$
declare
  names text; expressions text; id text; each record;
begin
  select string_agg(format('%I', name), ', ' order by attnum), string_agg(s.expression, E',\n' order by attnum),
    max(source) filter (where name = 'id')
  into names, expressions, id from pg_temp.sources(tab, given) s;
  if id is null then
    raise exception '% has no column for id', tab;
  end if;
  create temporary table carrying (carry_n bigint primary key, carry_id text, carry_place tid) on commit drop;
  execute format('insert into carrying select row_number() over (), (%s)::text, o.ctid from before_baseline.%I o'
    || ' where not $1 or (%1$s)::text in (select id from before_baseline.left_behind where whole and relation = $2)',
    id, tab) using again, tab;
  get diagnostics rows = row_count;
  analyze carrying;
  delete from before_baseline.left_behind where whole and relation = tab;
  carried := pg_temp.carry_range(tab, format('insert into public.%I (%s) select %s from before_baseline.%1$I o'
    || ' join carrying on o.ctid = carry_place where carry_n between $1 and $2', tab, names, expressions), 1, rows);
  for each in select * from pg_temp.sources(tab, given) where reference loop
    execute format('insert into before_baseline.left_behind select %L, carry_id, false, %L, %L, (%s)::text'
      || ' from before_baseline.%I o join carrying on o.ctid = carry_place join public.%5$I t on t.id::text = lower(carry_id)'
      || ' where t.%2$I is null and (%4$s) is not null',
      tab, each.name, 'points at no row of its organization', each.source, tab);
  end loop;
  drop table carrying;
end
$$;

-- Old columns that nothing of ours is filled from, with the number of values they hold.
create or replace function pg_temp.unused(tab text, given jsonb) returns table (name text, filled bigint) language plpgsql as $$
begin
  for name in
    select old.attname from pg_attribute old
    where old.attrelid = format('before_baseline.%I', tab)::regclass and old.attnum > 0 and not old.attisdropped
      and not exists (select from pg_temp.sources(tab, given) s where s.source ~ ('\m' || old.attname || '\M'))
    order by old.attnum
  loop
    execute format('select count(%I) from before_baseline.%I', name, tab) into filled;
    return next;
  end loop;
end
$$;
