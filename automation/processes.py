"""Run programs to their ends, under deadlines and in process groups of their own, and tell whether one lives.

A Ctrl-C of the terminal does not reach it, so that what it does is done whole; the second one kills it with this
process.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from automation.interrupt import ended_with_us
from common.errors import OperatorError

TOOL_SECONDS = 300.0
"""At most for a look at the services: a few dozen requests, some of them repeated."""


def run_to_end(
    command: Sequence[str],
    *,
    root: Path,
    environment: Mapping[str, str],
    given: str = "",
    seconds: float = TOOL_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit code and output.

    Args:
        command: the program and its arguments.
        root: where it runs.
        environment: its whole environment.
        given: text for its standard input.
        seconds: its deadline; then its whole process group is killed.

    Raises:
        OperatorError: it did not end in time.
    """
    with (
        subprocess.Popen(
            command,
            cwd=root,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            process_group=0,
        ) as process,
        ended_with_us(process.pid),
    ):
        try:
            output, errors = process.communicate(given, timeout=seconds)
        except BaseException as error:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            remedy = "It was ended: run it again. If it stays so, look at the services' status pages."
            raise OperatorError(f"did not end within {seconds:g} s", _shown(command), remedy) from None
    return subprocess.CompletedProcess(command, process.returncode, output, errors)


def ask_tool(
    module: str,
    given: Any = None,
    *arguments: str,
    root: Path,
    environment: Mapping[str, str],
    seconds: float = TOOL_SECONDS,
) -> Any:
    """Run a tool of `components` and return its answer: both sides speak JSON.

    Args:
        module: what `python -m` runs, `automation.recovery.token_visibility`.
        given: what it reads on standard input; nothing when None.
        arguments: for its command line.
        root: where it runs.
        environment: its whole environment.
        seconds: its deadline.

    Raises:
        OperatorError: it refused, with the last line of what it said, or did not end in time.
    """
    command, text = [sys.executable, "-m", module, *arguments], "" if given is None else json.dumps(given)
    done = run_to_end(command, root=root, environment=environment, given=text, seconds=seconds)
    if done.returncode:
        raise OperatorError((done.stderr.strip().splitlines() or [f"{_shown(command)} gave no reason"])[-1])
    return json.loads(done.stdout)


def _shown(command: Sequence[str]) -> str:
    """The command as a person would write it: `python -m automation.recovery.token_visibility`."""
    return " ".join([Path(command[0]).name, *command[1:3]])


def is_alive(pid: int) -> bool:
    """Tell whether a process runs, whoever owns it; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return read_stat(pid)[:1] != ["Z"]


def read_stat(pid: int) -> list[str]:
    """Return state, parent and so on of a process; empty where there is no such process, or no /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
