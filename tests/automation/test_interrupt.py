"""One signal ends an `up` after its running step, the second at once: real processes, both engines."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from automation.workspace import open_engine
from components.urn import name_of
from tests.automation.conftest import ROOT, keep_rehearsal
from tests.automation.local_client import PULUMI
from tests.automation.test_pulumi_engine import PROGRAM, PROVIDER
from tests.layout import LIBRARIES

DEADLINE = 60.0


@dataclass
class Held:
    """An `up` that waits in the create of its first resource until `release`."""

    process: "subprocess.Popen[str]"
    gate: int

    def signal(self, number: int, *, group: bool) -> None:
        """Signal the whole process group, as a terminal does, or the command alone, as `kill` and containers do."""
        (os.killpg if group else os.kill)(self.process.pid, number)

    def wait_for(self, text: str) -> None:
        """Read the error stream up to a line with this text."""
        assert self.process.stderr is not None
        assert any(text in line for line in self.process.stderr), text

    def release(self) -> None:
        if self.gate >= 0:
            os.close(self.gate)
            self.gate = -1


@pytest.fixture(params=["rehearsal", PULUMI])
def project(request, folder: Path, emulators, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two resources, one after the other, over the emulators of this test process."""
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "provider.py").write_text(PROVIDER)
    (folder / "size").write_text("small")
    for name in (".venv", "components", *LIBRARIES):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".local/emulators").mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": emulators.exports, "services": emulators.urls}
    (folder / ".local/emulators/ready.json").write_text(json.dumps(ready))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if request.param == "rehearsal":
        keep_rehearsal(folder)
        folders = [name for name in os.environ["PATH"].split(os.pathsep) if not shutil.which("pulumi", path=name)]
        monkeypatch.setenv("PATH", os.pathsep.join(folders))
    return folder


@pytest.fixture
def held(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    gate = tmp_path_factory.mktemp("gate")
    os.mkfifo(gate / "go")
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "up", "acme", "--local"],
        cwd=project,
        env={**os.environ, "GATE": str(gate)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    up = Held(process, open_gate(gate / "go", process))
    yield up
    up.release()
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=DEADLINE)


def open_gate(gate: Path, process: "subprocess.Popen[str]") -> int:
    """The writing end of a pipe, once the provider reads from it; fails when the process ends before."""
    while process.poll() is None:
        try:
            return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((signal.SIGINT, True), (signal.SIGINT, True)),
        ((signal.SIGTERM, False), (signal.SIGTERM, False)),
        ((signal.SIGINT, True), (signal.SIGTERM, False)),
    ],
    ids=["ctrl-c twice", "SIGTERM twice", "ctrl-c, then SIGTERM"],
)
def test_a_second_signal_ends_at_once_and_the_next_up_makes_the_rest(
    held: Held, project: Path, first: tuple[int, bool], second: tuple[int, bool]
) -> None:
    held.signal(first[0], group=first[1])
    held.wait_for("Stopping: what is running ends first")
    if not first[1] and shutil.which("pulumi"):
        held.wait_for("Passed on to the pulumi command")
    held.signal(second[0], group=second[1])
    held.wait_for("Ending at once")
    assert held.process.wait(DEADLINE) != 0  # the create still waits
    held.release()
    deadline = time.monotonic() + DEADLINE
    while (again := up(project)).returncode and time.monotonic() < deadline:
        assert "providers still finish" in again.stderr
    assert (again.returncode, names(project)) == (0, ["project", "endpoints"])


@pytest.mark.parametrize(
    ("number", "group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False)],
    ids=["ctrl-c reaches the whole group", "SIGTERM reaches the command alone"],
)
def test_one_signal_saves_the_running_step_and_starts_no_other(
    held: Held, project: Path, number: int, group: bool
) -> None:
    held.signal(number, group=group)
    held.wait_for("Stopping: what is running ends first")
    if not group and shutil.which("pulumi"):
        held.wait_for("Passed on to the pulumi command")
    held.release()
    _, said = held.process.communicate(timeout=DEADLINE)
    assert held.process.returncode == 2
    assert "Traceback" not in said
    assert names(project) == ["project"]
    again = up(project)
    assert (again.returncode, names(project)) == (0, ["project", "endpoints"])


def up(project: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "automation", "up", "acme", "--local"]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=DEADLINE)


def names(project: Path) -> list[str]:
    resources = open_engine("acme", local=True, root=project).resources()
    return [name_of(resource["urn"]) for resource in resources]
