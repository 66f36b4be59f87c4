"""What the database's own rules cost: an import of 100,000 contacts and a mailing to them, with and without the rules'
triggers and indexes, and one person's export and erasure among 100,000 contacts and activities."""

import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from bench.schema import Bench
from local.emulators.postgres import Postgres
from pgschema.apply import apply
from pgschema.migrations import read_migrations

ROWS, ROUNDS, PEOPLE = 100_000, 2, 5  # rows, imports of each kind, people exported and erased
RULES = "20261125"  # versions of the files that brought the rules
INDEX = re.compile(r"index concurrently if not exists (\w+) on")
CONTACTS = """
insert into public.contacts (organization_id, email, first_name, last_name, phone, job_title, source, external_id,
  custom_fields, marketing_consent, consent_at)
select '{organization}', 'c' || n || '@large.test', 'First' || n, 'Last' || n % 5000, '+44 20 ' || 10000000 + n,
  'Engineer', 'import', 'x' || n, '{{"plan": "a", "city": "London"}}', true, now()
from generate_series(1, {rows}) n
"""
UPDATE = "update public.contacts set lead_score = 7 where organization_id = '{organization}'"
SENDS = """
insert into public.email_sends (organization_id, campaign_id, contact_id, email, subject)
select organization_id, '{campaign}', id, email, 'News' from public.contacts where organization_id = '{organization}'
"""
ACTIVITIES = """
insert into public.activities (organization_id, contact_id, kind, subject, body)
select organization_id, case when lead_score = 0 then id end, 'note', 'Called about contract ' || external_id,
  'Spoke to ' || first_name || ' ' || last_name || ' on ' || phone || ', sent the offer to ' || email
from public.contacts where organization_id = '{organization}'
"""
CAMPAIGN = """
insert into public.email_campaigns (organization_id, name, subject, from_name, from_email)
values ('{organization}', 'News', 'News', 'Large', 'large@large.test') returning id
"""


def run() -> dict[str, float]:
    """Seconds, and ratios with / without."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        postgres = Postgres(Path(folder) / "state", volatile=True)
        postgres.start()
        try:
            bench = Bench(postgres)
            with psycopg.connect(bench.fresh()) as ruled, psycopg.connect(bench.fresh()) as free:
                apply(ruled, read_migrations())
                apply(free, read_migrations())
                _lift(free)
                figures = _loads(ruled, free)
                return figures | _people(ruled)
        finally:
            postgres.stop()


def _lift(connection: psycopg.Connection[Any]) -> None:
    """Remove the triggers and indexes of the rules, which leaves the schema as it was before them."""
    files = [each for each in read_migrations() if each.version.startswith(RULES)]
    text = "\n".join(each.text for each in files)
    for trigger, table in re.findall(r"create trigger (\w+)\s[^;]*?\son public\.(\w+)", text):
        connection.execute(f"drop trigger {trigger} on public.{table}".encode())
    for index in INDEX.findall(text):
        connection.execute(f"drop index public.{index}".encode())
    connection.commit()


def _loads(ruled: psycopg.Connection[Any], free: psycopg.Connection[Any]) -> dict[str, float]:
    """The fastest of each load on both databases in turns, rolled back."""
    best: dict[str, dict[str, float]] = {"with": {}, "without": {}}
    for _ in range(ROUNDS):
        for name, connection in (("without", free), ("with", ruled)):
            with _undone(connection):
                for load, took in _load(connection).items():
                    best[name][load] = min(took, best[name].get(load, took))
    return {
        f"{load}, with / without the rules ({best['with'][load]:.2f} s)": best["with"][load] / best["without"][load]
        for load in best["with"]
    }


def _load(connection: psycopg.Connection[Any]) -> dict[str, float]:
    values = {"organization": _organization(connection), "rows": str(ROWS)}
    row = connection.execute(CAMPAIGN.format(**values).encode()).fetchone()
    assert row is not None
    values["campaign"] = str(row[0])
    loads = {"import of contacts": CONTACTS, "mailing": SENDS, "activities": ACTIVITIES, "update of all": UPDATE}
    return {name: _seconds(connection, text.format(**values)) for name, text in loads.items()}


def _people(connection: psycopg.Connection[Any]) -> dict[str, float]:
    """The slowest export and erasure of several people, the first of a session included."""
    values = {"organization": _organization(connection), "rows": str(ROWS)}
    for text in (CONTACTS, UPDATE + " and id::text < '8'", ACTIVITIES):
        connection.execute(text.format(**values).encode())
    connection.commit()
    connection.autocommit = True
    connection.execute("vacuum analyze")
    connection.autocommit = False
    figures = {"export of a person": 0.0, "erasure of a person": 0.0}
    for number in range(PEOPLE):
        row = connection.execute(
            "select id from public.contacts where email = %s", (f"c{number * 7919 + 1}@large.test",)
        )
        contact = row.fetchone()
        assert contact is not None
        for name, function in zip(figures, ("export_contact", "erase_contact"), strict=True):
            took = _seconds(connection, f"select private.{function}('{contact[0]}')")
            figures[name] = max(figures[name], took)
        connection.commit()
    return figures


def _organization(connection: psycopg.Connection[Any]) -> str:
    organization = str(uuid4())
    connection.execute(
        "insert into public.organizations (id, name, slug) values (%s, 'Large', %s)", (organization, organization)
    )
    return organization


def _seconds(connection: psycopg.Connection[Any], statement: str) -> float:
    start = time.perf_counter()
    connection.execute(statement.encode())
    return time.perf_counter() - start


@contextmanager
def _undone(connection: psycopg.Connection[Any]) -> Iterator[None]:
    try:
        yield
    finally:
        connection.rollback()


def main() -> None:
    """Print the figures."""
    for name, value in run().items():
        sys.stdout.write(f"crm: {name}: {value:.3g}\n")


if __name__ == "__main__":
    main()
