"""What is tried against tables and views, by whom, and what counts as repelled: pure data, made from the live catalog.

A refusal is SQLSTATE 42501 (no privilege, or a policy's WITH CHECK), or no row where a policy hides rows. Tables that
later migrations or other hands add are attacked too, without a line here.
"""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by `literal`

import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pgschema.inserts import cells, insert_into, place
from pgschema.insiders import Insiders
from pgschema.reach import Reach
from pgschema.sample_rows import MINIMAL, SPARE, Planner
from pgschema.stage import NOBODY, SERVER, Actor, Organization, Stage
from pgschema.surface import VIEWS, Column, Constraint, Relation, Surface, as_text, literal, quoted
from pgschema.tenancy import Tenancy, is_account

DENIED = frozenset({"42501"})
NOTHING = frozenset({"42501", "0"})
STORAGE = "storage"
# A trigger of the table said no.
RAISED = frozenset({"P0001"})
FOREIGN_KEY = frozenset({"23503"})
# Only rows that policies let through reach the constraints.
LET_THROUGH = frozenset({"23502", "23503", "23505", "23514", "23P01", "23001"})

Rows = Mapping[tuple[int, str], list[dict[str, Any]]]
"""The rows that were made: (relation id, organization id) -> rows, the one that others refer to first."""


@dataclass(frozen=True)
class Attack:
    """One statement by one actor; `allowed` are the outcomes (row counts, SQLSTATEs) that count as repelled.

    Attributes:
        own: the organization that the statement may change.
        watch: whether every other organization's rows are compared afterwards.
        immediate: a constraint that would otherwise be checked at the end of the transaction.
        right: attempts of the same number are over once one has an outcome of `allowed`; 0 for an attack.
    """

    table: str
    verb: str
    actor: Actor
    statement: str
    allowed: frozenset[str] = NOTHING
    read_only: bool = False
    own: str = ""
    watch: bool = False
    right: int = 0
    immediate: str | None = None

    def repelled(self, outcome: str) -> bool:
        """Whether the outcome is one of those allowed."""
        return outcome in self.allowed


