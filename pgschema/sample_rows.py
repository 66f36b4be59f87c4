"""Rows to attack, made from the catalog: for each organization a minimal and a full row in every table, and for the
victim one more for each boolean and listed value. All keys are chosen here, so that rows can refer to each other and no
sequence moves; values that checks bind are chosen by the server among candidates (`pg_temp.solve`).
"""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by `literal`

import random
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pgschema.inserts import Row, Values, answering, cells, insert_into, place
from pgschema.insiders import Insiders
from pgschema.migrations import SQL
from pgschema.sample_checks import Bound, components, read_checks
from pgschema.sample_values import MARK, candidates, is_plain, listed, own_digits
from pgschema.stage import Organization, Stage
from pgschema.surface import Column, Constraint, Relation, Surface, literal, quoted
from pgschema.tenancy import Tenancy, is_account

ROWS = SQL / "checks" / "rows"
MOST_VARIANTS = 24
MINIMAL, FULL, SPARE = "minimal", "full", "spare"
PLACEHOLDER = re.compile(r"(?<!:):(organization|account|number)\b")
SAFE_DEFAULT = re.compile(r"^[^(]*$|^(?:now|CURRENT_\w+|gen_random_uuid|clock_timestamp|timezone|'.*'::\w+)\(?.*\)?$")


