"""Where a live run may happen: asked for, with tokens, and under a cap on its cost."""

import os
import sys

import pytest

from common.errors import OperatorError
from tests.live.accounts import Accounts, why_not
from tests.live.cost import estimate, require_cap
from tests.live.run import sweep


@pytest.fixture
def accounts_for_a_run(request: pytest.FixtureRequest) -> Accounts:
    """The environment's accounts, swept of what earlier runs left; skips unless everything is there."""
    if reason := why_not(os.environ, asked_for=request.config.getoption("--live")):
        pytest.skip(reason)
    refused = ""
    try:
        require_cap(estimate(["micro"]), os.environ, input if sys.stdin.isatty() else None)
    except OperatorError as error:
        refused = str(error)
    if refused:
        pytest.fail(refused, pytrace=False)
    accounts = Accounts.of(dict(os.environ))
    for line in sweep(accounts):
        sys.stderr.write(f"left by an earlier run: {line}\n")
    return accounts
