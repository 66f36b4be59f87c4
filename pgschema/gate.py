"""Judge a transaction before its COMMIT: the catalog against `sql/snapshot.json`, then every attack in a savepoint.

A refusal names everything at once, each line with the migration file at fault, and leaves the decision to roll back to
the caller. Knows no Pulumi.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import isolation
from pgschema.catalog import PARTS, RELATIONS, Catalog, compare, kind_of, path_of, relation_of
from pgschema.migrations import Migration
from pgschema.repair import repair
from pgschema.verdict import leak_lines, origin

# Another session's lock: the attempt proves nothing, and is worth repeating.
BUSY = ("55P03", "40P01")
# An index or a validated constraint may come from a file that still has to run alone.
FROM_ALONE = ("index", "constraint")


class GateError(OperatorError):
    """Something that must not be committed: the text has one line for each finding below the first.

    Attributes:
        lines: the findings.
        repaired: objects that were changed by hand and are repaired in the open transaction, which opened nothing:
            committing it leaves less open than rolling it back.
    """

    def __init__(self, what: str, remedy: str, lines: Sequence[str], repaired: Sequence[str] = ()) -> None:
        self.lines, self.repaired = tuple(lines), tuple(repaired)
        super().__init__(what, "database", remedy)
        self.args = ("\n  ".join((str(self.args[0]), *self.lines)),)


class LockedError(OperatorError):
    """An attack met a lock of another session, so nothing is known about what it would have reached."""


GateError.__module__ = "builtins"
LockedError.__module__ = "builtins"


@dataclass(frozen=True)
class Change:
    """What the open transaction made.

    Attributes:
        committed: files that earlier transactions of the same apply committed.
        files: the files that ran in this one.
        rest: the files that are still to run.
        start: the catalog before the first of all these files.
        before: the catalog before those of this transaction.
        after: the catalog with them.
    """

    committed: Sequence[Migration]
    files: Sequence[Migration]
    rest: Sequence[Migration]
    start: Catalog
    before: Catalog
    after: dict[str, str]


def judge(
    connection: psycopg.Connection[Any],
    change: Change,
    migrations: Sequence[Migration],
    snapshot: Catalog,
    *,
    prove: bool = False,
    clone: bool = False,
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Review, repair and attack what the open transaction made.

    Nothing is attacked when no file ran and nothing was repaired, unless `prove` asks for it.

    Args:
        connection: inside the transaction; left there.
        change: what the transaction made.
        migrations: all files.
        snapshot: the reviewed catalog; it is the end state, so nothing is compared while files of SQL are left.
        prove: attack in any case.
        clone: the database is a copy without users.

    Returns:
        the catalog as it is now, and the objects that were changed by hand and are repaired.

    Raises:
        GateError: names each object that was not reviewed, each leak and each right that members miss.
        LockedError: another session's lock kept an attack from being judged.
        OperatorError: the repair failed, or the attacks could not be carried out.
    """
    after, undone, unreviewed = change.after, tuple[str, ...](), list[str]()
    if all(migration.alone for migration in change.rest):
        names = find_unreviewed(change, snapshot)
        unreviewed = _unreviewed_lines(names, change, snapshot)
        # What was changed by hand is repaired all the same, so that only the files' own leaks are named.
        accepted = {name: after[name] for name in names if name in after}
        kept = {name: text for name, text in snapshot.items() if name not in names}
        after, undone = repair(connection, change.before, after, kept | accepted)
    leaks = list[str]()
    if change.files or undone or prove:
        # The catalog is read without a search path; triggers and functions expect the session's.
        connection.execute("set local search_path = default")
        try:
            leaks = find_leaks(connection, change.files, migrations, clone=clone, final=not change.rest)
        except OperatorError as error:
            if is_locked(error) or not unreviewed:
                raise
            leaks = [f"not attacked: {error.what}"]
    if unreviewed or leaks:
        raise _refusal(change, unreviewed, leaks, () if change.files or unreviewed else undone)
    return after, undone


