"""What row-level security costs a member's dashboard, at one organization with 1,000,000 contacts and 5,000,000
activities: each query as a member, against the owner's time with the organization written out as a filter.

And what the isolation check costs an apply, as it runs before COMMIT: on an empty database, on the large one, and with
a table of somebody's own that has 1,000,000 rows and no index on its tenant column."""

import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from bench.schema import Bench, seconds
from local.emulators.postgres import Postgres
from pgschema.apply import apply
from pgschema.isolation import check
from pgschema.migrations import read_migrations

CONTACTS, ACTIVITIES = 1_000_000, 5_000_000
ROUNDS, LEAST, LONGEST = 200, 7, 3.0  # of each query; fewer once its rounds have taken so many seconds
FILL = """
insert into auth.users (id) values ('{account}');
insert into organizations (id, name, slug) values ('{organization}', 'Large', 'large');
insert into users (organization_id, auth_user_id, email, full_name, status)
  values ('{organization}', '{account}', 'member@large.test', 'Member', 'active');
insert into contacts (id, organization_id, email, first_name, status, created_at)
  select md5(n::text)::uuid, '{organization}', 'c' || n || '@large.test', 'First ' || n,
    (array['lead', 'subscriber', 'customer', 'inactive'])[1 + n % 4], now() - n * interval '20 seconds'
  from generate_series(1, {contacts}) n;
insert into activities (organization_id, contact_id, kind, subject, occurred_at, due_at)
  select '{organization}', md5((1 + n % {contacts})::text)::uuid,
    (array['call', 'email', 'meeting', 'note', 'task'])[1 + n % 5], 'Subject ' || n, now() - n * interval '4 seconds',
    case when n % 50 = 0 then now() - n * interval '1 second' end
  from generate_series(1, {activities}) n;
"""
OWN_TABLE = """
set role postgres;
create table public.visits (id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade, page text not null);
insert into public.visits (organization_id, page) select '{organization}', n::text from generate_series(1, {rows}) n;
alter table public.visits enable row level security;
revoke all on public.visits from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.visits to authenticated, service_role;
create policy visits_member on public.visits to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
"""
# {own} is the filter by organization for the owner, nothing for a member.
QUERIES = {
    "contact by e-mail": "select * from contacts where {own} email = 'c4711@large.test'",
    "a contact's activities": "select * from activities where {own} contact_id = md5('4711')::uuid"
    " order by occurred_at desc limit 20",
    "latest activities": "select * from activities where {own} true order by occurred_at desc limit 50",
    "newest leads": "select * from contacts where {own} status = 'lead' order by created_at desc limit 50",
    "tasks due": "select * from activities"
    " where {own} completed_at is null and due_at < now() order by due_at limit 50",
    "search by part of a name": "select * from contacts where {own} first_name ilike '%st 99999%' limit 50",
    "contacts by status": "select status, count(*) from contacts where {own} true group by status",
    "activities a day, last 30 days": "select date_trunc('day', occurred_at), count(*) from activities"
    " where {own} occurred_at > now() - interval '30 days' group by 1",
    "activities by kind": "select kind, count(*) from activities where {own} true group by kind",
    "all activities": "select count(*) from activities where {own} true",
}


def run() -> dict[str, tuple[float, float]]:
    """Seconds of each query as owner and as member."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        postgres = Postgres(Path(folder) / "state", volatile=True)
        postgres.start()
        try:
            dsn = Bench(postgres).fresh()
            with psycopg.connect(dsn) as owner, psycopg.connect(dsn, autocommit=True) as member:
                apply(owner, read_migrations())
                _gate(owner, "empty database")
                owner.autocommit = True
                organization, account = str(uuid4()), str(uuid4())
                with postgres.admin(str(conninfo_to_dict(dsn)["dbname"])) as admin:
                    _fill(admin, organization, account)
                claims = json.dumps({"sub": account, "role": "authenticated"})
                member.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
                member.execute("set role authenticated")
                own = f"organization_id = '{organization}' and"
                figures = {
                    name: _beside(owner, query.format(own=own), member, query.format(own=""))
                    for name, query in QUERIES.items()
                }
                owner.autocommit = False
                _gate(owner, f"{CONTACTS:,} contacts, {ACTIVITIES:,} activities")
                with postgres.admin(str(conninfo_to_dict(dsn)["dbname"])) as admin:
                    admin.execute(OWN_TABLE.format(rows=CONTACTS, organization=organization).encode())
                    admin.execute("vacuum analyze public.visits")
                _gate(owner, f"and {CONTACTS:,} rows without an index")
                return figures
        finally:
            postgres.stop()


def _gate(owner: psycopg.Connection[Any], name: str) -> None:
    """Print the check's verdict and the median of its times."""
    report = check(owner)
    times = [seconds(lambda: check(owner)) for _ in range(LEAST)]
    sys.stdout.write(f"isolation: check on {name}: {statistics.median(times):.3f} s ({str(report).splitlines()[0]})\n")
    for note in report.notes:
        sys.stdout.write(f"isolation: note: {note}\n")


def _fill(admin: psycopg.Connection[Any], organization: str, account: str) -> None:
    """Load with foreign keys unchecked and indexes made at the end, else it takes most of an hour."""
    admin.execute("set session_replication_role = replica; set search_path = public, extensions")
    indexes = admin.execute(
        "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index where not indisprimary"
        " and indrelid in ('contacts'::regclass, 'activities'::regclass)"
        " and not exists (select from pg_constraint where conindid = indexrelid)"
    ).fetchall()
    for name, _ in indexes:
        admin.execute(f"drop index {name}".encode())
    values = {"organization": organization, "account": account, "contacts": CONTACTS, "activities": ACTIVITIES}
    admin.execute(FILL.format(**values).encode())
    for _, definition in indexes:
        admin.execute(definition.encode())
    for table in ("organizations", "users", "contacts", "activities"):
        admin.execute(f"vacuum analyze {table}".encode())


def _beside(
    owner: psycopg.Connection[Any], written_out: str, member: psycopg.Connection[Any], plain: str
) -> tuple[float, float]:
    """Medians of both, taken in turns."""
    times: tuple[list[float], list[float]] = [], []
    while len(times[0]) < LEAST or (len(times[0]) < ROUNDS and sum(times[0]) < LONGEST):
        times[0].append(seconds(lambda: owner.execute(written_out.encode()).fetchall()))
        times[1].append(seconds(lambda: member.execute(plain.encode()).fetchall()))
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    """Print the figures."""
    figures = run()
    figures["all of these"] = (sum(each[0] for each in figures.values()), sum(each[1] for each in figures.values()))
    for name, (owner, member) in figures.items():
        times = f"{member * 1000:.3g} ms, owner {owner * 1000:.3g} ms"
        sys.stdout.write(f"isolation: {name}, member / owner: {member / owner:.2f} ({times})\n")


if __name__ == "__main__":
    main()
