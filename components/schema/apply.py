"""Apply the pending migrations in one transaction: DDL, ledger, ownership mark, and the proof of what came out.

Three round trips however many statements there are: lock and ledger; everything pending with the catalog that results;
commit. Repairing what was changed by hand takes one more. Two applies at once take turns by an advisory lock, and the
second finds nothing to do. Only files that have to run outside a transaction part an upgrade into several; a new
database takes them in its one. Knows no Pulumi.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import psycopg

from components.errors import OperatorError
from components.schema import catalog, ledger
from components.schema.alone import run_alone
from components.schema.failures import REMEDIES, MigrationError
from components.schema.migrations import Migration, Statement
from components.schema.repair import repair

LONGEST_WAIT, PAUSE = 120.0, 0.2  # seconds for another apply to end, and between two looks
SESSION = (
    "begin",
    # Fails while another apply holds the lock, and takes the rest of the round trip with it. Waiting inside a
    # transaction would keep a snapshot, which CREATE INDEX CONCURRENTLY of the other apply waits for: a deadlock.
    f"select 1 / pg_try_advisory_xact_lock({ledger.LOCK_KEY})::integer",
    # Whoever waits for a lock on a table blocks its readers.
    "set local lock_timeout = '5s'",
    "set local statement_timeout = '300s'",
)
MARK = """
insert into private.environment_mark as mark (client_id, project_name) values (%s, %s)
on conflict (singleton) do update set client_id = excluded.client_id, project_name = excluded.project_name
where (mark.client_id, mark.project_name) <> (excluded.client_id, excluded.project_name)
"""


@dataclass(frozen=True)
class Mark:
    """Whose environment a database is."""

    client_id: str
    project_name: str


@dataclass(frozen=True)
class Live:
    """What a database holds.

    Attributes:
        migrations: applied versions with their digests.
        catalog: objects of the schemas public and private with their definitions.
    """

    migrations: dict[str, str]
    catalog: dict[str, str]


@dataclass(frozen=True)
class Applied:
    """What an apply did.

    Attributes:
        files: the migrations it applied, none when there was nothing to do.
        live: what the database holds now.
        repaired: objects of the security part that were changed by hand and are now as reviewed again.
        warnings: objects outside the security part that are not as reviewed, and objects that are not ours.
    """

    files: tuple[str, ...]
    live: Live
    repaired: tuple[str, ...]
    warnings: tuple[str, ...]


def apply(
    connection: psycopg.Connection[Any],
    migrations: Sequence[Migration],
    *,
    mark: Mark | None = None,
    snapshot: catalog.Catalog | None = None,
) -> Applied:
    """Bring a database up to the newest migration, all or nothing.

    Args:
        connection: outside a transaction; committed on success, rolled back on any failure.
        migrations: all migration files, oldest first.
        mark: ownership to record, once the first migration has made its table.
        snapshot: the reviewed catalog; without it nothing is compared.

    Raises:
        MigrationError: a statement failed.
        OperatorError: ledger and files disagree, the result is not what was reviewed and cannot be repaired, or the
            database went away.
    """
    autocommit, files, repaired = connection.autocommit, list[str](), list[str]()
    try:
        # The driver's own BEGIN would cost a round trip; ours travels with what follows it.
        connection.autocommit = True
        while True:
            with connection.cursor() as cursor:
                rows = lock_ledger(connection, cursor)
            todo = ledger.pending(migrations, rows)
            # Nobody waits for a table that is not there yet.
            batch = todo if not rows else tuple(takewhile(lambda each: not each.alone, todo))
            rest = todo[len(batch) :]
            before, objects = run(connection, batch, mark)
            # What was reviewed is the end; only an index or a validated constraint may still be missing.
            if snapshot is not None and all(migration.alone for migration in rest):
                objects, undone = repair(connection, before, objects, snapshot)
                repaired += undone
            if rest:
                connection.execute("select pg_advisory_lock(%s)", (ledger.LOCK_KEY,))  # outlives the transaction
            connection.commit()
            files += [migration.file for migration in batch]
            if not rest:
                break
            run_alone(connection, rest[0])
            files.append(rest[0].file)
    except psycopg.Error as error:
        raise database_error(error, "Nothing was applied unless the connection was lost at the very end.") from error
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = autocommit
    applied = {row.version: row.digest or "" for row in rows} | {each.version: each.digest for each in batch}
    warnings = catalog.compare(objects, snapshot).warnings(snapshot) if snapshot is not None else ()
    return Applied(tuple(files), Live(applied, objects), tuple(repaired), warnings)


def read_live(connection: psycopg.Connection[Any]) -> Live:
    """What the database holds, read without writing anything.

    Raises:
        OperatorError: the database refused or went away.
    """
    try:
        with connection.pipeline(), connection.cursor() as probe, connection.cursor() as objects:
            probe.execute(ledger.EXISTS)
            connection.execute("set local search_path = ''")
            objects.execute(catalog.query())
            exists, found = probe.fetchone(), dict(objects.fetchall())
        rows = connection.execute(ledger.READ).fetchall() if exists and exists[0] else []
    except psycopg.Error as error:
        raise database_error(error) from error
    finally:
        if not connection.closed:
            connection.rollback()
    applied = (ledger.Row(*row) for row in rows)
    return Live({row.version: row.digest or "" for row in applied}, found)


def database_error(error: psycopg.Error, remedy: str = "") -> OperatorError:
    """What the database said, in one line."""
    said = (error.diag.message_primary or str(error) or type(error).__name__).strip().rstrip(".")
    told = f"{said} (SQLSTATE {error.sqlstate})" if error.sqlstate else said
    return OperatorError(told, "database", f"{REMEDIES.get(error.sqlstate or '', '')} {remedy}".strip())


def lock_ledger(connection: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> list[ledger.Row]:
    """Begin a transaction that holds the ledger alone, and read it; waits for another apply to end.

    Raises:
        OperatorError: another apply did not end in time.
    """
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            with connection.pipeline():
                for command in (*SESSION, *ledger.CREATE.split(";")):
                    connection.execute(command)
                cursor.execute(ledger.READ)
            return [ledger.Row(*row) for row in cursor]
        except psycopg.errors.DivisionByZero:
            connection.rollback()
        if time.monotonic() > deadline:
            raise OperatorError("another apply is still running", "database", "Run again when it has ended.")
        time.sleep(PAUSE)


def run(
    connection: psycopg.Connection[Any], todo: Sequence[Migration], mark: Mark | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Run migrations in the open transaction, in one round trip, and read the catalog before and after them."""
    sent: list[tuple[Migration, Statement, psycopg.Cursor[Any]]] = []
    before, objects = connection.cursor(), connection.cursor()
    try:
        with connection.pipeline():
            if todo:
                connection.execute("set local search_path = ''")
                before.execute(catalog.query())
                connection.execute("set local search_path = default")
            for migration in todo:
                for statement in migration.statements:
                    # No parameters: percent signs in SQL stay what they are.
                    cursor = connection.cursor()
                    sent.append((migration, statement, cursor.execute(statement.in_transaction)))
                connection.execute(ledger.INSERT, ledger.record(migration))
            if mark:
                connection.execute(MARK, (mark.client_id, mark.project_name))
            connection.execute("set local search_path = ''")
            objects.execute(catalog.query())
    except psycopg.Error as error:
        failed = next(((m, s) for m, s, cursor in sent if cursor.pgresult is None), None)
        if failed and error.sqlstate:
            raise MigrationError(*failed, error) from None
        raise
    after = dict(objects.fetchall())
    return dict(before.fetchall()) if todo else after, after
