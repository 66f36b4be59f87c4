"""What is tried against a database, by whom, and what counts as repelled: pure data, made from the live catalog.

A refusal is SQLSTATE 42501 (no privilege, or a policy's WITH CHECK), or no row where a policy hides rows. Tables that
later migrations or other hands add are attacked too, without a line here.
"""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by _literal

import json
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

DENIED = frozenset({"42501"})
NOTHING = frozenset({"42501", "0"})
FOREIGN_KEY = frozenset({"23503"})


@dataclass(frozen=True)
class Actor:
    """Who attacks: a database role, and the account in the token, when there is one."""

    role: str
    label: str
    account: str | None = None

    @property
    def claims(self) -> str:
        """The token's claims as JSON."""
        return json.dumps({"role": self.role} | ({"sub": self.account} if self.account else {}))


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

    def actor(self, role: str, label: str) -> Actor:
        """The signed-in account of that member role."""
        return Actor("authenticated", label, self.accounts[role])


@dataclass(frozen=True)
class Stage:
    """The organizations the check makes: a victim, a neighbour like it, and an outsider's, which stays empty."""

    victim: Organization
    neighbour: Organization
    outsider: Organization

    @classmethod
    def new(cls) -> "Stage":
        """Fresh ids, so that checks running at once do not meet."""
        full = ("owner", "admin", "member", "disabled")
        return cls(Organization.of(*full), Organization.of(*full), Organization.of("member"))

    @property
    def organizations(self) -> tuple[Organization, ...]:
        """All three, in the order they are made."""
        return self.victim, self.neighbour, self.outsider


@dataclass(frozen=True)
class Target:
    """A table or view of the API.

    Attributes:
        name: qualified and quoted.
        is_table: false for a view.
        tenant: the column that holds the organization, or None.
        columns: quoted columns with the privileges on them, as `authenticated INSERT`.
        keys: foreign keys into other tables here: `target`, and `columns` from own to theirs.
        rows: one row per organization, None where it has none.
    """

    name: str
    is_table: bool
    tenant: str | None
    columns: dict[str, list[str] | None]
    keys: list[dict[str, Any]] | None
    rows: dict[str, dict[str, Any] | None]

    @property
    def short(self) -> str:
        """The name an operator knows."""
        return self.name.removeprefix("public.")

    def open_to(self, role: str, verb: str) -> list[str]:
        """The columns on which the role has the privilege, or all when it has none anywhere."""
        return [name for name, held in self.columns.items() if f"{role} {verb}" in (held or ())] or list(self.columns)


def attacks(stage: Stage, targets: Iterable[Target], insiders: Iterable[Sequence[str]]) -> list[Attack]:
    """Everything that must be repelled; `insiders` are member role, table, verb and statement."""
    by_name = {target.short: target for target in targets}
    found: list[Attack] = []
    for target in by_name.values():
        found += _nobody(target)
        found += _foreigner(target, stage.outsider.actor("member", "member of another organization"), stage)
        found += _foreigner(target, Actor("authenticated", "account without organization", str(uuid.uuid4())), stage)
        if target.is_table:
            server = Actor("service_role", "server")
            found.append(Attack(target.short, "truncate", server, f"truncate {target.name}", DENIED))
        if target.tenant:
            disabled = stage.victim.actor("disabled", "disabled member")
            found.append(Attack(target.short, "select", disabled, f"select 1 from {target.name} limit 1"))
            found += _move(target, stage)
            found += _cross(target, stage, by_name)
    for role, table, verb, statement in insiders:
        found.append(Attack(table, verb, stage.victim.actor(role, f"{role} of the organization"), statement))
    return found


def controls(stage: Stage, targets: Iterable[Target]) -> list[Attack]:
    """What must work, or the refusals above prove nothing: a member reads its own organization's rows."""
    owner = stage.victim.actor("owner", "owner of the organization")
    return [
        Attack(target.short, "select", owner, f"select 1 from {target.name} limit 1", frozenset({"1"}))
        for target in targets
        if target.rows.get(stage.victim.id)
    ]


def _nobody(target: Target) -> Iterator[Attack]:
    """anon holds no privilege at all; conditions that are false leave the privilege alone to decide."""
    actor, name = Actor("anon", "not signed in"), target.name
    inserted, updated = target.open_to("anon", "INSERT"), target.open_to("anon", "UPDATE")[0]
    yield Attack(target.short, "select", actor, f"select 1 from {name} where false", DENIED)
    if target.is_table:
        nulls = ", ".join("null" for _ in inserted)
        rows = f"({', '.join(inserted)}) select {nulls} where false"
        yield Attack(target.short, "insert", actor, f"insert into {name} {rows}", DENIED)
        yield Attack(target.short, "update", actor, f"update {name} set {updated} = default where false", DENIED)
        yield Attack(target.short, "delete", actor, f"delete from {name} where false", DENIED)
        yield Attack(target.short, "truncate", actor, f"truncate {name}", DENIED)


def _foreigner(target: Target, actor: Actor, stage: Stage) -> Iterator[Attack]:
    """A signed-in account that the victim's rows do not belong to, and that has hardly any of its own."""
    name, own = target.name, actor.account == stage.outsider.accounts["member"]
    elsewhere = f"where {target.tenant} is distinct from {_literal(stage.outsider.id)}" if target.tenant else ""
    if target.tenant or not own:
        yield Attack(target.short, "select", actor, f"select 1 from {name} {elsewhere} limit 1")
    if row := target.rows.get(stage.victim.id):
        yield Attack(target.short, "insert", actor, _insert(target, row), DENIED)
    if target.tenant and target.is_table:
        # The outsider's own profile is the only row it may change.
        mine = 1 if own and target.short == "users" else 0
        column = target.open_to("authenticated", "UPDATE")[0]
        update = f"update {name} set {column} = default where pg_temp.tripwire({mine})"
        yield Attack(target.short, "update", actor, update, NOTHING | {str(mine)})
        yield Attack(target.short, "delete", actor, f"delete from {name} where pg_temp.tripwire(0)")
    if target.is_table:
        yield Attack(target.short, "truncate", actor, f"truncate {name}", DENIED)


def _move(target: Target, stage: Stage) -> Iterator[Attack]:
    if target.tenant == "organization_id" and target.is_table:
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
        server = Actor("service_role", "server pointing into another organization")
        yield Attack(target.short, verb, server, statement, FOREIGN_KEY)


def _insert(target: Target, row: dict[str, Any]) -> str:
    columns = target.open_to("authenticated", "INSERT")
    fresh = _literal(json.dumps({**row, "id": str(uuid.uuid4())}))
    chosen = ", ".join(columns)
    return (
        f"insert into {target.name} ({chosen}) select {chosen} from jsonb_populate_record(null::{target.name}, {fresh})"
    )


def _literal(value: Any) -> str:
    return "'" + str(value).replace("'", "''") + "'"