@dataclass(frozen=True)
class Attacker:
    """Makes the attacks on one database.

    Attributes:
        surface, tenancy, insiders, stage, reach: what the attacks are made from.
        planner: gives fresh rows.
        rows: the rows that are there to be attacked.
        clone: whether statements with effects outside may run.
        failures: relation id -> why no row could be made.
        borrowed: tables whose rows hold an account of somebody else.
        own: relation id -> rows that the outsider's organization has there, say by a trigger.
    """

    surface: Surface
    tenancy: Tenancy
    insiders: Insiders
    stage: Stage
    reach: Reach
    planner: Planner
    rows: Rows
    clone: bool
    failures: Mapping[int, str] = field(default_factory=dict)
    borrowed: frozenset[int] = frozenset()
    own: Mapping[int, int] = field(default_factory=dict)
    spares: dict[tuple[int, str], Mapping[str, str | None]] = field(default_factory=dict)

    def attacks(self) -> Iterator[Attack]:
        """Everything that must be repelled on the relations of the API."""
        for each in self.surface.exposed:
            if each.kind == "f" or (self.reach.reading(each) and not self.clone):
                continue  # the catalog judges these
            # Supabase gives its storage to everybody, and policies guard it. Elsewhere anon may hold no
            # privilege at all, which the catalog tells.
            guarded = [NOBODY] if each.schema == STORAGE else []
            for actor in (*self.stage.foreigners, *guarded):
                yield from self._foreigner(each, actor)
            yield from self._members(each)
        yield from self._insiders()
        yield from self._sequences()

    def spare(self, relation: Relation, organization: Organization) -> Mapping[str, str | None]:
        """A row of the organization that is not there yet."""
        about = (relation.id, organization.id)
        if about not in self.spares:
            self.spares[about] = self.planner.values(relation, organization, SPARE)
        return self.spares[about]

    def _again(self, relation: Relation, row: Mapping[str, Any], allowed: set[str]) -> str:
        """An INSERT of a row that was read, with ids that are not taken: through a view, or for a row from a file."""
        columns = {each.name: each.type for each in relation.columns if not each.generated}
        referring = {name for key in relation.keys for name in key.columns} | {self.tenancy.column(relation)}
        fresh = {
            name: str(uuid.uuid4())
            for name, kind in columns.items()
            if kind == "uuid" and (name in relation.unique_columns or name == "id") and name not in referring
        }
        names = ", ".join(quoted(name) for name in columns if not allowed or name in allowed)
        content = literal(json.dumps({**row, **fresh}))
        into = place(relation, self.planner.copied | self.planner.counting)
        return (
            f"insert into {into} ({names}) overriding system value"
            f" select {names} from jsonb_populate_record(null::{relation.qualified}, {content})"
        )

    def insert(self, relation: Relation, role: str, organization: Organization) -> str:
        """An INSERT of a fresh row with the columns that the role may write, or all where it may write none."""
        allowed = {each.name for each in relation.open_to(role, "INSERT")}
        about = (relation.id, organization.id)
        if (*about, MINIMAL) not in self.planner.made and self.rows.get(about):
            return self._again(relation, self.rows[about][0], allowed)
        row = {n: v for n, v in self.spare(relation, organization).items() if not allowed or n in allowed}
        into = place(relation, self.planner.copied | self.planner.counting)
        return insert_into(into, cells(relation, row))

    def at(self, relation: Relation) -> str:
        """Where the relation is attacked."""
        return place(relation, self.planner.copied)

    def writing_at(self, relation: Relation) -> str:
        """Where rows of others are changed: without an index, each attempt would read a whole large table."""
        return place(relation, self.planner.copied | self.planner.large)

    def _takes(self, relation: Relation) -> bool:
        return relation.is_table or relation.writable == 28

    def _foreigner(self, relation: Relation, actor: Actor) -> Iterator[Attack]:
        """A signed-in account that the victim's rows do not belong to, and that has hardly any of its own."""
        if relation.kind in VIEWS and self.by_caller(relation):
            return  # its tables are attacked themselves
        if relation.kind not in VIEWS or self.tenancy.column(relation):
            yield self._look(relation, actor)
        if relation.kind == "m":
            statement = f"select 1 from {self.at(relation)} where false"
            yield Attack(relation.short, "select", actor, statement, DENIED, read_only=True)
        if not self._takes(relation):
            return
        if self._has_row(relation):
            statement = self.insert(relation, actor.role, self.stage.victim)
            yield Attack(relation.short, "insert", actor, statement, DENIED | RAISED)
        # Its own organization's members, and as its owner the organization, are the only rows it may change.
        owned = self.own.get(relation.id, 0) if actor.member else 0
        mine = self.insiders.own.get(relation.full, {}).get(actor.member, owned)
        reached = {str(number) for number in range(owned + 1)} | {str(mine)}
        if column := _to_default(relation, actor.role):
            update = f"update {self.writing_at(relation)} set {column} = default where pg_temp.tripwire({mine})"
            yield Attack(relation.short, "update", actor, update, NOTHING | RAISED | reached)
        gone = 0 if relation.full in self.insiders.own else owned
        delete = f"delete from {self.writing_at(relation)} where pg_temp.tripwire({gone})"
        yield Attack(relation.short, "delete", actor, delete, NOTHING | RAISED | reached)

    def _look(self, relation: Relation, actor: Actor) -> Attack:
        """Any row is a leak but those of the actor's own organization."""
        tenant = relation.column(self.tenancy.column(relation) or "")
        readable = tenant is not None and f"{actor.role} SELECT" in tenant.rights
        if tenant and (readable or not relation.may(actor.role, "SELECT")):
            condition = f"where {quoted(tenant.name)} is distinct from {literal(self.stage.outsider.id)} limit 1"
            return Attack(
                relation.short, "select", actor, f"select 1 from {self.at(relation)} {condition}", read_only=True
            )
        own = self.own.get(relation.id, 0) if actor.member else 0
        allowed = DENIED | {str(number) for number in range(own + 1)}
        statement = f"select 1 from {self.at(relation)} limit {own + 1}"
        return Attack(relation.short, "select", actor, statement, allowed, read_only=True)

    def _members(self, relation: Relation) -> Iterator[Attack]:
        """Members reaching across, and a member who is disabled."""
        tenant = self.tenancy.column(relation)
        if relation.kind in VIEWS or not self._has_row(relation):
            return
        disabled = self.stage.victim.actor("disabled", "disabled member")
        if tenant:
            statement = f"select 1 from {self.at(relation)} limit 1"
            yield Attack(relation.short, "select", disabled, statement, read_only=True)
        if tenant and relation.full != self.insiders.tenant["table"]:
            owner = self.stage.victim.actor("owner", "owner moving rows to another organization")
            most = len(self.rows.get((relation.id, self.stage.victim.id), []))
            change = f"set {quoted(tenant)} = {literal(self.stage.neighbour.id)} where pg_temp.tripwire({most})"
            yield Attack(
                relation.short,
                f"update ({tenant})",
                owner,
                f"update {self.writing_at(relation)} {change}",
                NOTHING | RAISED,
            )
        for key in relation.keys:
            yield from self._cross(relation, key, tenant)

    def _cross(self, relation: Relation, key: Constraint, tenant: str | None) -> Iterator[Attack]:
        """Rows of the neighbour pointed at rows of the victim, one foreign key at a time."""
        target = self.surface.relations.get(key.target)
        if target is None or is_account(key, self.surface) or target.id not in self.tenancy.owned:
            return
        if relation.id in self.planner.copied and tenant in key.columns:
            return  # the copy has no keys, and this one holds the organization
        goals = self.rows.get((target.id, self.stage.victim.id))
        where = self._where(relation, self.stage.neighbour)
        pairs = {own: theirs for own, theirs in zip(key.columns, key.theirs, strict=True) if own != tenant}
        if not goals or not pairs or where is None:
            return
        changes = ", ".join(f"{quoted(own)} = {literal(as_text(goals[0][theirs]))}" for own, theirs in pairs.items())
        statement = f"update {self.at(relation)} set {changes} where {where}"
        verb = f"update ({', '.join(pairs)})"
        owner = self.stage.neighbour.actor("owner", "owner pointing into another organization")
        # In the schema of its table.
        name = f"{quoted(relation.schema)}.{quoted(key.name)}" if key.deferrable else None
        yield Attack(relation.short, verb, owner, statement, NOTHING | FOREIGN_KEY | RAISED, immediate=name)
        if tenant:
            server = replace(SERVER, label="server pointing into another organization")
            allowed = DENIED | FOREIGN_KEY | RAISED
            yield Attack(relation.short, verb, server, statement, allowed, immediate=name)

    def _where(self, relation: Relation, organization: Organization) -> str | None:
        """A condition for one row of the organization."""
        rows = self.rows.get((relation.id, organization.id))
        if not rows:
            return None
        keys = [each for each in relation.constraints if each.kind == "p"]
        names = keys[0].columns if keys else [name for name in [self.tenancy.column(relation)] if name]
        if not names:
            return None
        return " and ".join(f"{quoted(name)} = {literal(as_text(rows[0][name]))}" for name in names)

    def _insiders(self) -> Iterator[Attack]:
        for each in self.insiders.refused:
            relation = self.surface.named(each.table)
            if relation is None:
                continue  # a finding of its own
            statement = each.template.replace("{table}", self.at(relation))
            if statement.startswith("delete") and self.reach.deleting(relation) and not self.clone:
                statement += f" {'and' if ' where ' in statement else 'where'} pg_temp.tripwire(0)"
            allowed = NOTHING if each.member != SERVER.role else DENIED
            actor = SERVER
            if each.member != SERVER.role:
                actor = self.stage.victim.actor(each.member, f"{each.member} of the organization")
            yield Attack(relation.short, each.verb, actor, statement, allowed | RAISED)

    def _sequences(self) -> Iterator[Attack]:
        """A sequence tells how much is added; outside of the own session it tells only who may ask."""
        for sequence in self.surface.sequences:
            name = f"{quoted(sequence['schema'])}.{quoted(sequence['name'])}"
            short = f"{sequence['schema']}.{sequence['name']}".removeprefix("public.")
            yield Attack(short, "usage", NOBODY, f"select currval({literal(name)})", DENIED, read_only=True)

    def by_caller(self, relation: Relation) -> bool:
        """Whether a view reads everything with the rights of whoever asks."""
        instead = any(trigger["instead"] for trigger in relation.triggers)
        if relation.kind != "v" or not relation.invoker or relation.rules or instead:
            return False
        sources = [self.surface.relations[each] for each in relation.reads if each in self.surface.relations]
        return all(each.kind not in VIEWS or self.by_caller(each) for each in sources)

    def _has_row(self, relation: Relation) -> bool:
        return bool(self.rows.get((relation.id, self.stage.victim.id)))


def _writable(relation: Relation) -> list[Column]:
    """The columns that can be written, those first that may be set to their default."""
    columns = [each for each in relation.columns if not each.generated and each.identity != "a"]
    return sorted(columns, key=lambda each: each.required and not each.default)


def _to_default(relation: Relation, role: str) -> str | None:
    """A column that the role may set, to its default if possible; a condition stops before a required one matters."""
    columns = relation.open_to(role, "UPDATE") or _writable(relation)
    chosen = min(columns, key=lambda each: each.required and not each.default, default=None)
    return quoted(chosen.name) if chosen else None
