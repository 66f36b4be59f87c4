"""What members and the server must go on being able to do, or the refusals prove nothing."""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by `literal`

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pgschema.isolation_cases import LET_THROUGH, RAISED, STORAGE, Attack, Attacker
from pgschema.stage import MEMBER_ROLES, SERVER, Actor, Organization
from pgschema.surface import Relation, as_text, literal, quoted

VERBS = ("select", "insert", "update", "delete")
RIGHT = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE)\b")


@dataclass(frozen=True)
class Right:
    """A right that must be kept: it is, when one of the attempts gets through."""

    table: str
    verb: str
    actor: Actor
    attempts: tuple[Attack, ...]


def rights(attacker: Attacker, reviewed: Mapping[str, str]) -> Iterator[Right]:
    """The rights to try, for each table that has rows.

    Args:
        attacker: knows the rows.
        reviewed: the snapshot; a right that it holds must be there even if it was revoked since.
    """
    victim, neighbour = attacker.stage.victim, attacker.stage.neighbour
    owner = victim.actor("owner", "owner of the organization")
    people = [victim.actor(role, f"{role} of the organization") for role in MEMBER_ROLES]
    numbers = itertools.count(1)
    reviewed = {name: text for name, text in reviewed.items() if name.startswith(("grants ", "policy "))}
    for relation in attacker.surface.exposed:
        if not relation.is_table or relation.schema == STORAGE or not attacker.rows.get((relation.id, victim.id)):
            continue
        if attacker.reach.reading(relation) and not attacker.clone:
            continue
        if relation.id in attacker.borrowed:
            continue  # its row is another account's
        verbs = expected(relation, "authenticated", reviewed)
        if "select" in verbs:
            select = _select(attacker, relation, owner)
            yield Right(relation.short, "select", owner, (select,))
        if "select" in expected(relation, SERVER.role, reviewed):
            yield Right(relation.short, "select", SERVER, (_select(attacker, relation, SERVER),))
        if relation.id in attacker.planner.copied:
            continue
        for verb in VERBS[1:]:
            if verb not in verbs or (verb == "insert" and relation.id in attacker.planner.counting):
                continue
            if verb == "delete" and attacker.reach.deleting(relation) and not attacker.clone:
                continue
            attempts = _write(attacker, relation, verb, people, victim)
            closed = neighbour.actor("owner", "owner of a closed organization")
            attempts += _write(attacker, relation, verb, [closed], neighbour)
            if attempts:
                number = next(numbers)
                yield Right(relation.short, verb, owner, tuple(replace(each, right=number) for each in attempts))


def expected(relation: Relation, role: str, reviewed: Mapping[str, str]) -> set[str]:
    """The verbs that the role has to keep: those reviewed, and those that privileges and policies say today."""
    grants = reviewed.get(f"grants {relation.full}", "")
    held = next((part for part in grants.split("; ") if part.startswith(f"{role}: ")), "")
    found = {verb.lower() for verb in RIGHT.findall(re.sub(r"\([^)]*\)", "", held))}
    for verb in VERBS:
        governed = role == SERVER.role or not relation.secured or relation.governed(role, verb.upper())
        if relation.may(role, verb.upper()) and governed:
            found.add(verb)
    policies = [text for name, text in reviewed.items() if name.startswith(f"policy {relation.full}.")]
    if role == SERVER.role or not held:
        return found
    # Where a policy was reviewed, a privilege without one is none.
    return {verb for verb in found if any(_covers(text, verb) for text in policies)} if policies else found


def _covers(policy: str, verb: str) -> bool:
    return policy.split(" ")[1] in {"all", verb}


def _select(attacker: Attacker, relation: Relation, actor: Actor) -> Attack:
    statement = f"select 1 from {attacker.at(relation)} limit 1"
    return Attack(relation.short, "select", actor, statement, frozenset({"1"}), read_only=True)


def _write(
    attacker: Attacker, relation: Relation, verb: str, actors: Sequence[Actor], organization: Organization
) -> list[Attack]:
    """The attempts of members at rows of their organization."""
    statement = _statement(attacker, relation, verb, organization)
    if statement is None:
        return []
    # A trigger that raises for everybody is no lock-out; before an insert it says nothing about policies.
    raised = RAISED if verb != "insert" else frozenset()
    allowed = LET_THROUGH | raised | {str(number) for number in range(1, 100)}
    return [
        Attack(relation.short, verb, actor, statement, allowed, own=organization.id, watch=True) for actor in actors
    ]


def _statement(attacker: Attacker, relation: Relation, verb: str, organization: Organization) -> str | None:
    if verb == "insert":
        return attacker.insert(relation, "authenticated", organization)
    place = _own_rows(attacker, relation, organization)
    if place is None:
        return None
    if verb == "delete":
        return f"delete from {attacker.at(relation)} where {place}"
    columns = [each for each in relation.open_to("authenticated", "UPDATE") if "authenticated SELECT" in each.rights]
    columns = [each for each in columns if each.identity != "a"]
    changes = ", ".join(f"{quoted(each.name)} = {quoted(each.name)}" for each in columns)
    changes = changes or f"{quoted(relation.columns[0].name)} = default"
    return f"update {attacker.at(relation)} set {changes} where {place}"


def _own_rows(attacker: Attacker, relation: Relation, organization: Organization) -> str | None:
    """A condition for the rows that the check made for the organization."""
    tenant = attacker.tenancy.column(relation)
    if tenant and relation.id not in attacker.planner.large:
        return f"{quoted(tenant)} = {literal(organization.id)}"
    rows = attacker.rows.get((relation.id, organization.id), [])
    keys = [each for each in relation.constraints if each.kind == "p"]
    if not rows or not keys:
        return None
    names = ", ".join(quoted(name) for name in keys[0].columns)
    places = ", ".join("(" + ", ".join(literal(as_text(row[name])) for name in keys[0].columns) + ")" for row in rows)
    return f"({names}) in ({places})"
