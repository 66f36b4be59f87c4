"""The end-to-end test in real accounts, off by default: `make test-live`. Its own path is tested in the emulators'."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.automation import test_end_to_end as scenarios
from tests.conftest import Local
from tests.live.accounts import NEEDED, Accounts, why_not
from tests.live.cost import CAP
from tests.live.folder import FOLDER, prepare
from tests.live.replay import replay_file
from tests.live.run import SIGNALS, LiveClient, sweep
from tests.live.sweep import OLD, Leftover, find, new_run
from tests.live.test_sweep import make

FIXTURES = Path(__file__).parent / "fixtures"


def test_a_client_lives_and_ends_in_real_accounts(accounts_for_a_run: Accounts, tmp_path: Path) -> None:
    fixtures = FIXTURES if accounts_for_a_run.real else tmp_path
    with LiveClient(accounts_for_a_run, new_run(), fixtures) as client:
        scenarios.test_a_client_comes_up_and_the_second_time_nothing_changes(lambda _: client)
        scenarios.test_rotate_gives_new_secrets_and_the_old_ones_stop_working(lambda _: client)
        # Last: it leaves the database changed by hand.
        scenarios.test_a_changed_name_updates_in_place_and_what_somebody_changed_is_named(lambda _: client)
        site = client("outputs")[1]["outputs"]["site_url"]
        config = httpx.get(f"{site}/api/config", trust_env=site.startswith("https:"), timeout=30).json()
        assert config["missing"] == []
    recordings = sorted(fixtures.glob("*.json"))
    assert recordings
    if not accounts_for_a_run.real:
        assert [fault for file in recordings for fault in replay_file(file, accounts_for_a_run)] == []


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the runs of a test have their folders."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.mark.parametrize("number", [0, signal.SIGTERM], ids=["failure", "signal"])
@pytest.mark.usefixtures("folder")
def test_what_a_run_made_goes_with_it_also_when_it_fails_or_is_ended(emulators: Local, number: int) -> None:
    accounts = Accounts(emulators.exports)
    handlers = [signal.getsignal(each) for each in SIGNALS]
    with pytest.raises(KeyboardInterrupt if number else ZeroDivisionError), LiveClient(accounts, new_run()) as client:  # noqa: PT012
        make(accounts, client.name)
        assert len(mine(accounts, client)) == 3
        if number:
            signal.raise_signal(number)
        raise ZeroDivisionError
    assert mine(accounts, client) == []
    assert not client.root.exists()
    assert [signal.getsignal(each) for each in SIGNALS] == handlers


def mine(accounts: Accounts, client: LiveClient) -> list[Leftover]:
    return [one for one in find(accounts, older_than=timedelta(0)) if one.name == client.name]


def test_a_run_that_was_killed_is_destroyed_by_the_next_one_once_it_is_old(
    emulators: Local, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, name, began = Accounts(emulators.exports), new_run(), time.time()
    killed = LiveClient(accounts, name)
    prepare(killed.root, real=False)
    make(accounts, name)
    assert sweep(accounts) == []
    monkeypatch.setattr(time, "time", lambda: began + OLD.total_seconds() + 60)
    assert sweep(accounts) == [f"the stack of {name}"]
    assert mine(accounts, killed) == []
    assert list(folder.iterdir()) == []


def live(emulators: Local) -> subprocess.Popen[str]:
    """The test above in a process of its own, with the emulators as accounts."""
    test = f"{__file__}::test_a_client_lives_and_ends_in_real_accounts"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--live", test]
    variables = {**os.environ, **emulators.exports, CAP: "1"}
    return subprocess.Popen(
        command, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.mark.long
def test_the_live_test_passes_with_the_emulators_as_accounts(emulators: Local, folder: Path) -> None:
    process = live(emulators)
    said, _ = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert "1 passed" in said
    assert list(folder.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize("number", SIGNALS)
def test_a_run_that_is_ended_while_its_project_is_made_leaves_nothing(
    emulators: Local, folder: Path, number: signal.Signals
) -> None:
    emulators.fault("supabase", method="POST", path="/v1/projects", hold="after")
    process = live(emulators)
    url = f"{emulators.urls['supabase']}/_emulator/faults"
    while not emulators.http.get(url).json()[0]["held"]:
        assert process.poll() is None, process.communicate()[0]
    (run,) = folder.iterdir()
    process.send_signal(number)
    emulators.http.delete(url)
    said, _ = process.communicate(timeout=300)
    assert "KeyboardInterrupt" in said
    assert not [one for one in find(Accounts(emulators.exports), older_than=timedelta(0)) if one.name == run.name]
    assert list(folder.iterdir()) == []


def test_the_reason_for_a_skip_names_what_is_missing() -> None:
    complete = dict.fromkeys(NEEDED, "made-up")
    assert "with GITHUB_OWNER set" in str(why_not({**complete, "GITHUB_OWNER": ""}, asked_for=True))
    assert "costs money" in str(why_not(complete, asked_for=False))
    assert why_not(complete, asked_for=True) is None
