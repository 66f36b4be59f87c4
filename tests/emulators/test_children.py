"""Programs that the emulators run, and the programs that those start."""

import os
import subprocess
import time
from pathlib import Path

from local.emulators import subprocesses


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_a_program_that_is_ended_leaves_none_of_its_own_behind() -> None:
    script = "sleep 1000 & echo $!; wait"
    process = subprocesses.start(["sh", "-c", script], {"PATH": os.environ["PATH"]}, output=subprocess.PIPE)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    assert alive(pid)
    subprocesses.end(process)
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
