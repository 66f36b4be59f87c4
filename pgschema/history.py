"""The ledger of applied migrations beside the files, and its correction: no table, no row changes."""

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import ledger
from pgschema.apply import lock_ledger
from pgschema.errors import database_error
from pgschema.migrations import Migration


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
