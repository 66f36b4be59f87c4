"""Show the ledger beside the files, or correct it: `python -m components.schema.history [applied|reverted VERSION...]`.

`applied` records files whose objects the database has already, or whose applied text was edited on purpose; `reverted`
forgets versions whose objects are gone. Either changes the ledger alone: no table, no row. The database is the one of
DATABASE_URL.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from components.errors import OperatorError
from components.schema import ledger
from components.schema.apply import lock_ledger, read_live
from components.schema.connection import connect_from_environment
from components.schema.failures import database_error
from components.schema.migrations import Migration, read_migrations

USAGE = "usage: python -m components.schema.history [applied|reverted VERSION...]"


def history(migrations: Sequence[Migration], applied: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Version, state and file name of each migration that is a file or in the ledger, oldest first.

    Args:
        applied: version -> digest, empty where the ledger holds no SQL.
    """
    files = {migration.version: migration for migration in migrations}
    lines = []
    for version in sorted({*files, *applied}):
        file, digest = files.get(version), applied.get(version)
        if file is None:
            state = "no file"
        elif digest is None:
            state = "pending"
        else:
            state = "applied" if digest == file.digest else "edited" if digest else "no SQL"
        lines.append((version, state, file.name if file else ""))
    return lines


def correct(
    connection: psycopg.Connection[Any], migrations: Sequence[Migration], verb: str, versions: Sequence[str]
) -> None:
    """Record versions (`applied`) or forget them (`reverted`), all or none.

    Raises:
        OperatorError: a version that is to be recorded has no file, one that is to be forgotten is not recorded, or the
            database refused.
    """
    files = {migration.version: migration for migration in migrations}
    try:
        with connection.cursor() as cursor:
            recorded = {row.version for row in lock_ledger(connection, cursor)}
            for version in versions:
                if version not in (files if verb == "applied" else recorded):
                    missing = "has no file in sql/migrations" if verb == "applied" else "is not in the ledger"
                    raise OperatorError(missing, f"migration {version}", "Nothing was changed.")
                cursor.execute(ledger.DELETE, (version,))
                if verb == "applied":
                    cursor.execute(ledger.INSERT, ledger.record(files[version]))
        connection.commit()
    except psycopg.Error as error:
        raise database_error(error, "Nothing was changed.") from error
    finally:
        if not connection.closed:
            connection.rollback()


def main(arguments: Sequence[str]) -> int:
    """Correct what is asked for and print the history; failures are one line on standard error and exit code 2."""
    verb, versions = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb not in {"", "applied", "reverted"} or bool(verb) != bool(versions):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        migrations = read_migrations()
        with connect_from_environment() as connection:
            if verb:
                correct(connection, migrations, verb, versions)
            applied = read_live(connection).migrations
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{' '.join(line).rstrip()}\n" for line in history(migrations, applied))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
