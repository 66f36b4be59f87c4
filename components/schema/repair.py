"""Make the security part of a database what `sql/snapshot.json` says: flags, rights, helper functions, policies.

Runs inside the transaction of the apply, so no other session sees a table between two states. The order keeps a table
closed even so: row-level security first, then what was opened is taken away, then the rest is built. Knows no Pulumi.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import psycopg

from components.errors import OperatorError
from components.schema import catalog
from components.schema.catalog import Catalog

ROLES = "public, anon, authenticated, service_role, workflows"
RIGHT = re.compile(r"(?P<right>[A-Z]+(?: \([^)]*\))?)(?P<option> with grant option)?(?:, |$)")


def repair(
    connection: psycopg.Connection[Any], before: Catalog, live: Catalog, expected: Catalog
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Undo in the open transaction what was changed by hand, in one round trip, and read the catalog again.

    Args:
        connection: inside a transaction, with the migrations applied; left there.
        before: the catalog before the migrations of this transaction; what they changed is no drift.
        live: the catalog after them.
        expected: the reviewed catalog.

    Returns:
        the catalog as it is now, and the objects that were repaired.

    Raises:
        OperatorError: a migration makes something else than what was reviewed, or the repair was not enough.
        psycopg.Error: the connection was lost.
    """
    wrong = catalog.compare(live, expected).security
    if unreviewed := {name: what for name, what in wrong.items() if before.get(name) != live.get(name)}:
        raise _refusal(unreviewed, "Run make snapshot and review what the new migrations do.")
    if not wrong:
        return dict(live), ()
    try:
        with connection.pipeline():
            for statement in statements(wrong, live, expected):
                connection.execute(statement.encode())
            rows = connection.execute(catalog.query())
        repaired = dict(rows.fetchall())
    except psycopg.DatabaseError as error:
        if error.sqlstate is None:
            raise
        raise _refusal(
            wrong, f"The repair failed: {error.diag.message_primary} (SQLSTATE {error.sqlstate})."
        ) from error
    if left := catalog.compare(repaired, expected).security:
        raise _refusal(left, "It cannot be repaired from here: undo what was changed by hand.")
    return repaired, tuple(wrong)


def statements(wrong: Mapping[str, str], live: Catalog, expected: Catalog) -> tuple[str, ...]:
    """The SQL that repairs these objects, in an order that never opens a table.

    Args:
        wrong: objects of the security part with what happened to them, as `catalog.compare` gives them.
        live: the catalog as it is.
        expected: the reviewed catalog.
    """
    owned, closed, taken, built, given = (list[str]() for _ in range(5))
    for name in wrong:
        kind, path = name.split(" ", 1)
        text = expected.get(name, "")
        target = {"grants": "table ", "function": "function ", "schema": "schema "}.get(kind, "") + path
        if "OWNER" in live.get(name, "").rpartition("rights: ")[2]:
            owned.append(f"alter {target} owner to current_user")
        # What hangs on a table or schema that is gone is beyond repair, and stays named.
        if kind == "rls" and name in live:
            closed.append(_flags(path, text))
        elif kind in {"grants", "schema"} and name in live:
            taken.append(f"revoke all on {target} from {ROLES} cascade")
            given += _grants(target, text)
        elif kind == "function" and text:
            definition, _, rights = text.rpartition("rights: ")
            built += [definition, f"revoke all on {target} from {ROLES} cascade", *_grants(target, rights)]
        elif kind == "policy" and f"rls {_table(path)}" in live:
            (given if text else taken).extend(_policy(path, text))
    return (*owned, *closed, *taken, *built, *given)


def _flags(table: str, text: str) -> str:
    on, forced = text.startswith("enabled"), text.endswith("forced")
    return (
        f"alter table {table} {'enable' if on else 'disable'} row level security,"
        f" {'force' if forced else 'no force'} row level security"
    )


def _grants(target: str, rights: str) -> Iterator[str]:
    for line in rights.removeprefix("rights: ").split("; "):
        role, _, each = line.partition(": ")
        for found in RIGHT.finditer(each):
            yield f"grant {found['right']} on {target} to {role}{found['option'] or ''}"


def _policy(path: str, text: str) -> Iterator[str]:
    table = _table(path)
    quoted = '"' + path.removeprefix(f"{table}.").replace('"', '""') + '"'
    yield f"drop policy if exists {quoted} on {table}"
    if text:
        mode, command, rest = text.split(" ", 2)
        yield f"create policy {quoted} on {table} as {mode} for {command} {rest}"


def _table(path: str) -> str:
    return ".".join(path.split(".")[:2])


def _refusal(objects: Mapping[str, str], remedy: str) -> OperatorError:
    named: Sequence[str] = [f"{name} ({what})" for name, what in objects.items()]
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    what = f"security is not as reviewed in sql/snapshot.json: {', '.join(named[:5])}{more}"
    return OperatorError(what, "database", f"Nothing was applied. {remedy}")
