"""Write `sql/snapshot.json`, the catalog that the migrations make: `python -m components.schema.snapshot`.

Reviewed like code: a changed policy or grant shows there in full. The migrations run on an empty database with
Supabase's roles (`DATABASE_URL`) and are rolled back.
"""

import json
import sys
from typing import Any

import psycopg

from components.errors import OperatorError
from components.schema.apply import database_error, lock_ledger, read_live, run
from components.schema.catalog import SNAPSHOT
from components.schema.connection import connect_from_environment
from components.schema.migrations import read_migrations


def take(connection: psycopg.Connection[Any]) -> str:
    """The snapshot's text, from all migrations run on an empty database and rolled back.

    Raises:
        OperatorError: the database holds objects already, or a migration fails.
    """
    if read_live(connection).catalog:
        raise OperatorError("is not empty", "database", "A snapshot is taken on a database of its own.")
    try:
        with connection.cursor() as cursor:
            lock_ledger(connection, cursor)
        objects = run(connection, read_migrations(), None)
    except psycopg.Error as error:
        raise database_error(error) from error
    finally:
        connection.rollback()
    return json.dumps(objects, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the snapshot; failures are one line on standard error and exit code 2."""
    try:
        with connect_from_environment() as connection:
            SNAPSHOT.write_text(take(connection), encoding="utf-8")
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write(f"wrote {SNAPSHOT}\n")


if __name__ == "__main__":
    main()
