"""The end-to-end test in real accounts, off by default: `make test-live`. Its own path is tested in the emulators'."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.automation import test_end_to_end as scenarios
from tests.conftest import Local
from tests.live.accounts import Accounts
from tests.live.cost import CAP
from tests.live.run import BASE, LiveClient
from tests.live.sweep import find, new_run

FIXTURES = Path(__file__).parent / "fixtures"


def test_a_client_lives_and_ends_in_real_accounts(accounts_for_a_run: Accounts, tmp_path: Path) -> None:
    fixtures = FIXTURES if accounts_for_a_run.real else tmp_path
    with LiveClient(accounts_for_a_run, new_run(), fixtures) as client:
        scenarios.test_a_client_comes_up_and_the_second_time_nothing_changes(lambda _: client)
        scenarios.test_a_changed_name_updates_in_place_and_what_somebody_changed_is_named(lambda _: client)
        scenarios.test_rotate_gives_new_secrets_and_the_old_ones_stop_working(lambda _: client)
        site = client("outputs")[1]["outputs"]["site_url"]
        config = httpx.get(f"{site}/api/config", trust_env=site.startswith("https:"), timeout=30).json()
        assert config["missing"] == []
    assert (fixtures / "supabase.json").exists()


def live(emulators: Local, **changes: str) -> subprocess.Popen[str]:
    """The test above in a process of its own, with the emulators as accounts."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--live",
        __file__,
        "-k",
        "real_accounts",
    ]
    variables = {**os.environ, **emulators.exports, CAP: "1", **changes}
    return subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def left(emulators: Local) -> list[object]:
    return [*find(Accounts(emulators.exports), older_than=timedelta(0)), *BASE.glob("live-*")]


@pytest.mark.long
def test_the_live_test_passes_with_the_emulators_as_accounts(emulators: Local) -> None:
    process = live(emulators)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "1 passed" in said
    assert left(emulators) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)])
def test_a_run_that_is_ended_by_a_signal_leaves_nothing(emulators: Local, number: signal.Signals) -> None:
    emulators.fault("supabase", method="POST", path="/v1/projects", hold="after")
    process = live(emulators)
    url = f"{emulators.urls['supabase']}/_emulator/faults"
    while not emulators.http.get(url).json()[0]["held"]:
        assert process.poll() is None, process.communicate()[0]
    process.send_signal(number)
    emulators.http.delete(url)
    said, _ = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in said
    assert left(emulators) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN set"), ({CAP: ""}, f"{CAP}: is not set"), ({CAP: "0.001"}, "estimate")],
)
def test_without_a_token_or_a_cap_nothing_is_asked_of_any_account(
    emulators: Local, change: dict[str, str], reason: str
) -> None:
    emulators.requests("supabase")
    said, _ = live(emulators, **change).communicate(timeout=60)
    assert reason in said
    assert emulators.requests("supabase") == []
