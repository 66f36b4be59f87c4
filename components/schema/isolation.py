"""Attack the database as those must not get through, and count: `python -m components.schema.isolation [--json]`.

Three organizations are made inside one transaction: a victim, a neighbour like it, and an outsider's that is empty, so
that any row an outsider reaches is a leak. Every attack is undone at once and the transaction is rolled back; rows that
the database holds already stay as they are. An attack counts as repelled only by the refusal meant for it: any other
failure is a leak too, and a member who cannot read its own rows fails the check. Knows no Pulumi.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from components.errors import OperatorError
from components.schema.attacks import Attack, Stage, Target, attacks, controls
from components.schema.connection import connect_from_environment
from components.schema.failures import database_error
from components.schema.migrations import SQL

TRIPPED, SQLSTATE_LENGTH = "LEAK0", 5
# All attacks are one statement, so each one has to find out by an index that a large table holds nothing for it.
SESSION = (
    "set local lock_timeout = '2s'",
    "set local statement_timeout = '30s'",
    "set local enable_seqscan = off",
)
CLOSE = "update public.organizations set status = 'closed' where id = %s"
RUN = """
select pg_temp.attack(a.role, a.claims, a.statement)
from unnest(%s::text[], %s::text[], %s::text[]) with ordinality as a(role, claims, statement, n) order by a.n
"""

Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Finding:
    """One attack that got through, or one right that is missing.

    Attributes:
        table, role, verb: what was tried as which database role.
        actor: who that was, in words.
        outcome: what happened instead of the refusal.
    """

    table: str
    role: str
    verb: str
    actor: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.table}: {self.verb} as {self.role} ({self.actor}): {self.outcome}"


@dataclass(frozen=True)
class Report:
    """The result: attacks tried, those that got through, rights that members miss, and what could not be tried."""

    attacks: int
    leaks: tuple[Finding, ...]
    lockouts: tuple[Finding, ...]
    unjudged: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every attack was refused and every member reads its own rows."""
        return not self.leaks and not self.lockouts

    def __str__(self) -> str:
        return "\n".join(
            [
                f"isolation: {self.attacks} attacks, {len(self.leaks)} leaks",
                *(f"leak: {finding}" for finding in self.leaks),
                *(f"locked out: {finding}" for finding in self.lockouts),
            ]
        )


def check(connection: psycopg.Connection[Any]) -> Report:
    """Judge in a transaction of its own, which is rolled back.

    Args:
        connection: as `judge` takes it; not in autocommit mode.

    Raises:
        OperatorError: the check could not be carried out, say because the schema is missing.
    """
    try:
        return judge(connection)
    finally:
        if not connection.closed:
            connection.rollback()


def judge(connection: psycopg.Connection[Any], *, clone: bool = False) -> Report:
    """Try all attacks in a savepoint of the open transaction and roll back to it; a leak raises nothing.

    Args:
        connection: as the role `postgres`, or one that may become anon, authenticated and service_role and that
            row-level security does not bind. Settings, role, sequences and rows are afterwards as before.
        clone: the database is a copy without users, so what must not run on a live one may be executed.

    Raises:
        OperatorError: the attacks could not be carried out; the cause is psycopg's error.
    """
    stage = Stage.new()
    try:
        connection.execute("savepoint isolation")
        try:
            targets, insiders, sealed = _prepare(connection, stage)
            tried, wanted = attacks(stage, targets, insiders, sealed), controls(stage, targets)
            tries = [(each.actor.role, each.actor.claims, each.statement) for each in (*tried, *wanted)]
            rows = connection.execute(RUN, [list(column) for column in zip(*tries, strict=True)])
            results = [str(row[0]) for row in rows]
        finally:
            if not connection.closed:
                connection.execute("rollback to savepoint isolation")
                connection.execute("release savepoint isolation")
    except psycopg.Error as error:
        raise database_error(error, "The isolation check could not be carried out.") from error
    return Report(len(tried), _findings(tried, results), _findings(wanted, results[len(tried) :]))


def main() -> None:
    """Print the report; exit code 1 on a leak, 2 when the check could not be carried out."""
    try:
        with connect_from_environment() as connection:
            report = check(connection)
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write((json.dumps(asdict(report)) if "--json" in sys.argv[1:] else str(report)) + "\n")
    sys.exit(0 if report.passed else 1)


def _prepare(connection: psycopg.Connection[Any], stage: Stage) -> tuple[list[Target], Rows, Rows]:
    connection.execute((SQL / "checks" / "isolation.sql").read_text(encoding="utf-8"))
    with connection.pipeline():
        for command in SESSION:
            connection.execute(command)
        for each in stage.organizations:
            filled = each is not stage.outsider
            connection.execute("select pg_temp.populate(%s, %s, %s)", (each.id, Jsonb(each.accounts), filled))
        connection.execute(CLOSE, (stage.neighbour.id,))
        ids = [each.id for each in stage.organizations]
        targets = connection.execute("select * from pg_temp.targets(%s::uuid[])", (ids,))
        insiders = connection.execute("select * from pg_temp.insiders()")
        sealed = connection.execute("select * from pg_temp.sealed()")
    return [Target(*row) for row in targets], insiders.fetchall(), sealed.fetchall()


def _findings(tries: Sequence[Attack], results: Sequence[str]) -> tuple[Finding, ...]:
    return tuple(
        Finding(attack.table, attack.actor.role, attack.verb, attack.actor.label, _outcome(result))
        for attack, result in zip(tries, results, strict=False)
        if result not in attack.allowed
    )


def _outcome(result: str) -> str:
    if len(result) == SQLSTATE_LENGTH:
        return "reached a row" if result == TRIPPED else f"failed with SQLSTATE {result}"
    return {"0": "not refused, no row", "1": "1 row"}.get(result, f"{result} rows")


if __name__ == "__main__":
    main()