def find_unreviewed(change: Change, snapshot: Catalog) -> list[str]:
    """List the objects that the files made, changed or dropped without the snapshot saying so.

    An object counts as the files' doing when it was as the snapshot says before them, and is not afterwards. What
    differed before them was changed by hand and is left to the repair and to the warnings.
    """
    start, after = change.start, change.after
    return [
        name
        for name in sorted({*start, *after, *snapshot})
        if start.get(name) == snapshot.get(name) != after.get(name)
        and not (change.rest and kind_of(name) in FROM_ALONE)
    ]


def find_leaks(
    connection: psycopg.Connection[Any],
    files: Sequence[Migration],
    migrations: Sequence[Migration],
    *,
    clone: bool = False,
    final: bool = True,
) -> list[str]:
    """Attack the open transaction and list what gets through and what members miss, one line each.

    Args:
        connection: inside the transaction; left there.
        files: the files that ran in it.
        migrations: all files.
        clone: the database is a copy without users.
        final: no file is left to run, so an unused entry of `allowed.yaml` is a finding.

    Raises:
        LockedError: another session's lock kept an attack from being judged.
        OperatorError: the attacks could not be carried out.
    """
    report = isolation.judge(connection, clone=clone, final=final)
    findings = (*report.leaks, *report.lockouts, *report.unjudged)
    if any(state in finding.outcome for finding in findings for state in BUSY):
        raise LockedError("tables are locked by other sessions", "isolation gate", "Run again when they have ended.")
    return [] if report.passed else leak_lines(report, files, migrations)


def is_locked(error: BaseException) -> bool:
    """Whether another session's lock is what stopped the gate."""
    cause = error if isinstance(error, psycopg.Error) else error.__cause__
    return isinstance(error, LockedError) or (isinstance(cause, psycopg.Error) and cause.sqlstate in BUSY)


def _refusal(change: Change, unreviewed: Sequence[str], leaks: Sequence[str], repaired: Sequence[str]) -> GateError:
    found = []
    if unreviewed:
        count = "1 object is" if len(unreviewed) == 1 else f"{len(unreviewed)} objects are"
        found.append(f"{count} not as reviewed")
    if leaks:
        found.append("1 leak" if len(leaks) == 1 else f"{len(leaks)} leaks")
    remedy = f"Repaired all the same: {', '.join(repaired)}." if repaired else "Nothing was committed."
    if change.committed:
        remedy = f"Committed before it: {', '.join(each.file for each in change.committed)}."
    if leaks and change.files:
        remedy += " Close the leaks in the migration, or allow them in sql/checks/allowed.yaml."
    elif leaks:
        remedy += " No pending migration made the leaks: close them by hand or with a migration."
    return GateError("; ".join(found), remedy, [*unreviewed, *leaks], repaired)


def _unreviewed_lines(names: Sequence[str], change: Change, snapshot: Catalog) -> list[str]:
    """One line for each object, with the file that names it; parts of an unreviewed relation go without saying."""
    after, files = change.after, [*change.committed, *change.files]
    differences = compare(after, snapshot)
    lines = []
    for name in names:
        if _inside_another(name, names):
            continue
        if name not in after:
            what = "is in sql/snapshot.json and would be dropped"
        else:
            what = "is not as in sql/snapshot.json" if name in snapshot else "is not in sql/snapshot.json"
        file = origin(path_of(name), files, files) or origin(relation_of(name) or path_of(name), files, files)
        said = differences.security.get(name) or differences.other.get(name)
        note = f" ({said})" if said and name in after else ""
        where = f"{file}: " if file else ""
        lines.append(f"{where}{name}{note} {what}: run make snapshot, review the difference, commit it")
    return lines


def _inside_another(name: str, wrong: Sequence[str]) -> bool:
    """Whether a line about the relation that an object is part of says it already."""
    return kind_of(name) in PARTS and any(f"{kind} {relation_of(name)}" in wrong for kind in RELATIONS)
