"""The facts about a database that the isolation check works from, as `sql/checks/surface.sql` reads them."""

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pgschema.migrations import SQL

TABLES, VIEWS = frozenset("rp"), frozenset("vm")
# Instead of privileges on rows, which a policy narrows, these are asked of the catalog.
UNFILTERED = ("TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")


@functools.cache
def query() -> str:
    """The query for the facts; run it with an empty `search_path` and the parameter `sealed`."""
    return (SQL / "checks" / "surface.sql").read_text(encoding="utf-8")


def quoted(name: str) -> str:
    """An identifier in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: object) -> str:
    """A value as a quoted literal, or null."""
    if value is None:
        return "null"
    text = str(value)
    escaped = text.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in text else f"'{escaped}'"


def as_text(value: Any) -> str:
    """A value of JSON as Postgres reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


@dataclass(frozen=True)
class Column:
    """A column; `rights` are texts like `anon SELECT`."""

    name: str
    type: str
    type_id: int
    length: int | None
    required: bool
    generated: bool
    identity: str
    default: str | None
    rights: frozenset[str]

    @property
    def counted(self) -> bool:
        """Whether leaving it out takes a number from a sequence."""
        return bool(self.identity) or "nextval" in (self.default or "")


@dataclass(frozen=True)
class Constraint:
    """A check (`c`), foreign key (`f`) or key (`p`, `u`, `x`); one that `acts` writes when its target is deleted."""

    name: str
    kind: str
    target: int
    deferrable: bool
    acts: bool
    expression: str | None
    columns: tuple[str, ...]
    theirs: tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """A table, view or foreign table; `kind` is the letter of `pg_class.relkind`."""

    id: int
    schema: str
    name: str
    kind: str
    exposed: bool
    sealed: bool
    secured: bool
    rows: float
    owner: str
    invoker: bool
    partition: bool
    parents: tuple[int, ...]
    condition: str | None
    writable: int
    rights: Mapping[str, frozenset[str]]
    columns: tuple[Column, ...]
    constraints: tuple[Constraint, ...]
    policies: tuple[Mapping[str, Any], ...]
    triggers: tuple[Mapping[str, Any], ...]
    rules: bool
    reads: frozenset[int]
    calls: frozenset[int]
    uniques: tuple[tuple[str, ...], ...]
    indexed: frozenset[str]

    @cached_property
    def qualified(self) -> str:
        """The name as SQL takes it."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @cached_property
    def full(self) -> str:
        """The name with its schema, as a person writes it."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def short(self) -> str:
        """The name an operator knows."""
        return self.full.removeprefix("public.")

    @property
    def is_table(self) -> bool:
        """Whether it holds rows of its own that policies can guard."""
        return self.kind in TABLES

    @cached_property
    def keys(self) -> list[Constraint]:
        """Its foreign keys."""
        return [each for each in self.constraints if each.kind == "f"]

    @cached_property
    def unique_columns(self) -> frozenset[str]:
        """Columns that are part of some key, unique index or exclusion."""
        excluded = [each.columns for each in self.constraints if each.kind == "x"]
        return frozenset(name for key in (*self.uniques, *excluded) for name in key if name)

    def column(self, name: str) -> Column | None:
        """The column of that name."""
        return self._by_name.get(name)

    @cached_property
    def column_types(self) -> Mapping[str, str]:
        """The type of each column, by its name."""
        return {each.name: each.type for each in self.columns}

    @cached_property
    def _by_name(self) -> Mapping[str, Column]:
        return {each.name: each for each in self.columns}

    def open_to(self, role: str, verb: str) -> list[Column]:
        """The columns that can be written and on which the role has the privilege."""
        return [each for each in self.columns if not each.generated and f"{role} {verb}" in each.rights]

    def may(self, role: str, verb: str) -> bool:
        """Whether the role holds the privilege on it, or on one of its columns."""
        return verb in self.rights.get(role, frozenset())

    def governed(self, role: str, verb: str) -> bool:
        """Whether a permissive policy for the verb binds the role."""
        letters = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
        return any(
            each["permissive"] and each["command"] in {"*", letters[verb]} and role in each["roles"]
            for each in self.policies
        )


