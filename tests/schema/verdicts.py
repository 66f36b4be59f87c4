"""What the product makes of a hole that somebody opened: named by the check, named by drift, and closed again."""

from contextlib import suppress
from dataclasses import dataclass

import psycopg

from common.errors import OperatorError
from pgschema import catalog
from pgschema.close_foreign import openings
from pgschema.isolation import judge
from pgschema.repair import repair
from tests.schema.by_hand import lines
from tests.schema.by_hand import read as read_catalog
from tests.schema.conftest import Connection
from tests.schema.holes import Hole

HEAD = "| no. | hole | check | drift | `up --refresh --close-foreign` |\n|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Verdict:
    """One row of the table.

    Attributes:
        hole: what was opened.
        check: `named`, `named as something else`, or `-`.
        drift: `named` or `-`.
        closed: `repaired` (as reviewed again), `closed` (there, but open to nobody any more), `told` (left to the
            operator, with the remedy), or `-` (nothing was open).
    """

    hole: Hole
    check: str
    drift: str
    closed: str

    def __str__(self) -> str:
        return f"| {self.hole.number} | {self.hole.name} | {self.check} | {self.drift} | {self.closed} |"


def judged(admin: Connection, hole: Hole) -> Verdict:
    """Open a hole in a transaction, ask the check and drift, close it as an operator would, and roll back."""
    try:
        admin.execute(f"{'' if hole.as_admin else 'set local role postgres;'} {hole.sql}".encode())
        admin.execute("reset role; set local role postgres")
        check = _check(admin, hole)
        said = lines(read_catalog(admin))
        # `drift` runs the attacks too.
        drift = "named" if said or check != "-" else "-"
        return Verdict(hole, check, drift, _closed(admin, check) if drift == "named" else "-")
    finally:
        admin.rollback()


def _check(admin: Connection, hole: Hole) -> str:
    report = judge(admin)
    findings = (*report.leaks, *report.lockouts, *report.unjudged)
    if not findings:
        return "-"
    return "named" if any(hole.named in finding.table for finding in findings) else "named as something else"


def _closed(admin: Connection, check: str) -> str:
    """Repair what is ours, revoke what foreign objects let the API's roles do, and look again."""
    expected = catalog.read_snapshot()
    live = read_catalog(admin)
    try:
        with admin.transaction():
            live, _ = repair(admin, live, live, expected)
    except OperatorError:
        return "told"
    for opening in openings(live, expected):
        with suppress(psycopg.DatabaseError), admin.transaction():
            admin.execute(opening.revoke.encode())
    live = read_catalog(admin)
    if not lines(live):
        return "repaired"
    return "closed" if check != "-" and judge(admin).passed and not openings(live, expected) else "told"
