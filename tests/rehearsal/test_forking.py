"""A program that is forked is started as an interpreter of its own would start it, and ends as one would."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from local.rehearsal import forking
from local.rehearsal.forking import Program, Started, start
from tests.rehearsal.conftest import REPOSITORY
from tests.rehearsal.test_processes import alive, wait

SAYS = """
import json, os, signal, sys, threading
said = {
    "name": __name__, "arguments": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ),
    "leads its group": os.getpgid(0) == os.getpid(), "path": sys.path,
    "signals": [str(signal.getsignal(each)) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
    "threads": threading.active_count(), "open": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
}
print(json.dumps(said))
"""


@pytest.fixture(params=["forked", pytest.param("interpreter")])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to start a program: what a test claims of one, it claims of the other."""
    if request.param == "forked" and sys.platform != "linux":
        pytest.skip("programs are forked on Linux only")
    monkeypatch.setattr(forking, "FORKS", request.param == "forked")
    return str(request.param)


def run(folder: Path, source: str, arguments: Sequence[str] = (), keep: Sequence[int] = (), **more: str) -> Started:
    """Start a program with its output in a pipe and its errors in the file `errors`."""
    (folder / "program.py").write_text(source)
    environment = {**os.environ, **more}
    program = Program(folder / "program.py", arguments, ["json", "no_such_package"], folder, environment)
    with (folder / "errors").open("wb") as errors:
        return start(program, output=None, errors=errors, keep=keep)


def output(process: Started) -> bytes:
    """All that it prints, to its end."""
    assert process.stdout is not None
    with process, process.stdout:
        return process.stdout.read()


def what_it_sees(folder: Path, **more: Any) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(output(run(folder, SAYS, ["one", "two words"], **more)))
    return said


def test_a_program_finds_what_it_was_given(way: str, tmp_path: Path) -> None:
    said = what_it_sees(tmp_path, ADDED="ä")
    assert said["name"] == "__main__"
    assert said["arguments"] == ["one", "two words"]
    assert said["folder"] == str(tmp_path)
    assert said["environment"] == {**os.environ, "ADDED": "ä"}
    assert said["leads its group"]
    assert said["threads"] == 1


def test_both_ways_start_a_program_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    for forks in (True, False):
        monkeypatch.setattr(forking, "FORKS", forks)
        seen.append(what_it_sees(tmp_path, PYTHONPATH=str(tmp_path)))
    assert seen[0] == seen[1]


def test_a_program_keeps_the_descriptors_that_it_is_given_and_no_other(way: str, tmp_path: Path) -> None:
    assert what_it_sees(tmp_path)["open"] == [0, 1, 2]
    with (tmp_path / "lock").open("w") as lock:
        assert len(what_it_sees(tmp_path, keep=[lock.fileno()])["open"]) == 4


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("", 0),
        ("raise SystemExit(7)", 7),
        ("raise ValueError('wrong')", 1),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
    ],
)
def test_the_exit_code_is_the_programs(way: str, tmp_path: Path, source: str, code: int) -> None:
    assert run(tmp_path, source).wait() == code
    assert ("ValueError: wrong" in (tmp_path / "errors").read_text()) == ("wrong" in source)


def test_a_program_that_goes_on_is_waited_for_no_longer_than_said_and_can_be_killed(way: str, tmp_path: Path) -> None:
    process = run(tmp_path, "import sys; print('begun', flush=True); sys.stdin.read()")
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.kill()


def test_a_program_learns_that_its_engine_closed_its_input(way: str, tmp_path: Path) -> None:
    process = run(tmp_path, "import sys; print(sys.stdin.read() == '')")
    assert process.stdin is not None
    process.stdin.close()
    assert output(process) == b"True\n"


def test_a_program_and_its_modules_are_read_anew_each_time(way: str, tmp_path: Path) -> None:
    for word in ("one", "two", "six"):
        (tmp_path / "module.py").write_text(f"word = '{word}'")
        source = f"import module; print('{word}', module.word)"
        # Even where the interpreter keeps compiled files, which it takes for current by second and size.
        told = output(run(tmp_path, source, PYTHONPATH=str(tmp_path), PYTHONDONTWRITEBYTECODE=""))
        assert told.decode().split() == [word, word]


@pytest.mark.parametrize("way", ["forked"], indirect=True)
def test_packages_are_imported_once_for_all_programs(way: str, tmp_path: Path) -> None:
    imports = tmp_path / "imports"
    (tmp_path / "slow.py").write_text(f"print('imported', file=open({str(imports)!r}, 'a'))")
    folder = tmp_path / "program"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    (folder / "program.py").write_text("import slow, os; print(os.getpid())")
    program = Program(folder / "program.py", [], ["slow"], folder, environment)
    pids = []
    for _ in range(3):
        with (tmp_path / "errors").open("wb") as errors:
            pids.append(output(start(program, output=None, errors=errors)))
    assert len(set(pids)) == 3
    assert imports.read_text() == "imported\n"


@pytest.mark.parametrize("way", ["forked"], indirect=True)
def test_a_program_of_a_killed_server_is_ended_and_the_next_one_gets_another_server(way: str, tmp_path: Path) -> None:
    process = run(tmp_path, "import os, sys; print(os.getpid(), os.getppid(), flush=True); sys.stdin.read()")
    assert process.stdout is not None
    pid, server = map(int, process.stdout.readline().split())
    os.kill(server, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    wait(lambda: not alive(pid))
    assert output(run(tmp_path, "print('there')")) == b"there\n"


ENGINE = """
import os, sys
from pathlib import Path
from tests.rehearsal.test_forking import run
process = run(Path(sys.argv[1]), "import os, sys; print(os.getppid(), flush=True); sys.stdin.read()")
print(int(process.stdout.readline()), flush=True)
if sys.argv[2] == "killed":
    os.kill(os.getpid(), 9)
process.stdin.close()
process.wait()
"""


@pytest.mark.parametrize("end", ["ended", "killed"])
def test_the_server_ends_with_its_engine(tmp_path: Path, end: str) -> None:
    if not forking.FORKS:
        pytest.skip("programs are forked on Linux only")
    engine = [sys.executable, "-c", ENGINE, str(tmp_path), end]
    done = subprocess.run(engine, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=False, timeout=120)
    server = int(done.stdout)
    if end == "killed":
        wait(lambda: not alive(server))
    assert not alive(server)
