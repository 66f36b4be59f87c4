"""Where a live run may happen: asked for, with tokens, and under a cap on its cost."""

import os
import sys

import pytest

from tests.live.accounts import Accounts, missing
from tests.live.cost import estimate, require_cap
from tests.live.run import sweep


@pytest.fixture
def accounts_for_a_run(request: pytest.FixtureRequest) -> Accounts:
    """The environment's accounts, swept of what earlier runs left; skips unless everything is there."""
    if absent := missing(os.environ):
        pytest.skip(f"works in real accounts: make test-live, with {', '.join(absent)} set")
    if not request.config.getoption("--live"):
        pytest.skip("works in real accounts and costs money: make test-live")
    require_cap(estimate(["micro"]), os.environ, input if sys.stdin.isatty() else None)
    accounts = Accounts.of(dict(os.environ))
    for line in sweep(accounts):
        sys.stderr.write(f"left by an earlier run: {line}\n")
    return accounts
