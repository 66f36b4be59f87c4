"""Try the pending migrations and roll them back.

Tells what fails, what the gate would refuse to commit, which tables would be rewritten, and which would be locked
against their users: on a clone of a database's catalog, or on the database itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import gate, ledger
from pgschema.apply import lock_ledger, next_batch, own_transactions, run, waits_for_enum_value
from pgschema.catalog import Catalog
from pgschema.errors import MigrationError, database_error
from pgschema.migrations import Migration

LIVE_PATIENCE, CLONE_PATIENCE = "500ms", "5s"
TABLES = """
select c.oid, format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_'
  and n.nspname not in ('information_schema', 'supabase_migrations')
"""
# Weaker modes stop neither readers nor writers.
LOCKS = """
select l.relation, bool_or(l.mode = 'AccessExclusiveLock') from pg_locks l
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
group by l.relation
"""


@dataclass(frozen=True)
class Trial:
    """What an apply would do.

    Attributes:
        files: the pending migrations that were tried.
        rewritten: existing tables whose rows would all be written anew.
        locks: existing table -> what would wait until the apply commits: `writes`, or `reads and writes`.
        refused: what the gate would not commit, a line for each finding.
        notes: files that were not tried, or that an apply commits apart from those before them.
    """

    files: tuple[str, ...]
    rewritten: tuple[str, ...]
    locks: dict[str, str]
    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Attempt:
    """One trial: its arguments, and what it has seen so far.

    Attributes:
        splits: versions that must begin a transaction, because they use an enum value of an earlier one.
        before: existing tables: object id -> name and file node.
        tried: the files that ran, oldest first; the transactions of those in `committed` are over.
    """

    connection: psycopg.Connection[Any]
    migrations: Sequence[Migration]
    snapshot: Catalog | None
    live: bool
    splits: set[str] = field(default_factory=set)
    before: dict[int, tuple[str, int]] = field(default_factory=dict)
    committed: list[Migration] = field(default_factory=list)
    tried: list[Migration] = field(default_factory=list)
    start: Catalog | None = None
    locks: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def begin(self) -> tuple[Migration, ...]:
        """Open a transaction that holds the ledger; the files that are still to be tried."""
        with self.connection.cursor() as cursor:
            rows = lock_ledger(self.connection, cursor)
        self.connection.execute(f"set local lock_timeout = '{self.patience}'")
        if not self.before:
            self.before = {oid: (name, node) for oid, name, node in self.connection.execute(TABLES)}
        return ledger.pending(self.migrations, rows)

    @property
    def patience(self) -> str:
        """How long a statement waits for a lock."""
        return LIVE_PATIENCE if self.live else CLONE_PATIENCE

    def run(self, batch: Sequence[Migration], rest: Sequence[Migration]) -> None:
        """Run files in the open transaction one by one, watch their locks, and let the gate judge what came of it.

        Raises:
            MigrationError: a statement failed.
        """
        before: Catalog | None = None
        after: dict[str, str] = {}
        locks: dict[str, str] = {}
        for migration in batch:
            held = _locked(self.connection)
            earlier, after = run(self.connection, (migration,), None, patience=self.patience)
            before = earlier if before is None else before
            if not migration.alone:
                now = {oid: kind for oid, kind in _locked(self.connection).items() if held.get(oid) != kind}
                locks |= {self.before[oid][0]: kind for oid, kind in now.items() if oid in self.before}
        self.locks |= locks
        self.tried = [*self.committed, *batch]
        if before is not None:
            self.start = before if self.start is None else self.start
            self._judge(gate.Change(self.committed, batch, rest, self.start, before, after))

    def _judge(self, change: gate.Change) -> None:
        if self.snapshot is None:
            return
        try:
            gate.judge(self.connection, change, self.migrations, self.snapshot, clone=not self.live)
        except gate.GateError as error:
            self.refused += error.lines
        except OperatorError as error:
            if isinstance(error.__cause__, psycopg.Error) and error.__cause__.sqlstate is None:
                raise
            self.refused.append(str(error))

    def rewritten(self) -> tuple[str, ...]:
        """The tables of before whose file is another now; asked before the end of the last transaction."""
        nodes = {oid: node for oid, _, node in self.connection.execute(TABLES)}
        return tuple(sorted(name for oid, (name, node) in self.before.items() if nodes.get(oid, node) != node))


def attempt(
    connection: psycopg.Connection[Any],
    migrations: Sequence[Migration],
    *,
    snapshot: Catalog | None = None,
    live: bool = False,
) -> Trial:
    """Run what is pending as an apply would, and roll it back.

    Args:
        connection: outside a transaction. On a clone, files before one that needs their enum values are committed.
        migrations: all migration files, oldest first.
        snapshot: the reviewed catalog; without it the gate is left out.
        live: the database has users: give up early on their tables, and leave out files that run alone or need a
            commit before them, with those after them; inside a transaction they would block, or fail.

    Raises:
        MigrationError: a statement failed.
        OperatorError: ledger and files disagree, or the database went away.
    """
    work = Attempt(connection, migrations, snapshot, live)
    try:
        with own_transactions(connection):
            while True:
                todo = work.begin()
                batch = next_batch(todo, work.splits, every=not live)
                rest = todo[len(batch) :]
                try:
                    work.run(batch, rest)
                except MigrationError as error:
                    if not waits_for_enum_value(error, batch):
                        raise
                    work.splits.add(error.migration.version)
                    work.notes.append(_note(error.migration, live=live))
                    connection.rollback()
                    continue
                if live or not rest:
                    rewritten = work.rewritten()
                    break
                connection.commit()
                work.committed += batch
    except psycopg.Error as error:
        raise database_error(error, "Nothing was changed.") from error
    files = tuple(migration.file for migration in work.tried)
    refused = tuple(dict.fromkeys(work.refused))
    return Trial(files, rewritten, dict(sorted(work.locks.items())), refused, tuple(work.notes))


def _note(migration: Migration, *, live: bool) -> str:
    needs = f"{migration.file} uses an enum value that an earlier file adds"
    if live:
        return f"{needs}: it and what follows can be tried on a clone only"
    return f"{needs}: an apply commits the files before it first"


def _locked(connection: psycopg.Connection[Any]) -> dict[int, str]:
    return {oid: "reads and writes" if all_of_it else "writes" for oid, all_of_it in connection.execute(LOCKS)}
