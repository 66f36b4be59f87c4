"""Takes over a database whose tables another script made.

Old tables move as they are to the schema before_baseline, out of the API's reach; our migrations make the tables anew;
rows are copied. A row that our constraints refuse, and a reference into another organization, stays there and is listed
in before_baseline.left_behind; another run, after it was corrected there, copies it too. Nothing old is changed or
deleted.
"""

import json
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from common.errors import OperatorError
from pgschema import catalog
from pgschema.apply import lock_ledger, read_live, run
from pgschema.errors import database_error
from pgschema.migrations import SQL, read_migrations

Columns = Mapping[str, Mapping[str, str]]
"""table -> column of ours -> SQL expression over the old row."""

REFERENCES = """
select c.conrelid::regclass::text, c.confrelid::regclass::text from pg_constraint c
where c.contype = 'f' and c.connamespace = 'public'::regnamespace and c.confrelid <> c.conrelid
order by 1, 2
"""
# Triggers that judge what is new: carried rows are history, and keep the values they have.
JUDGES = ("email_sends_recipient", "organizations_timezone", "users_timezone")
JUDGED = """
select format('alter table %%s %%s trigger %%I', tgrelid::regclass, %s::text, tgname) from pg_trigger
where tgname = any(%s)
"""
LEFT = """
select whole, subject, count(*) from before_baseline.left_behind
where relation = %s group by whole, subject order by whole desc, subject
"""


def tables() -> list[str]:
    """The names of our tables in the schema public."""
    return [name.removeprefix("table public.") for name in catalog.read_snapshot() if name.startswith("table public.")]


def read_columns(path: Path | None) -> Columns:
    """Read the file that says what fills a column of ours where the old one has another name or other values.

    Raises:
        OperatorError: it cannot be read, or names a column that is not ours.
    """
    if path is None:
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        named = [(table, column, text) for table, columns in content.items() for column, text in columns.items()]
    except (OSError, ValueError, AttributeError) as error:
        wanted = 'Write {"table": {"column": "expression"}}.'
        raise OperatorError(f"cannot be read: {type(error).__name__}", str(path), wanted) from None
    ours = catalog.read_snapshot()
    for table, column, text in named:
        if f"column public.{table}.{column}" not in ours or not isinstance(text, str):
            raise OperatorError(f"{table}.{column} is no column of ours with an expression", str(path))
    return content  # type: ignore[no-any-return]


def differences(connection: psycopg.Connection[Any]) -> Iterator[str]:
    """How the database differs from the reviewed catalog, line by line; reads only."""
    found = catalog.compare(read_live(connection).catalog, catalog.read_snapshot())
    for kind, objects in (("security", found.security), ("tables", found.other)):
        yield from (f"{kind}: {name} ({what})" for name, what in objects.items())
    yield from (f"not ours: {line}" for line in found.foreign.values())


def take_over(connection: psycopg.Connection[Any], columns: Columns) -> list[str]:
    """Move old tables aside, make ours, copy the rows, in the transaction that is left open for the caller to end.

    Returns:
        lines of the report.

    Raises:
        OperatorError: there is nothing to take over, something depends on the old tables, an expression does not fit,
            or security is not as reviewed afterwards.
    """
    try:
        with connection.cursor() as cursor:
            rows = lock_ledger(connection, cursor)
        _prepare(connection)
        again = connection.execute("select to_regnamespace('before_baseline') is not null").fetchone() == (True,)
        report = [] if again else _replace(connection, {row.version for row in rows})
        if not again:
            # The end of each migration file resets settings and drops temporary functions.
            _prepare(connection)
        connection.execute("set local search_path = ''; set constraints all immediate")
        _switch(connection, "disable")
        for table in _order(connection):
            report += _carry(connection, table, columns.get(table, {}), again=again)
        _switch(connection, "enable")
    except psycopg.Error as error:
        raise database_error(error, "Nothing was changed.") from error
    return report


def _prepare(connection: psycopg.Connection[Any]) -> None:
    connection.execute("set local statement_timeout = '3h'; set local timezone = 'UTC'")
    connection.execute((SQL / "checks" / "baseline.sql").read_text(encoding="utf-8"))


def _replace(connection: psycopg.Connection[Any], recorded: set[str]) -> list[str]:
    migrations, names = read_migrations(), tables()
    if recorded & {migration.version for migration in migrations}:
        raise OperatorError("was made by our migrations", "database", "There is nothing to take over: run up.")
    if dependents := [name for (name,) in connection.execute("select * from pg_temp.dependents(%s)", (names,))]:
        raise OperatorError(
            f"{', '.join(dependents)} would stay with the old tables",
            "database",
            "Nothing was changed. Drop these, take the database over, and make them again on the new tables.",
        )
    connection.execute("select pg_temp.move(%s)", (names,))
    found = catalog.compare(run(connection, migrations, None)[1], catalog.read_snapshot())
    if found.security:
        raise OperatorError(f"security would not be as reviewed: {', '.join(found.security)}", "database")
    return [f"{line}. Not ours, may rely on the old tables" for line in found.foreign.values()]


def _switch(connection: psycopg.Connection[Any], verb: str) -> None:
    """Disable or enable the triggers that judge new rows."""
    for (command,) in connection.execute(JUDGED, (verb, list(JUDGES))).fetchall():
        connection.execute(command)


def _order(connection: psycopg.Connection[Any]) -> list[str]:
    """Our tables, each after those it points at."""
    sorter = TopologicalSorter[str]({f"public.{name}": () for name in tables()})
    for table, other in connection.execute(REFERENCES):
        sorter.add(table, other)
    return [name.removeprefix("public.") for name in sorter.static_order() if name.startswith("public.")]


def _carry(connection: psycopg.Connection[Any], table: str, given: Mapping[str, str], *, again: bool) -> Iterator[str]:
    if connection.execute("select to_regclass(%s)", (f"before_baseline.{table}",)).fetchone() == (None,):
        yield f"{table}: no old table"
        return
    row = connection.execute("select * from pg_temp.carry(%s, %s, %s)", (table, Jsonb(given), again)).fetchone()
    left = connection.execute(LEFT, (table,)).fetchall()
    assert row is not None
    if row[0] != row[1] + sum(count for whole, _, count in left if whole):
        raise OperatorError(f"{row[0]} rows, but {row[1]} were copied and {left} listed", table, "Nothing was changed.")
    yield f"{table}: {row[1]} of {row[0]} rows copied"
    for whole, subject, count in left:
        yield f"{table}: {count} rows " + (f"left behind: {subject}" if whole else f"copied without their {subject}")
    for name, filled in connection.execute("select * from pg_temp.unused(%s, %s)", (table, Jsonb(given))):
        yield f"{table}: old column {name} is not carried ({filled} values)"
