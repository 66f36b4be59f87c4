"""What is tried against a database, by whom, and what counts as repelled: pure data, made from the live catalog.

A refusal is SQLSTATE 42501 (no privilege, or a policy's WITH CHECK), or no row where a policy hides rows. Tables that
later migrations or other hands add are attacked too, without a line here.
"""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by _literal

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

DENIED = frozenset({"42501"})
NOTHING = frozenset({"42501", "0"})
FOREIGN_KEY = frozenset({"23503"})


@dataclass(frozen=True)
class Actor:
    """Who attacks: a database role, and the account in the token, when there is one.

    `posing_as` is the organization that the account names in its metadata, which every account writes itself.
    """

    role: str
    label: str
    account: str | None = None
    posing_as: str | None = None

    @property
    def claims(self) -> str:
        """The token's claims as JSON."""
        metadata = {"organization_id": self.posing_as, "role": "owner"}
        return json.dumps({"role": self.role, "sub": self.account, "user_metadata": metadata})


NOBODY = Actor("anon", "not signed in")
SERVER = Actor("service_role", "server")


@dataclass(frozen=True)
class Attack:
    """One statement by one actor; `allowed` are the outcomes (row counts, SQLSTATEs) that count as repelled."""

    table: str
    verb: str
    actor: Actor
    statement: str
    allowed: frozenset[str] = NOTHING


@dataclass(frozen=True)
class Organization:
    """An organization of the check, with its accounts by member role."""

    accounts: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of(cls, *roles: str) -> "Organization":
        """An organization with one account per role."""
        return cls({role: str(uuid.uuid4()) for role in roles})

    def actor(self, role: str, label: str, posing_as: str | None = None) -> Actor:
        """The signed-in account of that member role."""
        return Actor("authenticated", label, self.accounts[role], posing_as)


@dataclass(frozen=True)
class Stage:
    """The organizations the check makes: a victim, a neighbour like it that is closed, and an outsider's, which stays
    empty.
    """

    victim: Organization
    neighbour: Organization
    outsider: Organization

    @classmethod
    def new(cls) -> "Stage":
        """Fresh ids, so that checks running at once do not meet."""
        full = ("owner", "admin", "member", "disabled")
        return cls(Organization.of(*full), Organization.of(*full), Organization.of("owner", "member"))

    @property
    def organizations(self) -> tuple[Organization, ...]:
        """All three, in the order they are made."""
        return self.victim, self.neighbour, self.outsider


@dataclass(frozen=True)
class Target:
    """A table or view of the API.

    Attributes:
        name: qualified and quoted.
        kind: table, view, writable view, or copy: a materialized view or foreign table.
        tenant: the column that holds the organization, or None.
        columns: quoted columns with the privileges on them, as `authenticated INSERT`, and true at the end for those
            that may be set to their default.
        keys: foreign keys into other tables here: `target`, and `columns` from own to theirs.
        rows: one row per organization, None where it has none.
    """

    name: str
    kind: str
    tenant: str | None
    columns: dict[str, list[str | bool] | None]
    keys: list[dict[str, Any]] | None
    rows: dict[str, dict[str, Any] | None]

    @property
    def short(self) -> str:
        """The name an operator knows."""
        return self.name.removeprefix("public.")

    @property
    def takes(self) -> bool:
        """Whether rows can be written through it."""
        return self.kind in {"table", "writable view"}

    def open_to(self, role: str, verb: str) -> list[str]:
        """The columns on which the role has the privilege, or all when it has none anywhere; first those that may be
        set to their default.
        """
        held = {name: rights for name, rights in self.columns.items() if rights and f"{role} {verb}" in rights}
        return sorted(held, key=lambda name: not held[name][-1]) or list(self.columns)


def attacks(
    stage: Stage, targets: Iterable[Target], insiders: Iterable[Sequence[str]], sealed: Iterable[Sequence[str]]
) -> list[Attack]:
    """Everything that must be repelled.

    Args:
        stage: the organizations.
        targets: tables and views of the API.
        insiders: member role, table, verb and statement.
        sealed: database role, object, verb and statement that no account gives a right to.
    """
    by_name = {target.short: target for target in targets}
    foreigners = _foreigners(stage)
    found: list[Attack] = []
    for target in by_name.values():
        found += _nobody(target)
        for actor, users in foreigners.items():
            found += _foreigner(target, actor, stage, users)
        if target.kind == "table":
            found.append(Attack(target.short, "truncate", SERVER, f"truncate {target.name}", DENIED))
        if target.tenant:
            disabled = stage.victim.actor("disabled", "disabled member")
            found.append(Attack(target.short, "select", disabled, f"select 1 from {target.name} limit 1"))
            found += _move(target, stage)
            found += _cross(target, stage, by_name)
    for role, table, verb, statement in insiders:
        found.append(Attack(table, verb, stage.victim.actor(role, f"{role} of the organization"), statement))
    anybody = {each.role: each for each in (NOBODY, SERVER, *foreigners)}
    found += [Attack(name, verb, anybody[role], statement, DENIED) for role, name, verb, statement in sealed]
    return found


