"""Apply the pending migrations in one transaction: DDL, ledger, ownership mark, and the gate before its COMMIT.

Three round trips however many statements there are: lock and ledger; everything pending with the catalog that results;
commit. The gate compares that catalog with the snapshot and attacks it; repairing what was changed by hand takes one
round trip more. Two applies at once take turns by an advisory lock, and the second finds nothing to do. Only files that
have to run outside a transaction, and a file that uses an enum value which an earlier pending one adds, part an upgrade
into several transactions; a new database takes all files in one. Knows no Pulumi.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import catalog, gate, ledger, transaction
from pgschema.catalog import Catalog
from pgschema.errors import MigrationError, database_error
from pgschema.migrations import Migration, Statement
from pgschema.non_transactional import run_alone

LONGEST_WAIT, PAUSE = 120.0, 0.2  # seconds for another apply to end, and between two looks
GATE_RETRIES = 3  # after a lock of another session stopped the gate
UNCOMMITTED_ENUM_VALUE = "55P04"
BEGIN = (
    "begin",
    # Fails while another apply holds the lock, and takes the rest of the round trip with it. Waiting inside a
    # transaction would keep a snapshot, which CREATE INDEX CONCURRENTLY of the other apply waits for: a deadlock.
    f"select 1 / pg_try_advisory_xact_lock({ledger.LOCK_KEY})::integer",
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
        notes: why the files were committed in more than one transaction.
    """

    files: tuple[str, ...]
    live: Live
    repaired: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


def apply(
    connection: psycopg.Connection[Any],
    migrations: Sequence[Migration],
    *,
    mark: Mark | None = None,
    snapshot: Catalog | None = None,
    prove: bool = False,
    before_commit: Callable[[], None] | None = None,
) -> Applied:
    """Bring a database up to the newest migration, all or nothing.

    Args:
        connection: outside a transaction; committed on success, rolled back on any failure.
        migrations: all migration files, oldest first.
        mark: ownership to record, once the first migration has made its table.
        snapshot: the reviewed catalog, which opens the gate: what is not as reviewed or lets an attack through is
            not committed. Without it nothing is compared and nothing attacked.
        prove: attack even when nothing is pending and nothing was repaired.
        before_commit: called ahead of each commit; raises to prevent it.

    Raises:
        MigrationError: a statement failed.
        GateError: the result is not as reviewed, or is open; names what, and the file at fault.
        OperatorError: ledger and files disagree, the result cannot be repaired, or the database went away.
    """
    work = Application(connection, migrations, mark, snapshot, before_commit, unproved=prove)
    try:
        with own_transactions(connection):
            while True:
                with connection.cursor() as cursor:
                    rows = lock_ledger(connection, cursor)
                todo = ledger.pending(migrations, rows)
                batch = next_batch(todo, work.splits, every=not rows)
                rest = todo[len(batch) :]
                objects = work.transact(batch, rest)
                if objects is not None and not rest:
                    break
                if objects is not None and rest[0].alone:
                    work.run_alone(rest[0])
    except psycopg.Error as error:
        raise database_error(error, "Nothing was applied unless the connection was lost at the very end.") from error
    applied = {row.version: row.digest or "" for row in rows} | {each.version: each.digest for each in batch}
    warnings = catalog.compare(objects, snapshot).warnings(snapshot) if snapshot is not None else ()
    files = tuple(migration.file for migration in work.files)
    return Applied(files, Live(applied, objects), tuple(work.repaired), warnings, tuple(work.notes))


@dataclass
class Application:
    """One apply: its arguments, what it has committed so far, and what it learned for its next transaction.

    Attributes:
        unproved: something is committed, or was asked about, that the attacks have not judged yet.
        files: the migrations committed.
        repaired: objects repaired and committed.
        notes: see `Applied`.
        splits: versions that must begin a transaction, because they use an enum value of an earlier one.
        start: the catalog before the first file, once it is read.
        busy: how often a lock of another session stopped the gate.
    """

    connection: psycopg.Connection[Any]
    migrations: Sequence[Migration]
    mark: Mark | None
    snapshot: Catalog | None
    before_commit: Callable[[], None] | None
    unproved: bool
    files: list[Migration] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    splits: set[str] = field(default_factory=set)
    start: Catalog | None = None
    busy: int = 0

    def transact(self, batch: Sequence[Migration], rest: Sequence[Migration]) -> dict[str, str] | None:
        """Run files in the open transaction, judge them and commit.

        Args:
            batch: the files of this transaction.
            rest: those after them; one that runs alone comes next under the same advisory lock.

        Returns:
            the catalog as committed, or None when all was rolled back and is to begin again.
        """
        try:
            before, objects = run(self.connection, batch, self.mark)
            self.start = before if self.start is None else self.start
            undone: tuple[str, ...] = ()
            if self.snapshot is not None:
                change = gate.Change(self.files, batch, rest, self.start, before, objects)
                # What runs alone makes indexes and enum values, which open nothing: one look after the last is enough.
                prove = self.unproved and not rest
                objects, undone = gate.judge(self.connection, change, self.migrations, self.snapshot, prove=prove)
        except MigrationError as error:
            if not waits_for_enum_value(error, batch):
                raise
            self.splits.add(error.migration.version)
            reason = "uses an enum value that an earlier file adds: the files before it were committed first"
            self.notes.append(f"{error.migration.file} {reason}")
            self.connection.rollback()
            return None
        except gate.GateError as error:
            if error.repaired:
                self._commit(rest)
            raise
        except (OperatorError, psycopg.Error) as error:
            if not gate.is_locked(error) or self.busy == GATE_RETRIES:
                raise
            self.busy += 1
            self.connection.rollback()
            time.sleep(PAUSE)
            return None
        self._commit(rest)
        self.files += batch
        self.repaired += undone
        self.unproved = self.unproved and not batch and bool(rest)
        return objects

    def _commit(self, rest: Sequence[Migration]) -> None:
        if self.before_commit:
            self.before_commit()
        if rest and rest[0].alone:
            # A lock of the session outlives the transaction.
            self.connection.execute("select pg_advisory_lock(%s)", (ledger.LOCK_KEY,))
        self.connection.commit()

    def run_alone(self, migration: Migration) -> None:
        """Run a file outside a transaction; the next transaction judges what came of it."""
        run_alone(self.connection, migration)
        self.files.append(migration)
        self.unproved = True


