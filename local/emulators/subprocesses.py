"""Programs that the emulators run: each ends with its parent, even when that is killed."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

# The program ends with the shell's input: when that is closed here, and also when this process is killed. So do its own
# children, which are in the shell's process group: `node` of the wheel is a script that starts the real one.
RUN = '"$@" & read -r _; trap : TERM; kill 0; wait'
PATIENCE = 10.0  # seconds


def start(
    command: Sequence[str | Path], environment: Mapping[str, str], *, folder: Path | None = None, output: int = 2
) -> subprocess.Popen[bytes]:
    """Start a program.

    Args:
        command: the program and its arguments.
        environment: its whole environment.
        folder: where it runs.
        output: file descriptor or `subprocess.PIPE`; by default this process's log.
    """
    # Its output goes to the log: the emulators' own is a list of exports.
    return subprocess.Popen(
        ["sh", "-c", RUN, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=2,
        env=dict(environment),
        cwd=folder,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a started program to end, and wait until it has."""
    assert process.stdin is not None
    process.stdin.close()
    process.wait(timeout=PATIENCE)
    if process.stdout is not None:
        process.stdout.close()