def controls(stage: Stage, targets: Iterable[Target]) -> list[Attack]:
    """What must work, or the refusals above prove nothing: a member, and the server, read an organization's rows."""
    owner = stage.victim.actor("owner", "owner of the organization")
    return [
        Attack(target.short, "select", actor, f"select 1 from {target.name} limit 1", frozenset({"1"}))
        for target in targets
        if target.kind == "table" and target.rows.get(stage.victim.id)
        for actor in (owner, SERVER)
    ]


def _foreigners(stage: Stage) -> dict[Actor, int]:
    """Accounts that the victim's rows do not belong to, with how many members of its own each may change."""
    victim, own = stage.victim.id, stage.outsider
    return {
        own.actor("member", "member of another organization", victim): 1,
        own.actor("owner", "owner of another organization", victim): len(own.accounts),
        Actor("authenticated", "account without organization", str(uuid.uuid4()), victim): 0,
    }


def _nobody(target: Target) -> Iterator[Attack]:
    """anon holds no privilege at all; conditions that are false leave the privilege alone to decide."""
    name = target.name
    inserted, updated = target.open_to("anon", "INSERT"), target.open_to("anon", "UPDATE")[0]
    yield Attack(target.short, "select", NOBODY, f"select 1 from {name} where false", DENIED)
    if target.takes:
        nulls = ", ".join("null" for _ in inserted)
        rows = f"({', '.join(inserted)}) select {nulls} where false"
        yield Attack(target.short, "insert", NOBODY, f"insert into {name} {rows}", DENIED)
        yield Attack(target.short, "update", NOBODY, f"update {name} set {updated} = default where false", DENIED)
        yield Attack(target.short, "delete", NOBODY, f"delete from {name} where false", DENIED)
    if target.kind == "table":
        yield Attack(target.short, "truncate", NOBODY, f"truncate {name}", DENIED)


def _foreigner(target: Target, actor: Actor, stage: Stage, users: int) -> Iterator[Attack]:
    """A signed-in account that the victim's rows do not belong to, and that has hardly any of its own."""
    name = target.name
    elsewhere = f"where {target.tenant} is distinct from {_literal(stage.outsider.id)}" if target.tenant else ""
    if target.kind == "copy":
        yield Attack(target.short, "select", actor, f"select 1 from {name} where false", DENIED)
    elif target.tenant or not users:
        yield Attack(target.short, "select", actor, f"select 1 from {name} {elsewhere} limit 1")
    if target.takes and (row := target.rows.get(stage.victim.id)):
        yield Attack(target.short, "insert", actor, _insert(target, row), DENIED)
    if target.tenant and target.takes:
        # Its own organization's members, and as the owner the organization, are the only rows it may change.
        mine = {"users": users, "organizations": int(users > 1)}.get(target.short, 0)
        column = target.open_to("authenticated", "UPDATE")[0]
        update = f"update {name} set {column} = default where pg_temp.tripwire({mine})"
        yield Attack(target.short, "update", actor, update, NOTHING | {str(mine)})
        yield Attack(target.short, "delete", actor, f"delete from {name} where pg_temp.tripwire(0)")
    if target.kind == "table":
        yield Attack(target.short, "truncate", actor, f"truncate {name}", DENIED)


def _move(target: Target, stage: Stage) -> Iterator[Attack]:
    if target.tenant == "organization_id" and target.takes:
        owner = stage.victim.actor("owner", "owner moving rows to another organization")
        change = f"set organization_id = {_literal(stage.neighbour.id)} where pg_temp.tripwire(9)"
        yield Attack(target.short, "update (organization_id)", owner, f"update {target.name} {change}")


def _cross(target: Target, stage: Stage, by_name: dict[str, Target]) -> Iterator[Attack]:
    """Rows of the neighbour pointed at rows of the victim, one foreign key at a time."""
    for key in target.keys or ():
        goal = by_name[key["target"].removeprefix("public.")].rows.get(stage.victim.id)
        pairs = {own: theirs for own, theirs in key["columns"].items() if own != "organization_id"}
        if not goal or not target.rows.get(stage.neighbour.id):
            continue
        values = ", ".join(f'"{own}" = {_literal(goal[theirs])}' for own, theirs in pairs.items())
        where = f"where organization_id = {_literal(stage.neighbour.id)}"
        verb = f"update ({', '.join(pairs)})"
        statement = f"update {target.name} set {values} {where}"
        owner = stage.neighbour.actor("owner", "owner pointing into another organization")
        yield Attack(target.short, verb, owner, statement, NOTHING | FOREIGN_KEY)
        server = replace(SERVER, label="server pointing into another organization")
        yield Attack(target.short, verb, server, statement, DENIED | FOREIGN_KEY)


def _insert(target: Target, row: dict[str, Any]) -> str:
    columns = target.open_to("authenticated", "INSERT")
    fresh = _literal(json.dumps({**row, "id": str(uuid.uuid4())}))
    chosen = ", ".join(columns)
    return (
        f"insert into {target.name} ({chosen}) select {chosen} from jsonb_populate_record(null::{target.name}, {fresh})"
    )


def _literal(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
