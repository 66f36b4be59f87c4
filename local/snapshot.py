"""Write `sql/snapshot.json`, the catalog that the migrations make: `python -m local.snapshot`.

Reviewed like code: a changed policy or grant shows there in full. The migrations run on an empty database with
Supabase's roles and are rolled back: the one in `DATABASE_URL`, or that of a project in emulators of their own.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.apply import lock_ledger, read_live, run
from pgschema.catalog import RELATIONS, ROUTINES, SNAPSHOT, kind_of
from pgschema.errors import database_error
from pgschema.migrations import SQL, read_migrations
from supabase_management.client import Client
from supabase_management.pooler import connect, wait_for_database

# A new project has none of these; it has the schema public and default privileges.
OBJECTS = frozenset({*RELATIONS, *ROUTINES, "aggregate", "type"})
EMULATORS_SECONDS = 180.0  # for a start, and for a stop
STATE = SQL.parent / ".local" / "snapshot"


def take(connection: psycopg.Connection[Any]) -> str:
    """Return the snapshot's text, from all migrations run on an empty database and rolled back.

    Raises:
        OperatorError: the database holds objects already, or a migration fails.
    """
    if made := [name for name in read_live(connection).catalog if kind_of(name) in OBJECTS]:
        raise OperatorError(f"is not empty ({made[0]})", "database", "A snapshot is taken on a database of its own.")
    try:
        with connection.cursor() as cursor:
            lock_ledger(connection, cursor)
        _, objects = run(connection, read_migrations(), None)
    except psycopg.Error as error:
        raise database_error(error) from error
    finally:
        connection.rollback()
    return json.dumps(objects, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the snapshot; failures are one line on standard error and exit code 2."""
    try:
        with connect_from_environment() if os.environ.get("DATABASE_URL") else _emulated() as connection:
            SNAPSHOT.write_text(take(connection), encoding="utf-8")
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(f"wrote {SNAPSHOT}\n")


@contextmanager
def _emulated() -> Iterator[psycopg.Connection[Any]]:
    emulators = [sys.executable, "-m", "local.emulators"]
    folder = ["--state", str(STATE)]
    start = [*emulators, "start", "--detach", "--startup", "0", *folder]
    subprocess.run(start, check=True, stdout=subprocess.DEVNULL, timeout=EMULATORS_SECONDS)
    try:
        exports, password = json.loads((STATE / "ready.json").read_text())["exports"], uuid4().hex
        with Client(exports["SUPABASE_API_URL"], exports["SUPABASE_ACCESS_TOKEN"]) as client:
            project = client.create_project(
                name=f"snapshot-{uuid4().hex[:12]}",
                organization=exports["SUPABASE_ORG_SLUG"],
                region="eu-west-2",
                password=password,
                instance_size=None,
            )
            with connect(wait_for_database(client, project.ref, password, timeout=60), password) as connection:
                yield connection
            client.delete_project(project.ref)
    finally:
        stop = [*emulators, "stop", *folder]
        subprocess.run(stop, check=True, stdout=subprocess.DEVNULL, timeout=EMULATORS_SECONDS)


if __name__ == "__main__":
    main()
