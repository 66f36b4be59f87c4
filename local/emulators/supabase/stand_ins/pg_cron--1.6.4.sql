-- Stand-in for pg_cron: jobs are rows, and nothing runs them.
create schema cron;
create sequence cron.jobid_seq;
create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport int not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);
create sequence cron.runid_seq;
create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid int,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);
alter table cron.job enable row level security;
alter table cron.job_run_details enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);
select pg_catalog.pg_extension_config_dump('cron.job', '');
select pg_catalog.pg_extension_config_dump('cron.jobid_seq', '');
select pg_catalog.pg_extension_config_dump('cron.job_run_details', '');
select pg_catalog.pg_extension_config_dump('cron.runid_seq', '');

create function cron.check_schedule(schedule text) returns void language plpgsql as $$
declare
  field constant text := '[0-9a-z*,/$-]+';
begin
  if lower(btrim(schedule)) !~ format('^(%s(\s+%s){4}|[1-5]?[0-9] seconds?|@(yearly|annually|monthly|weekly|daily'
    '|midnight|hourly|reboot))$', field, field) then
    raise exception 'invalid schedule: %', schedule using errcode = 'invalid_parameter_value',
      hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''.';
  end if;
end
$$;

-- Writes a job as the extension's owner, for a caller that may only read jobs.
create function cron.store_job(caller text, job_name text, schedule text, command text, database text, active boolean)
returns bigint language sql security definer set search_path = '' as $$
  insert into cron.job (schedule, command, database, username, active, jobname)
  values (schedule, command, database, caller, active, job_name)
  on conflict on constraint jobname_username_uniq
  do update set schedule = excluded.schedule, command = excluded.command, database = excluded.database,
    active = excluded.active
  returning jobid
$$;

create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text, username text default null, active boolean default true
) returns bigint language plpgsql as $$
begin
  perform cron.check_schedule(schedule);
  raise notice 'local mode''s stand-in for pg_cron stores this job and does not run it';
  return cron.store_job(coalesce(username, current_user), job_name, schedule, command, database, active);
end
$$;
create function cron.schedule(job_name text, schedule text, command text) returns bigint language sql as $$
  select cron.schedule_in_database(job_name, schedule, command, current_database())
$$;
create function cron.schedule(schedule text, command text) returns bigint language sql as $$
  select cron.schedule_in_database(null, schedule, command, current_database())
$$;

create function cron.remove_job(caller text, id bigint, job_name text)
returns bigint language sql security definer set search_path = '' as $$
  delete from cron.job where username = caller and (jobid = id or jobname = job_name) returning jobid
$$;
create function cron.unschedule(job_id bigint) returns boolean language plpgsql as $$
begin
  if cron.remove_job(current_user, job_id, null) is null then
    raise exception 'could not find valid entry for job ''%''', job_id;
  end if;
  return true;
end
$$;
create function cron.unschedule(job_name text) returns boolean language plpgsql as $$
begin
  if cron.remove_job(current_user, null, job_name) is null then
    raise exception 'could not find valid entry for job ''%''', job_name;
  end if;
  return true;
end
$$;

create function cron.change_job(
  caller text, id bigint, new_schedule text, new_command text, new_database text, new_active boolean
) returns bigint language sql security definer set search_path = '' as $$
  update cron.job set schedule = coalesce(new_schedule, schedule), command = coalesce(new_command, command),
    database = coalesce(new_database, database), active = coalesce(new_active, active)
  where jobid = id and username = caller returning jobid
$$;
create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null, database text default null,
  username text default null, active boolean default null
) returns void language plpgsql as $$
begin
  if schedule is not null then
    perform cron.check_schedule(schedule);
  end if;
  if cron.change_job(coalesce(username, current_user), job_id, schedule, command, database, active) is null then
    raise exception 'Job % does not exist or you don''t own it', job_id;
  end if;
end
$$;

-- As the hosted service does once the extension is there.
grant usage on schema cron to @extowner@ with grant option;
grant all on all functions in schema cron to @extowner@ with grant option;
grant all on all tables in schema cron to @extowner@ with grant option;
revoke all on cron.job from @extowner@;
grant select on cron.job to @extowner@ with grant option;
do $$ begin raise warning 'pg_cron here is the stand-in of local mode: it stores jobs and runs none'; end $$;
