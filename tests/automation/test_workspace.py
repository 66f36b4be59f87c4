"""Which engine carries a client, what it is given, and what is said when something is missing."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from automation import installer, local, workspace
from automation.installer import find_pulumi
from automation.local import start_emulators
from automation.workspace import TOKENS, open_workspace
from common.errors import OperatorError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def install(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    command = folder / "bin/pulumi"
    command.write_text(f"#!/bin/sh\n{script}\n")
    command.chmod(0o755)


def test_without_the_command_it_asks_the_site_and_gives_up_when_that_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listener: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installer, "SITE", f"http://127.0.0.1:{listener.getsockname()[1]}/install.sh")
    monkeypatch.setattr(installer, "SECONDS_TO_ANSWER", 0.2)
    assert find_pulumi(tmp_path, rehearsed=True) is None
    said = capfd.readouterr().err
    assert "fetching v3." in said
    assert "does not answer" in said


def test_a_client_in_rehearsal_stays_there_without_asking_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / ".local/rehearsal").mkdir(parents=True)
    (tmp_path / ".local/rehearsal/acme.json").write_text("{}")
    assert find_pulumi(tmp_path, rehearsed=True) is None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("script", ["exit 3", "echo", "echo v2.0.0"], ids=["fails", "says nothing", "too old"])
def test_a_command_that_does_not_fit_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    install(tmp_path, script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.delenv("PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK", raising=False)
    with pytest.raises(OperatorError, match=r"^pulumi: ") as caught:
        find_pulumi(tmp_path, rehearsed=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", TOKENS)
def test_a_missing_token_is_named_before_anything_starts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name in TOKENS:
        monkeypatch.setenv(name, "x" * 24)
    monkeypatch.delenv(missing)
    monkeypatch.delenv("SUPABASE_MANAGEMENT_TOKEN", raising=False)
    monkeypatch.setattr(workspace, "find_pulumi", lambda *_, **__: pytest.fail("looked for an engine"))
    with pytest.raises(OperatorError, match=f"^{missing}: is not set"):
        open_workspace(folder, local=False, writes=True)


def test_production_without_an_engine_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "find_pulumi", lambda *_, **__: None)
    with pytest.raises(OperatorError, match="the pulumi command is neither on PATH nor could it be fetched"):
        open_workspace(folder, local=False)


def test_emulators_that_run_are_used_as_they_are(tmp_path: Path, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    state = tmp_path / ".local/emulators"
    state.mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": {"SUPABASE_API_URL": url}, "services": {"supabase": url}}
    (state / "ready.json").write_text(json.dumps(ready))
    assert start_emulators(tmp_path).services == {"supabase": url}


def test_emulators_that_cannot_start_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their server is not there; a file left by a dead process does not help."""
    state = tmp_path / ".local/emulators"
    state.mkdir(parents=True)
    (state / "ready.json").write_text(json.dumps({"pid": 2**22 + 1, "exports": {}, "services": {}}))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/postgres")
    with pytest.raises(OperatorError, match=r"^emulators: .*refused") as caught:
        start_emulators(tmp_path)
    assert "\n" not in str(caught.value)


def test_emulators_of_older_code_are_stopped_before_new_ones_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = tmp_path / ".local/emulators/ready.json"
    ready.parent.mkdir(parents=True)
    asked: list[str] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command[-1])
        ready.write_text(json.dumps({"pid": os.getpid(), "exports": {}, "services": {}}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(local, "run_to_end", run)
    start_emulators(tmp_path)
    start_emulators(tmp_path)
    assert asked == ["--detach"]
    (tmp_path / "local/emulators").mkdir(parents=True)
    (tmp_path / "local/emulators/app.py").touch()
    os.utime(tmp_path / "local/emulators/app.py", (ready.stat().st_mtime + 1,) * 2)
    start_emulators(tmp_path)
    assert asked[1:] == ["stop", "--detach"]
