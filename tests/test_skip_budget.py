"""A run fails when it skips for a reason that the budget does not know, or too often for one that it does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.skip_budget import BUDGET, judge

ROOT = Path(__file__).parent.parent
NO_ENGINE = "the pulumi command is not on PATH"
TRIAL = """
import pytest

@pytest.mark.engine
@pytest.mark.skipif(True, reason="{reason}")
def test_skipped():
    pass

def test_passed():
    pass
"""


def run(folder: Path, reason: str, *words: str) -> tuple[int, str]:
    """Exit code and output of a run of one test that is skipped for a reason, and one that passes."""
    (folder / "test_trial.py").write_text(TRIAL.format(reason=reason))
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = engine: trial\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.skip_budget", "-p", "no:cacheprovider", *words]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["alone", "with workers"])
def test_a_reason_that_the_budget_does_not_know_fails_a_run_without_failures(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, said = run(tmp_path, "did not feel like it", *words)
    assert (code, "1 passed, 1 skipped" in said) == (1, True)
    assert "SKIP BUDGET: 1 skipped for a reason that tests/skip_budget.py does not know: did not feel like it" in said


def test_a_known_reason_within_its_budget_is_counted_and_passes(tmp_path: Path) -> None:
    code, said = run(tmp_path, NO_ENGINE)
    assert (code, f"    1 {NO_ENGINE}" in said) == (0, True)


def test_a_run_of_the_engine_s_tests_without_the_engine_fails(tmp_path: Path) -> None:
    code, said = run(tmp_path, NO_ENGINE, "-m", "engine")
    assert (code, f"1 skipped, 0 allowed: {NO_ENGINE}" in said) == (1, True)


@pytest.mark.parametrize("reason", BUDGET)
def test_one_skip_more_than_a_reason_may_have_is_a_fault(reason: str) -> None:
    text = reason.partition("|")[0].replace(r"\d+", "17").replace(r"\S+", "1.0")
    assert judge([text] * BUDGET[reason]) == []
    assert judge([text] * (BUDGET[reason] + 1)) == [f"{BUDGET[reason] + 1} skipped, {BUDGET[reason]} allowed: {reason}"]
