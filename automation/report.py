"""Writes drift as Markdown for a pull request; every word in it that is not ours is data, never markup."""

from collections.abc import Sequence

from automation.drift import Change, Drift

MARKER = "<!-- client-environments: drift -->"
LONGEST = 60_000  # a comment on GitHub holds 65,536 characters


def code(text: str) -> str:
    """Text as inline code: no link, mention, HTML or table cell can come out of it."""
    flat = " ".join(text.split())
    return f"<code>{''.join(sign if sign.isalnum() or sign == ' ' else f'&#{ord(sign)};' for sign in flat)}</code>"


def markdown(findings: Sequence[Drift], engine: str | None, orphans: Sequence[str] = ()) -> str:
    """The report: what belongs to no client, a table of the clients, then each client's changes.

    No value of a property is shown, only its path.
    """
    lines = [MARKER, "### Client environments", "", f"Engine: {code(engine or 'none')}", ""]
    if orphans:
        lines += ["**Belongs to no client**", "", *(f"- {code(line)}" for line in orphans), ""]
    lines += ["| client | by this program | by hand |", "|---|---|---|", *map(_row, findings), ""]
    for finding in findings:
        lines += _section(finding)
    text = "\n".join(lines)
    if len(text) > LONGEST:
        text = text[:LONGEST].rpartition("\n")[0] + "\n\nCut here: the whole report is in the run's artifact."
    return text + "\n"


def _row(finding: Drift) -> str:
    if finding.error:
        return f"| {code(finding.client)} | could not be told | could not be told |"
    return f"| {code(finding.client)} | {_count(finding.program)} | {_count(finding.hand)} |"


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes)} to {'change' if len(changes) > 1 else changes[0].operation}" if changes else "nothing"


def _section(finding: Drift) -> list[str]:
    if finding.error:
        return [f"**{code(finding.client)}** failed: {code(finding.error)}", ""]
    if not (finding.program or finding.hand or finding.notes):
        return []
    lines = [f"**{code(finding.client)}**", ""]
    for title, changes in (("By this program", finding.program), ("By hand", finding.hand)):
        lines += [f"- {title}: {_change(change)}" for change in changes]
    if finding.follows:
        lines.append(f"- May change with these: {', '.join(map(code, finding.follows))}")
    lines += [f"- Note: {code(note)}" for note in finding.notes]
    return [*lines, ""]


def _change(change: Change) -> str:
    properties = f": {', '.join(map(code, change.properties))}" if change.properties else ""
    simulated = " (simulated)" if change.simulated else ""
    return f"{change.operation} {code(change.resource)} ({code(change.type)}){properties}{simulated}"
