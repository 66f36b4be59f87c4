"""Copies of tables without their triggers: for tables where writing a row could reach outside or move a sequence.

A copy is a temporary table with the same columns, privileges and policies, so that the policies judge made-up rows and
nothing else happens.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pgschema.reach import Reach
from pgschema.surface import Relation, Surface, as_text, literal, quoted

COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}


def to_copy(surface: Surface, reach: Reach, never: set[int], *, clone: bool) -> frozenset[int]:
    """The tables that are attacked in a copy, with those that cannot have a row without theirs.

    Args:
        surface: the database.
        reach: what its triggers reach.
        never: ids of tables that helpers of policies read, so that their rows have to be real.
        clone: nothing is copied there.
    """
    if clone:
        return frozenset()
    copied = {each.id for each in surface.relations.values() if each.is_table and reach.writing(each)} - never
    while True:
        more = {each.id for each in surface.relations.values() if _requires(each) & copied} - copied
        if not more:
            return frozenset(copied)
        copied |= more


def count_on_insert(surface: Surface, *, clone: bool) -> frozenset[int]:
    """The tables where an INSERT by a signed-in account takes a number from a sequence that it may not set."""
    found = set()
    for each in surface.exposed:
        writable = {column.name for column in each.open_to("authenticated", "INSERT")}
        if writable and any(column.counted and column.name not in writable for column in each.columns):
            found.add(each.id)
    return frozenset() if clone else frozenset(found)


def has_key(relation: Relation) -> bool:
    """Whether single rows of the table can be named."""
    return any(each.kind == "p" for each in relation.constraints)


def copy_rows(relation: Relation, rows: Sequence[Mapping[str, Any]]) -> str | None:
    """The statement that copies the rows that the check made; nothing where no key tells them."""
    keys = [each for each in relation.constraints if each.kind == "p"]
    if not keys or not rows:
        return None
    names = ", ".join(quoted(each.name) for each in relation.columns if not each.generated)
    key = ", ".join(quoted(name) for name in keys[0].columns)
    places = ", ".join("(" + ", ".join(literal(as_text(row[name])) for name in keys[0].columns) + ")" for row in rows)
    return (
        f"insert into pg_temp.{quoted(relation.name)} ({names}) overriding system value"  # noqa: S608
        f" select {names} from {relation.qualified} where ({key}) in ({places})"
    )


def copy(relation: Relation) -> Iterator[str]:
    """The statements that make the copy."""
    name = f"pg_temp.{quoted(relation.name)}"
    yield f"create temporary table {quoted(relation.name)} (like {relation.qualified} including generated)"
    for column in relation.columns:
        if column.counted and column.required:
            yield f"alter table {name} alter column {quoted(column.name)} drop not null"
    if relation.secured:
        yield f"alter table {name} enable row level security"
    for role, verbs in relation.rights.items():
        whole = [verb for verb in ("SELECT", "INSERT", "UPDATE", "DELETE") if verb in verbs]
        if role == "service_role":
            whole_table = whole
        else:
            whole_table = [verb for verb in whole if verb == "DELETE"]
            for verb in ("SELECT", "INSERT", "UPDATE"):
                columns = [quoted(each.name) for each in relation.columns if f"{role} {verb}" in each.rights]
                if columns:
                    yield f"grant {verb} ({', '.join(columns)}) on {name} to {role}"
        if whole_table:
            yield f"grant {', '.join(whole_table)} on {name} to {role}"
    for number, policy in enumerate(relation.policies):
        if policy["roles"]:
            kind = "permissive" if policy["permissive"] else "restrictive"
            using = f" using ({policy['using']})" if policy["using"] else ""
            check = f" with check ({policy['check']})" if policy["check"] else ""
            command, roles = COMMANDS[policy["command"]], ", ".join(policy["roles"])
            yield f"create policy p{number} on {name} as {kind} for {command} to {roles}{using}{check}"


def _requires(relation: Relation) -> set[int]:
    required = {each.name for each in relation.columns if each.required}
    return {key.target for key in relation.keys if set(key.columns) <= required}
