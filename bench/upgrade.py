"""An upgrade of a client with 1,000,000 contacts while 50 queries a second run: how long the slowest of them took."""

import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from bench.schema import FIRST, Bench, seconds
from local.emulators.postgres import Postgres
from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.migrations import read_migrations

CONTACTS, RATE = 1_000_000, 50  # rows, queries a second
LONGEST = 60.0  # seconds that the load may run
FILL = """
insert into public.organizations (id, name, slug) values ('{organization}', 'Large', 'large');
insert into public.contacts (id, organization_id, email, first_name)
  select md5(n::text)::uuid, '{organization}', 'c' || n || '@large.test', 'First ' || n
  from generate_series(1, {rows}) n;
analyze public.contacts
"""
QUERIES = (
    "select * from public.contacts where organization_id = %(organization)s and email = %(email)s",
    "update public.contacts set first_name = 'New' where organization_id = %(organization)s and email = %(email)s",
    "insert into public.contacts (organization_id, email) values (%(organization)s, gen_random_uuid() || '@new.test')",
)


@dataclass
class Load:
    """What became of the queries: seconds of each from when it was due, and what failed."""

    times: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def run(self, connection: psycopg.Connection[Any], organization: str, ended: threading.Event) -> None:
        """Send queries at their times until `ended`; one that is late keeps the next ones waiting, which counts."""
        start = time.monotonic()
        for number in count():
            due = start + number / RATE
            if ended.wait(max(0, due - time.monotonic())) or due - start > LONGEST:
                return
            values = {"organization": organization, "email": f"c{number * 7919 % CONTACTS + 1}@large.test"}
            try:
                connection.execute(QUERIES[number % len(QUERIES)], values)
            except psycopg.Error as error:
                self.errors.append(str(error))
            self.times.append(time.monotonic() - due)


def run(rows: int = CONTACTS) -> tuple[float, Load]:
    """Seconds of the upgrade, and its load."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        postgres = Postgres(Path(folder) / "state", volatile=True)
        postgres.start()
        try:
            dsn, organization = Bench(postgres).fresh(), str(uuid4())
            with psycopg.connect(dsn) as owner, psycopg.connect(dsn, autocommit=True) as user:
                apply(owner, read_migrations()[:FIRST])
                for statement in FILL.format(organization=organization, rows=rows).split(";"):
                    owner.execute(statement.encode())
                owner.commit()
                load, ended = Load(), threading.Event()
                thread = threading.Thread(target=load.run, args=(user, organization, ended))
                thread.start()
                try:
                    took = seconds(lambda: apply(owner, read_migrations(), snapshot=read_snapshot()))
                finally:
                    ended.set()
                    thread.join()
        finally:
            postgres.stop()
    return took, load


def main() -> None:
    """Print the figures."""
    took, load = run()
    slowest = max(load.times)
    sys.stdout.write(
        f"upgrade: {CONTACTS:,} rows in {took:.2f} s under {len(load.times)} queries: "
        f"slowest {slowest * 1000:.0f} ms, {len(load.errors)} failed\n"
    )


if __name__ == "__main__":
    main()
