"""Views and functions, judged by what they answer: an outsider must get the same with and without the victim's rows.

Everything here is read-only. A function that runs with its owner's rights and that cannot be called so, or that answers
to no made-up argument, is not judged.
"""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by `literal`

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pgschema.inserts import Values
from pgschema.isolation_cases import Attack, Attacker
from pgschema.stage import MEMBER_ROLES, NOBODY, Actor
from pgschema.surface import VIEWS, Function, Relation, Surface, Type, literal

MOST_CALLS, MOST_ROWS = 40, 1000
# A writing statement in a read-only transaction.
WRITES = "25006"
REFUSED = frozenset({"42501"})
POLYMORPHIC = {
    "anyelement": "'x'::text",
    "anycompatible": "'x'::text",
    "anynonarray": "'x'::text",
    "anyarray": "array['x']::text[]",
    "anycompatiblearray": "array['x']::text[]",
    "anycompatiblenonarray": "'x'::text",
    "anyenum": "null",
    "anyrange": "'[1,2)'::int4range",
    "anycompatiblerange": "'[1,2)'::int4range",
    "anymultirange": "'{[1,2)}'::int4multirange",
    '"any"': "'x'::text",
    "record": "row(1)",
    "cstring": "'x'::cstring",
}
GUESSES: Mapping[str, tuple[str, ...]] = {
    "S": ("x", "", "%", "1", "a"),
    "N": ("1", "0", "100"),
    "B": ("true", "false"),
    "D": ("2000-01-01", "2100-01-01"),
    "T": ("1 day",),
}


@dataclass(frozen=True)
class Observation:
    """A query whose answer is compared; `about` is what it reads."""

    about: Relation | Function
    actor: Actor
    statement: str


@dataclass(frozen=True)
class Caller:
    """Makes the queries on views and functions for one database."""

    surface: Surface
    attacker: Attacker
    known: Sequence[tuple[str, Values]]

    def outsiders(self) -> list[Observation]:
        """What is asked by those that must not learn anything about the victim."""
        found = [
            Observation(view, actor, f"select t::text from {view.qualified} t limit {MOST_ROWS}")
            for view in self._views()
            for actor in self.attacker.stage.foreigners
        ]
        for function in self.functions():
            found += [
                Observation(function, actor, call)
                for actor in (NOBODY, *self.attacker.stage.foreigners)
                if actor.role in function.roles
                for call in self.calls(function)
            ]
        return found

    def insiders(self) -> list[Observation]:
        """The same calls by the victim's members, to see that the arguments are good for anything."""
        people = [self.attacker.stage.victim.actor(role, f"{role} of the organization") for role in MEMBER_ROLES]
        return [
            Observation(function, actor, call)
            for function in self.functions()
            if function.definer and "authenticated" in function.roles
            for actor in people
            for call in self.calls(function)
        ]

    def effects(self) -> list[Attack]:
        """Calls of whatever runs with its owner's rights, with all their effects: for a clone only."""
        found = []
        for function in reachable(self.surface):
            if not function.definer:
                continue
            actors = [actor for actor in (NOBODY, *self.attacker.stage.foreigners) if actor.role in function.roles]
            own = self.attacker.stage.outsider.id
            for actor in actors:
                for call in self.calls(function):
                    found.append(Attack(function.short, "execute", actor, call, own=own, watch=True))
        return found

    def functions(self) -> list[Function]:
        """Functions that a request can call and that a live database may be asked."""
        return [each for each in reachable(self.surface) if each.kind == "f" and self.callable(each)]

    def callable(self, function: Function) -> bool:
        """Whether calling it read-only does nothing outside."""
        return self.attacker.clone or function.id not in self.attacker.reach.functions

    def calls(self, function: Function) -> Iterator[str]:
        """Statements that call the function, each with other arguments."""
        pools = [self._pool(argument) for argument in function.arguments]
        count = min(max((len(pool) for pool in pools), default=1), MOST_CALLS)
        for turn in range(count):
            given = [pool[turn % len(pool)] for pool in pools]
            if function.variadic and given:
                given[-1] = f"variadic {given[-1]}"
            call = f"{function.qualified}({', '.join(given)})"
            yield f"call {call}" if function.kind == "p" else f"select ({call})::text limit {MOST_ROWS}"

    def _views(self) -> list[Relation]:
        return [
            each
            for each in self.surface.exposed
            if each.kind in VIEWS
            and each.may("authenticated", "SELECT")
            and (self.attacker.clone or not self.attacker.reach.reading(each))
        ]

    def _pool(self, argument: Mapping[str, Any]) -> list[str]:
        kind = self.surface.types.get(argument["type_id"])
        name = argument["type"]
        if name in POLYMORPHIC:
            return [POLYMORPHIC[name]]
        if kind is None:
            return [f"null::{name}"]
        texts = self._texts(kind, str(argument["name"]))
        return [*(f"{literal(text)}::{name}" for text in texts), f"null::{name}"]

    def _texts(self, kind: Type, argument: str) -> list[str]:
        while kind.kind == "d" and (base := self.surface.types.get(kind.base)):
            kind = base
        victim = self.attacker.stage.victim
        if kind.name == "uuid":
            ids = [row.get("id") for row in self._named_first(argument)]
            return [victim.id, *(text for text in ids if text), *victim.accounts.values()]
        if kind.labels:
            return list(kind.labels)
        if kind.category == "A":
            element = self.surface.types.get(kind.element)
            inner = self._texts(element, argument) if element else []
            return [*('{"' + _escaped(text) + '"}' for text in inner), "{}"]
        if kind.kind == "c":
            return ["(" + "," * max(kind.attributes - 1, 0) + ")"]
        if kind.name in {"jsonb", "json"}:
            return [f'{{"organization_id": "{victim.id}", "id": "{victim.id}"}}', "{}"]
        if kind.category == "S":
            values = [text for row in self._named_first(argument) for text in row.values() if text and "@" in text]
            telling = {"slug", "code", "name"}
            slugs = [text for _, row in self.known for name, text in row.items() if text and name in telling]
            return list(dict.fromkeys([*values, *slugs, victim.id, *GUESSES["S"]]))[: MOST_CALLS - 1]
        return list(GUESSES.get(kind.category, ("x",)))

    def _named_first(self, argument: str) -> list[Values]:
        """The victim's rows, those first that are of the table that the argument is called after."""
        word = re.sub(r"^(p|_|in|arg)?_|_?ids?$", "", argument.lower()).strip("_")
        ordered = sorted(self.known, key=lambda known: not (word and known[0].startswith(word[:5])))
        return [row for _, row in ordered]


def reachable(surface: Surface) -> list[Function]:
    """Functions and procedures that anon or authenticated can call, but Supabase's own and extensions'."""
    return [
        each
        for each in surface.functions
        if each.callable and not each.supabase and not each.sealed and each.roles & {"anon", "authenticated"}
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
