"""Put a judgement of the isolation check into words: the verdict that state holds, and a line for each leak."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pgschema.migrations import Migration

if TYPE_CHECKING:
    # The program declares the verdict as an input and has no use for a database driver.
    from pgschema.isolation import Report

PASSED = "passed"
LONGEST_VERDICT = 300


def leak_lines(report: "Report", pending: Sequence[Migration] = (), migrations: Sequence[Migration] = ()) -> list[str]:
    """List the findings, one line for each table, role, verb and outcome, in the order of the tables.

    Args:
        report: the judgement.
        pending: the files that ran in the judged transaction.
        migrations: all files; without them no file is named.
    """
    kinds = (("", report.leaks), ("locked out: ", report.lockouts), ("not judged: ", report.unjudged))
    actors: dict[tuple[str, str, str, str, str], list[str]] = {}
    for kind, findings in kinds:
        for each in findings:
            actors.setdefault((each.table, kind, each.verb, each.role, each.outcome), []).append(each.actor)
    lines = []
    for (table, kind, verb, role, outcome), who in sorted(actors.items(), key=lambda item: item[0][0]):
        line = f"{kind}{table}: {verb} as {role} ({', '.join(dict.fromkeys(who))}): {outcome}"
        file = origin(table, pending, migrations) if migrations else ""
        lines.append(f"{line} [{file}]" if file else line)
    return list(dict.fromkeys(lines))


def verdict(report: "Report") -> str:
    """The judgement in one text that is the same for the same findings: `passed`, or the leaks."""
    if report.passed:
        return PASSED
    text = "; ".join(leak_lines(report))
    return text if len(text) <= LONGEST_VERDICT else f"{text[:LONGEST_VERDICT]}..."


def origin(name: str, pending: Sequence[Migration], migrations: Sequence[Migration]) -> str:
    """The file at fault for an object: the last pending one that names it, else the one that creates it.

    Args:
        name: the object as the catalog or a finding names it, with or without schema and arguments.

    Returns:
        the file, or an empty text for an object that no migration names.
    """
    short = name.partition("(")[0].strip().rpartition(".")[2].strip('"')
    named = re.compile(rf"(?<![\w$]){re.escape(short)}(?![\w$])", re.IGNORECASE)
    created = re.compile(rf"^\s*create\b[^(;]*(?<![\w$]){re.escape(short)}(?![\w$])", re.IGNORECASE | re.MULTILINE)
    return _last(pending, named) or _last(migrations, created) or ""


def _last(files: Iterable[Migration], pattern: re.Pattern[str]) -> str:
    found = [each.file for each in files if any(pattern.search(one.text) for one in each.statements)]
    return found[-1] if found else ""
