"""Make the security part of a database what `sql/snapshot.json` says: flags, rights, helper functions, policies.

Runs inside the transaction of the apply, so no other session sees a table between two states. The order keeps a table
closed even so: row-level security first, then what was opened is taken away, then the rest is built. Knows no Pulumi.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import catalog
from pgschema.catalog import Catalog, kind_of, path_of, relation_of
from pgschema.rights import DEPLOYER, MARK, owner, rights

# Options of a view, and its query.
VIEW = re.compile(r"((?:\w+=\w+(?:, )?)*)\s*(.*)", re.DOTALL)
# Who may hold rights on a function by default: PUBLIC as Postgres does it, the others as Supabase does.
BY_DEFAULT = ("PUBLIC", "anon", "authenticated", "service_role")


@dataclass
class Plan:
    """The statements of a repair, in the order of the fields: none of them opens a table on the way."""

    owned: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    built: list[str] = field(default_factory=list)
    given: list[str] = field(default_factory=list)


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
    """Return the SQL that repairs these objects, in an order that never opens a table.

    Args:
        wrong: objects of the security part with what happened to them, as `catalog.compare` gives them.
        live: the catalog as it is.
        expected: the reviewed catalog.
    """
    plan = Plan()
    for name in wrong:
        REPAIRS[kind_of(name)](plan, name, live, expected)
    return (*plan.owned, *plan.closed, *plan.taken, *plan.built, *plan.given)


def _flags(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    # What hangs on a table that is gone is beyond repair, and stays named.
    if name not in live or name not in expected:
        return
    on, forced = expected[name].startswith("enabled"), expected[name].endswith("forced")
    plan.closed.append(
        f"alter table {path_of(name)} {'enable' if on else 'disable'} row level security,"
        f" {'force' if forced else 'no force'} row level security"
    )


def _object_rights(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    """Give a relation or schema back to its owner, and each role the rights that were reviewed."""
    if name not in live:
        return
    noun = _noun(name, live)
    target = f"{noun} {path_of(name)}"
    _own(plan, target, live[name], expected.get(name, ""))
    now, wanted = set(rights(live[name])), set(rights(expected.get(name, "")))
    for role in sorted({each.role for each in now ^ wanted}):
        before = {each for each in now if each.role == role}
        after = {each for each in wanted if each.role == role}
        # Taking a privilege from a table takes it from the columns too, so the role's rights there are given anew.
        # USAGE on a schema may come from elsewhere: there only what is too much is taken.
        extra = before - after if noun == "schema" else before
        if extra:
            what = ", ".join(sorted(each.what for each in extra)) if noun == "schema" else "all"
            plan.taken.append(f"revoke {what} on {target} from {role} cascade")
        plan.given.extend(each.grant(target) for each in sorted(after - (before - extra), key=str))


def _routine(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    if name not in expected:
        return
    target = f"routine {path_of(name)}"
    _own(plan, target, live.get(name, ""), expected[name])
    roles = {*BY_DEFAULT, *(each.role for each in rights(live.get(name, "")))}
    plan.built += [
        *(text for text in [expected[name].rpartition(MARK)[0]] if text),
        f"revoke all on {target} from {', '.join(sorted(roles))} cascade",
        *(each.grant(target) for each in rights(expected[name])),
    ]


def _view(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    if name not in expected:
        return
    options, query = VIEW.fullmatch(expected[name]).groups()  # type: ignore[union-attr]
    with_options = f" with ({options})" if options else ""
    plan.built.append(f"create or replace view {path_of(name)}{with_options} as {query}")


def _policy(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    table = relation_of(name)
    flags = f"rls {table}"
    if flags in expected and flags not in live:
        return
    quoted = '"' + path_of(name).removeprefix(f"{table}.").replace('"', '""') + '"'
    drop = f"drop policy if exists {quoted} on {table}"
    if name not in expected:
        plan.taken.append(drop)
        return
    mode, command, rest = expected[name].split(" ", 2)
    plan.given += [drop, f"create policy {quoted} on {table} as {mode} for {command} {rest}"]


def _default_privileges(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    schema, _, objects = path_of(name).rpartition(".")
    start = "alter default privileges" + ("" if schema == "*" else f" in schema {schema}")
    for role in sorted({each.role for each in rights(live.get(name, ""))}):
        plan.taken.append(f"{start} revoke all on {objects} from {role}")
    for each in rights(expected.get(name, "")):
        option = " with grant option" if each.grantable else ""
        plan.given.append(f"{start} grant {each.what} on {objects} to {each.role}{option}")


def _published(plan: Plan, name: str, live: Catalog, expected: Catalog) -> None:
    table = relation_of(name)
    if name in live:
        publication = live[name].removeprefix("in ").split(" ")[0]
        plan.taken.append(f"alter publication {publication} drop table only {table}")
    if name in expected:
        publication, _, rest = expected[name].removeprefix("in ").partition(" ")
        plan.given.append(f"alter publication {publication} add table only {table} {rest}")


Repair = Callable[[Plan, str, Catalog, Catalog], None]
REPAIRS: Mapping[str, Repair] = {
    "rls": _flags,
    "grants": _object_rights,
    "schema": _object_rights,
    "function": _routine,
    "procedure": _routine,
    "view": _view,
    "policy": _policy,
    "default-privileges": _default_privileges,
    "published": _published,
}


def _own(plan: Plan, target: str, now: str, wanted: str) -> None:
    if now and owner(now) != owner(wanted):
        new = "current_user" if owner(wanted) == DEPLOYER else owner(wanted)
        plan.owned.append(f"alter {target} owner to {new}")


def _noun(name: str, live: Catalog) -> str:
    if kind_of(name) == "schema":
        return "schema"
    return "sequence" if f"sequence {path_of(name)}" in live else "table"


def _refusal(objects: Mapping[str, str], remedy: str) -> OperatorError:
    named: Sequence[str] = [f"{name} ({what})" for name, what in objects.items()]
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    what = f"security is not as reviewed in sql/snapshot.json: {', '.join(named[:5])}{more}"
    return OperatorError(what, "database", f"Nothing was applied. {remedy}")
