"""What the isolation check found: leaks, missing rights, and what it could not judge."""

from collections.abc import Iterable
from dataclasses import dataclass

TRIPPED, SQLSTATE_LENGTH = "LEAK0", 5
CHANGED = "changed "


@dataclass(frozen=True)
class Finding:
    """One attack that got through, one right that is missing, or one object that was not judged.

    Attributes:
        table: the table, view, function or other object, without the schema public.
        role, verb: what was tried as which database role.
        actor: who that was, in words.
        outcome: what happened instead of the refusal.
    """

    table: str
    role: str
    verb: str
    actor: str
    outcome: str

    def __str__(self) -> str:
        actor = f" ({self.actor})" if self.actor else ""
        return f"{self.table}: {self.verb} as {self.role}{actor}: {self.outcome}"


@dataclass(frozen=True)
class Report:
    """The result of one check.

    Attributes:
        attacks: how many were tried.
        leaks: what got through.
        lockouts: rights of members and of the server that are missing.
        unjudged: what could not be tried, with what to do about it.
        allowed: entries of `sql/checks/allowed.yaml` in use.
        notes: what a reader should know besides.
    """

    attacks: int
    leaks: tuple[Finding, ...]
    lockouts: tuple[Finding, ...]
    unjudged: tuple[Finding, ...] = ()
    allowed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every attack was refused, every right is there and everything was judged."""
        return not (self.leaks or self.lockouts or self.unjudged)

    def __str__(self) -> str:
        head = f"isolation: {self.attacks} attacks, {len(self.leaks)} leaks"
        return "\n".join(
            [
                f"{head}, {len(self.unjudged)} not judged" if self.unjudged else head,
                *(f"leak: {finding}" for finding in self.leaks),
                *(f"locked out: {finding}" for finding in self.lockouts),
                *(f"not judged: {finding}" for finding in self.unjudged),
                *(f"allowed: {entry}" for entry in self.allowed),
                *(f"note: {note}" for note in self.notes),
            ]
        )


def grouped(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each finding once, those of a table together, in the order that tables were first met."""
    unique = list(dict.fromkeys(findings))
    order = {name: at for at, name in enumerate(dict.fromkeys(each.table for each in unique))}
    return tuple(sorted(unique, key=lambda each: order[each.table]))


def outcome_text(outcome: str) -> str:
    """An outcome of the server in words."""
    if outcome == f"{CHANGED}members":
        return "changed an account's organization, role or status"
    if outcome.startswith(CHANGED):
        name = outcome.removeprefix(CHANGED).replace('"', "").removeprefix("public.")
        return f"changed rows of another organization in {name}"
    if len(outcome) == SQLSTATE_LENGTH:
        return "reached a row" if outcome == TRIPPED else f"failed with SQLSTATE {outcome}"
    return {"0": "not refused, no row", "1": "1 row"}.get(outcome, f"{outcome} rows")