@dataclass(frozen=True)
class Function:
    """A function (`f`), procedure (`p`) or window function (`w`); `roles` may execute it and use its schema."""

    id: int
    schema: str
    name: str
    kind: str
    definer: bool
    signature: str
    set: bool
    variadic: bool
    arguments: tuple[Mapping[str, Any], ...]
    returns: str
    language: str
    trusted: bool
    source: str
    member: str | None
    exposed: bool
    sealed: bool
    supabase: bool
    roles: frozenset[str]

    @cached_property
    def full(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"

    @cached_property
    def short(self) -> str:
        """The name an operator knows."""
        return self.full.removeprefix("public.")

    @cached_property
    def qualified(self) -> str:
        """The name as SQL takes it."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def callable(self) -> bool:
        """Whether a request can call it; triggers only fire."""
        return self.kind in "fp" and self.returns not in {"trigger", "event_trigger"} and self.member is None


@dataclass(frozen=True)
class Type:
    """A data type; `kind` is the letter of `pg_type.typtype`."""

    id: int
    name: str
    kind: str
    category: str
    element: int
    base: int
    labels: tuple[str, ...]
    checks: tuple[str, ...]
    attributes: int
    relation: int


@dataclass(frozen=True)
class Surface:
    """Everything the check knows about a database before it tries anything."""

    relations: Mapping[int, Relation]
    functions: tuple[Function, ...]
    types: Mapping[int, Type]
    sequences: tuple[Mapping[str, Any], ...]
    schemas: tuple[Mapping[str, Any], ...]
    published: tuple[Mapping[str, Any], ...]
    settings: tuple[Mapping[str, Any], ...]
    counted: frozenset[str]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, Any]]) -> "Surface":
        """Sort the rows of the query."""
        facts: dict[str, list[Any]] = {}
        for kind, fact in rows:
            facts.setdefault(kind, []).append(fact)
        relations = [_relation(fact) for fact in facts.get("relation", [])]
        functions = [_function(fact) for fact in facts.get("function", [])]
        types = [_type(fact) for fact in facts.get("type", [])]
        return cls(
            {each.id: each for each in sorted(relations, key=lambda r: r.full)},
            tuple(sorted(functions, key=lambda f: (f.full, f.signature))),
            {each.id: each for each in types},
            tuple(facts.get("sequence", [])),
            tuple(facts.get("schema", [])),
            tuple(facts.get("published", [])),
            tuple(facts.get("setting", [])),
            frozenset(facts.get("counted", [])),
        )

    @cached_property
    def exposed(self) -> list[Relation]:
        """Relations that a request can name."""
        return [each for each in self.relations.values() if each.exposed]

    def sources(self, relation: Relation) -> set[int]:
        """Every relation that a view reads, through other views too."""
        found, left = set[int](), set(relation.reads)
        while left:
            each = left.pop()
            if each in self.relations and each not in found:
                found.add(each)
                left |= self.relations[each].reads
        return found

    def named(self, full: str) -> Relation | None:
        """The relation of that name, with its schema."""
        return self._by_name.get(full)

    @cached_property
    def _by_name(self) -> Mapping[str, Relation]:
        return {each.full: each for each in self.relations.values()}


def _relation(fact: dict[str, Any]) -> Relation:
    sets = {name: frozenset(fact[name]) for name in ("reads", "calls", "indexed")}
    lists = {name: tuple(fact[name]) for name in ("parents", "policies", "triggers")}
    parts = {
        "rights": {role: frozenset(verbs) for role, verbs in fact["rights"].items()},
        "columns": tuple(Column(**{**each, "rights": frozenset(each["rights"])}) for each in fact["columns"]),
        "constraints": tuple(_constraint(each) for each in fact["constraints"]),
        "uniques": tuple(tuple(each) for each in fact["uniques"]),
    }
    return Relation(**{**fact, **sets, **lists, **parts})


def _constraint(fact: dict[str, Any]) -> Constraint:
    return Constraint(**{**fact, "columns": tuple(fact["columns"]), "theirs": tuple(fact["theirs"] or ())})


def _function(fact: dict[str, Any]) -> Function:
    return Function(**{**fact, "roles": frozenset(fact["roles"]), "arguments": tuple(fact["arguments"])})


def _type(fact: dict[str, Any]) -> Type:
    return Type(**{**fact, "labels": tuple(fact["labels"] or ()), "checks": tuple(fact["checks"] or ())})