@dataclass
class Planner:
    """Plans the rows of all tables.

    Attributes:
        surface, tenancy, insiders, stage: what the rows are made from.
        solved: what the server chose: `columns` (relation.column -> fitting values) and `rows` (relation.variant ->
            values of columns that a check binds together).
        copied, counting, large: tables attacked in a copy: wholly, by INSERT, by UPDATE and DELETE; see `shadow`.
        pools: relation.column -> values that need no asking.
    """

    surface: Surface
    tenancy: Tenancy
    insiders: Insiders
    stage: Stage
    copied: frozenset[int] = frozenset()
    counting: frozenset[int] = frozenset()
    large: frozenset[int] = frozenset()
    solved: Mapping[str, Any] = field(default_factory=dict)
    pools: dict[str, list[str]] = field(default_factory=dict)
    number: int = field(default_factory=lambda: random.randrange(100_000, 900_000))  # noqa: S311  not a secret
    made: dict[tuple[int, str, str], Values] = field(default_factory=dict)
    bound: dict[int, Bound] = field(default_factory=dict)
    pins: dict[int, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    sorted: dict[int, tuple[list[Column], list[Column]]] = field(default_factory=dict)

    def questions(self, relations: Sequence[Relation]) -> Iterator[dict[str, Any]]:
        """What the server has to decide before rows can be planned, per table."""
        return (question for each in relations if (question := self._question(each)))

    def variants(self, relation: Relation, organization: Organization) -> list[str]:
        """The rows that an organization gets in a table."""
        if organization is self.stage.neighbour:
            return [MINIMAL, FULL]
        return [MINIMAL, FULL, *self._pinned(relation)]

    def values(self, relation: Relation, organization: Organization, variant: str, turn: int = 0) -> Values:
        """The values of one row; keys first, so that rows that need each other find them."""
        place = (relation.id, organization.id, variant)
        if place in self.made and not turn:
            return self.made[place]
        self.number += 1
        row: Values = {}
        if not turn:
            self.made[place] = row
        keys, others = self._columns(relation)
        for column in keys:
            row[column.name] = self._key(relation, column, place, turn)
        tenant = self.tenancy.column(relation)
        if tenant:
            row[tenant] = organization.id
        together = self._together(relation, variant)
        given = {**self._pinned(relation).get(variant, {}), **_with_digits(together, self.number)}
        for column in others:
            if column.name in given:
                row.setdefault(column.name, given[column.name])
            elif column.name not in row and self._wanted(column, variant):
                self._fill(row, relation, column, turn)
        for key in relation.keys:
            self._refer(row, relation, key, organization, variant, together)
        if not turn:
            self._known(row, relation, organization)
        return row

    def rows(self, relation: Relation, organization: Organization) -> Iterator[Row]:
        """All rows of an organization in a table."""
        if organization is self.stage.outsider:
            return
        if text := rows_file(relation):
            yield Row(relation, organization, MINIMAL, (self._from_file(text, relation, organization),))
            return
        for variant in self.variants(relation, organization):
            first = self.values(relation, organization, variant)
            turns = (1, 2) if variant == MINIMAL and self._rotates(relation) else ()
            others = [self._insert(relation, self.values(relation, organization, variant, turn)) for turn in turns]
            if relation.id not in self.copied:
                others += self._borrowed(relation, first)
            yield self._row(relation, organization, variant, first, others)

    def people(self, organization: Organization) -> Iterator[Row]:
        """The organization itself and its members."""
        tenant = self.surface.named(self.insiders.tenant["table"])
        members = self.surface.named(self.insiders.members["table"])
        if tenant is None or members is None:
            return
        row = self.values(tenant, organization, "itself")
        if organization is self.stage.neighbour:
            row |= self.insiders.tenant["closed"]
        yield self._row(tenant, organization, "itself", row)
        for role, account in organization.accounts.items():
            row = self.values(members, organization, role)
            row |= {self.insiders.members["account"]: account, **self.insiders.member_columns(role)}
            yield self._row(members, organization, role, row)

    def _row(
        self, relation: Relation, organization: Organization, variant: str, values: Values, others: Sequence[str] = ()
    ) -> Row:
        """A row of such values; the other statements are for when it cannot be made."""
        into, given = place(relation, self.copied), cells(relation, values)
        first = answering(relation, insert_into(into, given))
        return Row(relation, organization, variant, (first, *others), into, given)

    def _insert(self, relation: Relation, values: Values) -> str:
        """The statement that makes a row and answers with it."""
        return answering(relation, insert_into(place(relation, self.copied), cells(relation, values)))

    def _rotates(self, relation: Relation) -> bool:
        """Whether a key has to take its turn among few values, one of which may be taken."""
        keys = [each for each in relation.columns if self._is_key(relation, each) and each.type != "uuid"]
        return any(not any(MARK in value for value in self._fitting(relation, each)) for each in keys)

    def _borrowed(self, relation: Relation, values: Values) -> list[str]:
        """For a row that needs an account at once: the one that signing up made, or one with an account of others."""
        required = {each.name for each in relation.columns if each.required}
        keys = [key for key in relation.keys if is_account(key, self.surface) and key.columns[0] in required]
        if not keys:
            return []
        name = keys[0].columns[0]
        known = f"{quoted(name)} = {literal(values[name])}"
        made_by_trigger = (
            f"update {relation.qualified} set {quoted(name)} = {quoted(name)} where {known}"
            f" returning to_jsonb({quoted(relation.name)}.*)"
        )
        own = literal(values[name])
        other = f"(select id from auth.users order by id offset {self.number % 3} limit 1)"
        return [made_by_trigger, self._insert(relation, values).replace(f"{own}::uuid", other)]

    def _from_file(self, text: str, relation: Relation, organization: Organization) -> str:
        self.number += 1
        given = {
            "organization": organization.id,
            "account": next(iter(organization.accounts.values())),
            "number": str(self.number),
        }
        statement = PLACEHOLDER.sub(lambda found: literal(given[found[1]]), text).strip().rstrip(";")
        return answering(relation, statement)

    def _question(self, relation: Relation) -> dict[str, Any] | None:
        single, several = self._bound(relation)
        columns = []
        for column in relation.columns:
            if column.generated:
                continue
            hints = [*single[column.name], *(check for names, check in several if column.name in names)]
            default = [column.default] if column.default and re.match(r"'|-?\d", column.default) else []
            pool = candidates(column, self.surface.types, [*default, *hints])
            if not hints and is_plain(column, self.surface.types):
                self.pools[f"{relation.id}.{column.name}"] = pool
                continue
            columns.append({"name": column.name, "type": column.type, "pool": pool, "checks": single[column.name]})
        rows = [
            {"variant": variant, "columns": names, "checks": checks, "pinned": pinned, "loose": loose}
            for variant, names, checks, pinned, loose in self._joint(relation, several)
        ]
        return {"relation": str(relation.id), "columns": columns, "rows": rows} if columns else None

    def _joint(self, relation: Relation, several: Sequence[tuple[frozenset[str], str]]) -> Iterator[Any]:
        """Columns that checks bind together, for each variant, with the values that the variant pins."""
        for names in components([names for names, _ in several]):
            checks = [check for bound, check in several if bound <= names]
            pins = {MINIMAL: {}, FULL: {}, **self._pinned(relation)}
            for variant, values in pins.items():
                pinned = {name: value for name, value in values.items() if name in names}
                if values and not pinned:
                    continue
                # Null comes first in a minimal row, last in a full one.
                loose = {
                    each.name: variant != FULL
                    for each in relation.columns
                    if each.name in names and not each.required and not (each.default and variant != FULL)
                }
                yield variant, sorted(names), checks, pinned, loose

    def _pinned(self, relation: Relation) -> Mapping[str, Mapping[str, str]]:
        """The variants that show each boolean and listed value: variant -> values of columns.

        Columns that share no check take their values in the same rows.
        """
        if relation.id not in self.pins:
            found: dict[str, dict[str, str]] = {}
            _, several = self._bound(relation)
            shared = {name for names, _ in several for name in names}
            for column, values in self._listed(relation).items():
                for at, value in enumerate(values[:MOST_VARIANTS]):
                    variant = f"{column}={value}" if column in shared else f"value {at}"
                    found.setdefault(variant, {})[column] = value
            self.pins[relation.id] = found
        return self.pins[relation.id]

    def _listed(self, relation: Relation) -> dict[str, list[str]]:
        single, several = self._bound(relation)
        found = {}
        for column in relation.columns:
            if column.generated or column.name == self.tenancy.column(relation):
                continue
            checks = [*single[column.name], *(check for names, check in several if column.name in names)]
            fitting = self._fitting(relation, column)
            values = listed(column, self.surface.types, checks)
            found[column.name] = [value for value in values if not self.solved or value in fitting]
        return found

    def _fitting(self, relation: Relation, column: Column) -> list[str]:
        columns: Mapping[str, list[str]] = self.solved.get("columns", {})
        name = f"{relation.id}.{column.name}"
        return columns.get(name) or self.pools.get(name) or []

    def _together(self, relation: Relation, variant: str) -> Mapping[str, str | None]:
        rows: Mapping[str, Mapping[str, str | None]] = self.solved.get("rows", {})
        # Other rows than those of the victim are like its minimal one.
        return rows.get(f"{relation.id}.{variant}") or rows.get(f"{relation.id}.{MINIMAL}") or {}

    @cached_property
    def _referred(self) -> frozenset[tuple[int, str]]:
        """Columns that foreign keys point at."""
        keys = [key for other in self.surface.relations.values() for key in other.keys]
        return frozenset((key.target, name) for key in keys for name in key.theirs)

    def _columns(self, relation: Relation) -> tuple[list[Column], list[Column]]:
        """The columns that can be set: keys, and the others."""
        if relation.id not in self.sorted:
            columns = [each for each in relation.columns if not each.generated]
            keys = [each for each in columns if self._is_key(relation, each)]
            self.sorted[relation.id] = keys, [each for each in columns if each not in keys]
        return self.sorted[relation.id]

    def _is_key(self, relation: Relation, column: Column) -> bool:
        return column.name in relation.unique_columns or (relation.id, column.name) in self._referred or column.counted

    def _bound(self, relation: Relation) -> Bound:
        """The checks of a relation, read once."""
        if relation.id not in self.bound:
            self.bound[relation.id] = read_checks(relation)
        return self.bound[relation.id]

    def _key(self, relation: Relation, column: Column, place: tuple[int, str, str], turn: int) -> str | None:
        """A key; another turn keeps those that other rows refer to."""
        kind = self.surface.types.get(column.type_id)
        if turn and kind and (kind.name == "uuid" or kind.category == "N"):
            return self.made[place].get(column.name)
        return self._fresh(relation, column, turn)

    def _fresh(self, relation: Relation, column: Column, turn: int) -> str | None:
        """A value that no other row has, where the type and the checks leave a choice."""
        kind = self.surface.types.get(column.type_id)
        if kind and kind.name == "uuid":
            return str(uuid.uuid4())
        single, _ = self._bound(relation)
        fitting = self._fitting(relation, column)
        if kind and kind.category == "N" and not single[column.name]:
            return str({"smallint": 20_000 + self.number % 12_000}.get(kind.name, 1_000_000_000 + self.number))
        if kind and kind.category == "S" and column.length and column.length < len(MARK) and not single[column.name]:
            return f"{self.number:06d}"[-column.length :]
        marked = [value for value in fitting if MARK in value]
        if marked and not turn:
            return own_digits(marked[0], self.number)
        return fitting[(self.number + turn) % len(fitting)] if fitting else None

    def _wanted(self, column: Column, variant: str) -> bool:
        """Whether a row sets the column where nothing says to what."""
        return variant == FULL or (column.required and not column.default) or _called(column)

    def _fill(self, row: Values, relation: Relation, column: Column, turn: int) -> None:
        if fitting := self._fitting(relation, column):
            row[column.name] = own_digits(fitting[turn % len(fitting)], self.number)
        elif column.required:
            row[column.name] = None

    def _refer(
        self,
        row: Values,
        relation: Relation,
        key: Constraint,
        organization: Organization,
        variant: str,
        together: Mapping[str, str | None],
    ) -> None:
        """Fill a foreign key: in full rows and where it is required, else leave it null."""
        tenant = self.tenancy.column(relation)
        own = [name for name in key.columns if name != tenant]
        needed = any(column.required for name in own if (column := relation.column(name)))
        chosen = any(together.get(name) is not None for name in own)
        if not own:
            return
        if not (needed or chosen or variant in {FULL, SPARE}):
            row.update(dict.fromkeys(own))
            return
        if is_account(key, self.surface):
            row[own[0]] = self._account(organization, variant) if needed or variant == FULL else None
            return
        target = self.surface.relations.get(key.target)
        if target is None or (target.id == relation.id and variant == MINIMAL):
            row.update(dict.fromkeys(own))
            return
        first = self._first(target, organization, variant)
        pairs = zip(key.columns, key.theirs, strict=True)
        row.update({name: first.get(theirs) for name, theirs in pairs if name in own})

    def _account(self, organization: Organization, variant: str) -> str:
        accounts = list(organization.accounts.values())
        order = {MINIMAL: 0, FULL: 1, SPARE: 2}
        return accounts[order.get(variant, 3)]

    def _first(self, target: Relation, organization: Organization, variant: str) -> Values:
        """The row of the organization that others refer to; full rows belong to another member than the rest."""
        if target.full == self.insiders.members["table"]:
            return self.values(target, organization, "member" if variant == FULL else "owner")
        if target.full == self.insiders.tenant["table"]:
            return self.values(target, organization, "itself")
        return self.values(target, organization, MINIMAL)

    def _known(self, row: Values, relation: Relation, organization: Organization) -> None:
        """Members' rows that are nobody's account, and files of Supabase's storage in a folder of the organization."""
        if relation.full == self.insiders.members["table"]:
            row[self.insiders.members["account"]] = None
        if relation.full == "storage.objects":
            row["name"] = f"{organization.id}/isolation-{self.number}.txt"


def rows_file(relation: Relation, folder: Path | None = None) -> str | None:
    """The hand-written INSERT for a table whose rows cannot be made from the catalog."""
    path = (folder or ROWS) / f"{relation.short}.sql"
    return path.read_text(encoding="utf-8") if path.exists() else None


def _called(column: Column) -> bool:
    """Whether the default might do more than give a value."""
    return bool(column.default) and not SAFE_DEFAULT.match(column.default or "")


def _with_digits(values: Mapping[str, str | None], number: int) -> Values:
    """Values with the digits of one row."""
    return {name: None if value is None else own_digits(value, number) for name, value in values.items()}
