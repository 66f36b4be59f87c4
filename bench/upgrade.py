"""An upgrade of a client with a million contacts, while queries go on: the longest of them, and how many failed."""

import random
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg

from bench.schema import Bench
from components.schema.apply import apply
from components.schema.catalog import read_snapshot
from components.schema.migrations import read_migrations
from emulators.postgres import Postgres

CONTACTS = 1_000_000
A_SECOND = 50  # queries
NEW = 3  # migrations that the client lacks
FILL = f"""
with made as (insert into public.organizations (name, slug) values ('One', 'one') returning id)
insert into public.contacts (organization_id, email, first_name)
select id, 'c' || n || '@example.com', 'C' from made, generate_series(1, {CONTACTS}) n
"""
QUERIES = (
    "select first_name from public.contacts where email = %s",
    "update public.contacts set lead_score = lead_score + 1 where email = %s",
)


class Traffic:
    """Asks the database at a steady pace, reads and writes in turn, each in a transaction of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn, self._ended = dsn, threading.Event()
        self.times: list[float] = []
        self.failed: list[str] = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(5)]

    def __enter__(self) -> "Traffic":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        chance, pause = random.Random(number), len(self._threads) / A_SECOND  # noqa: S311
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._ended.wait(pause):
                query = QUERIES[len(self.times) % 2]
                began = time.perf_counter()
                try:
                    connection.execute(query.encode(), (f"c{chance.randint(1, CONTACTS)}@example.com",))
                except psycopg.Error as error:
                    self.failed.append(str(error))
                self.times.append(time.perf_counter() - began)


def main() -> None:
    """Print the figures."""
    migrations = read_migrations()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        postgres = Postgres(Path(folder) / "state")
        postgres.start()
        try:
            dsn = Bench(postgres).fresh()
            with psycopg.connect(dsn) as connection:
                apply(connection, migrations[:-NEW])
                connection.execute("set statement_timeout = 0")
                connection.execute(FILL.encode())
                connection.commit()
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute("create index on public.contacts (email)")
                connection.execute("vacuum analyze public.contacts")
            with Traffic(dsn) as traffic:
                time.sleep(2)
                began, before = time.perf_counter(), len(traffic.times)
                with psycopg.connect(dsn) as connection:
                    apply(connection, migrations, snapshot=read_snapshot())
                took, during = time.perf_counter() - began, traffic.times[before:]
        finally:
            postgres.stop()
    told = (
        f"{len(during)} queries, median {statistics.median(during) * 1000:.1f} ms, longest {max(during) * 1000:.0f} ms"
    )
    sys.stdout.write(f"upgrade: {CONTACTS:,} contacts in {took:.2f} s; meanwhile {told} (goal: below 200 ms)\n")
    sys.stdout.write(f"upgrade: {len(traffic.failed)} queries failed (goal: 0)\n")


if __name__ == "__main__":
    main()
