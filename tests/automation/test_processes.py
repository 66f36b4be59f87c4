"""A program that is run ends: by itself, at its deadline, or with this process; one Ctrl-C lets it end."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automation.processes import run_to_end
from common.errors import OperatorError

SLEEPS = "import time; time.sleep(600)"
# Its child holds the pipes open, as pg_dump does under a tool of ours.
WITH_CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEPS!r}])"


def run(tmp_path: Path, program: str, **options: float) -> "subprocess.CompletedProcess[str]":
    return run_to_end([sys.executable, "-c", program], root=tmp_path, environment=dict(os.environ), **options)


def test_exit_code_and_both_streams_come_back(tmp_path: Path) -> None:
    done = run_to_end(
        [sys.executable, "-c", "import sys; print(sys.stdin.read()); sys.exit(3)"],
        root=tmp_path,
        environment=dict(os.environ),
        given="hello",
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "hello\n", "")


@pytest.mark.parametrize("program", [SLEEPS, WITH_CHILD], ids=["alone", "with a child"])
def test_at_the_deadline_the_whole_group_is_killed_and_that_is_told(tmp_path: Path, program: str) -> None:
    with pytest.raises(OperatorError) as refusal:
        run(tmp_path, program, seconds=0.3)
    assert refusal.value.what == "did not end within 0.3 s"
    assert "run it again" in str(refusal.value)


def test_what_it_prints_in_no_encoding_ends_nothing(tmp_path: Path) -> None:
    program = r"import sys; sys.stdout.buffer.write(b'caf\xe9'); sys.stdout.flush()"
    assert run(tmp_path, program).stdout == "caf\ufffd"


AROUND = """
import os, signal, sys
from pathlib import Path
from automation.interrupt import deferred
from automation.processes import run_to_end
with deferred():
    done = run_to_end([sys.executable, "-c", sys.argv[1]], root=Path.cwd(), environment=dict(os.environ))
print(done.stdout, flush=True)
"""


def started(tmp_path: Path, program: str) -> "subprocess.Popen[str]":
    """A command of ours around the program, which has written a line to the file `ready` when this returns."""
    os.mkfifo(tmp_path / "ready")
    process = subprocess.Popen(
        [sys.executable, "-c", AROUND, program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with (tmp_path / "ready").open() as ready:
        ready.read()
    return process


WAITS = """
import os, sys
open("ready", "w").close()
sys.stdin.read()
with open("go") as gate:
    gate.read()
print("done whole")
"""


def test_one_ctrl_c_lets_a_running_program_end(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    process = started(tmp_path, WAITS)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    assert any("Stopping" in line for line in process.stderr)
    (tmp_path / "go").write_text("")
    output, _ = process.communicate(timeout=60)
    assert (process.returncode, output.strip()) == (0, "done whole")


def test_the_second_ctrl_c_ends_a_running_program_too(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    process = started(tmp_path, WAITS)
    assert process.stderr is not None
    os.killpg(process.pid, signal.SIGINT)
    assert any("Stopping" in line for line in process.stderr)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 128 + signal.SIGINT
    assert "Ending at once" in process.communicate(timeout=60)[1]
    while is_read(tmp_path / "go"):
        time.sleep(0.05)


UNSEEN = """
import signal, threading
from automation.interrupt import deferred, requested
waiting, asked = threading.Lock(), threading.Event()
waiting.acquire()
def other():
    # As when it comes just before the main thread begins to wait: nothing ends the wait.
    for _ in range(2):
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        while not requested():
            asked.wait(0.05)
with deferred():
    threading.Thread(target=other, daemon=True).start()
    waiting.acquire()
"""


def test_a_signal_that_ends_no_wait_is_handled_all_the_same(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", UNSEEN],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        start_new_session=True,
    )
    assert done.returncode == 128 + signal.SIGINT
    assert [line[:8] for line in done.stderr.splitlines() if line] == ["Stopping", "Ending a"]


def is_read(gate: Path) -> bool:
    """Whether a process has the pipe open for reading."""
    try:
        os.close(os.open(gate, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno != errno.ENXIO
    return True
