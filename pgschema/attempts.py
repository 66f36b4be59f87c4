"""Send what the isolation check tries to the functions of `sql/checks/isolation.sql`, in parts.

The connection is in pipeline mode, so that the next part is planned while the server works on the one before.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
from psycopg.types.json import Jsonb

from pgschema.calls import Caller, Observation
from pgschema.controls import Right
from pgschema.isolation_cases import Attack
from pgschema.stage import Actor

PART = 120  # attempts, which keep the server busy for longer than planning the next ones takes

Item = TypeVar("Item")


@dataclass(frozen=True)
class Tried:
    """What was tried, and what came of it.

    Attributes:
        attacks, effects, wanted: attempts, see `leaks_of`.
        results: `id` of an attempt -> its outcome.
        caller, outsiders, insiders: the queries.
        answers: of the outsiders, of the outsiders again, and of the insiders.
    """

    attacks: Sequence[Attack]
    effects: Sequence[Attack]
    wanted: Sequence[Right]
    results: Mapping[int, str]
    caller: Caller
    outsiders: Sequence[Observation]
    insiders: Sequence[Observation]
    answers: Sequence[str]


def parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield the items in lists of such a size, each as soon as it is complete."""
    left = iter(items)
    while part := list(itertools.islice(left, size)):
        yield part


@dataclass
class Attempts:
    """The attempts of one run.

    Attributes:
        connection: inside the savepoint, with the functions made.
        claims: names under which actors claim to belong to another organization.
        actors: those that did something, by their number.
    """

    connection: psycopg.Connection[Any]
    claims: Sequence[str]
    actors: dict[Actor, int] = field(default_factory=dict)
    settings: list[dict[str, Any]] = field(default_factory=list)

    def observe(self, observations: Sequence[Observation]) -> psycopg.Cursor[Any]:
        """Ask for the answers to queries."""
        queries = [{"actor": self._actor(each.actor), "statement": each.statement} for each in observations]
        return self.connection.execute("select * from pg_temp.observe(%s, %s)", (Jsonb(self.settings), Jsonb(queries)))

    def watch(self, tables: Sequence[dict[str, Any]], organizations: Sequence[str], members: str | None) -> None:
        """Say which rows must stay as they are; before the first attempt that is watched."""
        self.connection.execute(
            "select pg_temp.watch(%s, %s::uuid[], %s)", (Jsonb(tables), list(organizations), members)
        )

    def run(self, attacks: Sequence[Attack], watched: Sequence[dict[str, Any]]) -> psycopg.Cursor[Any]:
        """Make attempts; their outcomes come in the same order.

        Args:
            attacks: those at one right are in the same part.
            watched: tables that `watch` was told.
        """
        enough: dict[frozenset[str], int] = {}
        sent = [
            {
                "actor": self._actor(each.actor),
                "statement": each.statement,
                "read_only": each.read_only,
                "own": each.own,
                "watch": each.watch,
                "keeps": not each.verb.startswith("delete"),
                "immediate": each.immediate,
                "enough": enough.setdefault(each.allowed, len(enough)) if each.right else None,
                "right": each.right,
            }
            for each in attacks
        ]
        return self.connection.execute(
            "select * from pg_temp.run(%s, %s, %s, %s)",
            (Jsonb(self.settings), Jsonb(sent), Jsonb(list(map(sorted, enough))), Jsonb(watched)),
        )

    def _actor(self, actor: Actor) -> int:
        if actor not in self.actors:
            self.actors[actor] = len(self.actors)
            self.settings.append({"role": actor.role, "settings": actor.settings(self.claims)})
        return self.actors[actor]