@contextmanager
def own_transactions(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Leave BEGIN to us, because the driver's own costs a round trip; roll back and restore the mode at the end."""
    autocommit = connection.autocommit
    try:
        connection.autocommit = True
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = autocommit


def next_batch(todo: Sequence[Migration], splits: set[str], *, every: bool) -> tuple[Migration, ...]:
    """The files that the next transaction takes.

    Args:
        todo: the pending files, oldest first.
        splits: versions that have to begin a transaction.
        every: the database is new, so files that otherwise run alone find nobody to wait for.
    """
    batch: list[Migration] = []
    for migration in todo:
        if (migration.alone and not every) or (batch and migration.version in splits):
            break
        batch.append(migration)
    return tuple(batch)


def waits_for_enum_value(error: MigrationError, batch: Sequence[Migration]) -> bool:
    """Whether a file of a transaction failed because a file before it adds an enum value that it uses."""
    return error.sqlstate == UNCOMMITTED_ENUM_VALUE and error.migration is not batch[0]


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


def lock_ledger(connection: psycopg.Connection[Any], cursor: psycopg.Cursor[Any]) -> list[ledger.Row]:
    """Begin a transaction that holds the ledger alone, and read it; waits for another apply to end.

    Raises:
        OperatorError: another apply did not end in time.
    """
    deadline = time.monotonic() + LONGEST_WAIT
    while True:
        try:
            with connection.pipeline():
                for command in (*BEGIN, *transaction.limits(), *ledger.CREATE.split(";")):
                    connection.execute(command)
                role = connection.execute(transaction.READ_ROLE)
                cursor.execute(ledger.READ)
            transaction.remember_role(connection, str((role.fetchone() or ("none",))[0]))
            return [ledger.Row(*row) for row in cursor]
        except psycopg.errors.DivisionByZero:
            connection.rollback()
        if time.monotonic() > deadline:
            raise OperatorError("another apply is still running", "database", "Run again when it has ended.")
        time.sleep(PAUSE)


def run(
    connection: psycopg.Connection[Any],
    todo: Sequence[Migration],
    mark: Mark | None,
    *,
    patience: str = transaction.PATIENCE,
) -> tuple[dict[str, str], dict[str, str]]:
    """Run migrations in the open transaction, in one round trip, and read the catalog before and after them.

    Args:
        connection: inside a transaction whose session nothing has changed yet; its search path is empty afterwards.
        todo: the files.
        mark: ownership to record.
        patience: how long each statement waits for a lock.

    Raises:
        MigrationError: a statement failed, or a deferred constraint at the end of its file.
        psycopg.Error: the connection was lost.
    """
    sent: list[tuple[Migration, Statement, psycopg.Cursor[Any]]] = []
    before, objects = connection.cursor(), connection.cursor()

    def send(migration: Migration, statement: Statement, text: str) -> None:
        # Pass no parameters, or psycopg would treat % as a placeholder.
        cursor = connection.cursor()
        sent.append((migration, statement, cursor.execute(text)))

    try:
        with connection.pipeline():
            if todo:
                connection.execute("set local search_path = ''")
                before.execute(catalog.query())
                connection.execute("set local search_path = default")
            for migration in todo:
                for statement in migration.statements:
                    send(migration, statement, statement.in_transaction)
                for text in transaction.end_of_file(connection, patience):
                    send(migration, migration.statements[-1], text)
                connection.execute(ledger.INSERT, ledger.record(migration))
            if mark:
                connection.execute(MARK, (mark.client_id, mark.project_name))
            connection.execute("set local search_path = ''")
            objects.execute(catalog.query())
    except psycopg.Error as error:
        begun = not todo or before.pgresult is not None
        failed = next(((m, s) for m, s, cursor in sent if cursor.pgresult is None), None)
        if begun and failed and error.sqlstate:
            raise MigrationError(*failed, error) from None
        raise
    after = dict(objects.fetchall())
    return dict(before.fetchall()) if todo else after, after
