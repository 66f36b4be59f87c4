"""The `pulumi` command, run with an end: the SDK's own way to run it waits for as long as it takes."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from pulumi import automation as auto
from pulumi.automation.errors import create_command_error

from automation import interrupt
from common.errors import OperatorError

COMMAND_SECONDS = 300.0
"""At most for a command that carries no operation out, such as `stack export`."""
LOOK = 1.0  # seconds between two looks at the clock
FIRST_PATIENCE = 30.0  # seconds for the steps beside the one that does not end, once the engine was told to stop
DRAIN_SECONDS = 5.0  # for output that is under way when the command has ended
Overdue = Callable[[float], str | None]


class OverdueError(OperatorError):
    """A command was ended because it took too long."""


def within_limit(seconds: float) -> str | None:
    """Say why a command that carries no operation out has to end after so many seconds; None while it may go on."""
    return f"did not end within {COMMAND_SECONDS:g} s" if seconds > COMMAND_SECONDS else None


class Command(auto.PulumiCommand):
    """Runs `pulumi` for one stack.

    Args:
        command: the command that was found, with its version.

    Attributes:
        overdue: asked every second while a command runs, with the seconds since it began; a reason ends it.
    """

    def __init__(self, command: auto.PulumiCommand) -> None:
        # Not the constructor of the class below, which would run the command to ask for its version once more.
        self.command, self.version = command.command, command.version
        self.overdue: Overdue = within_limit

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: auto.OnOutput | None = None,
        on_error: auto.OnOutput | None = None,
    ) -> auto.CommandResult:
        """Run a command and return what it said; as the method that this replaces.

        Raises:
            OverdueError: it took too long and was ended.
            pulumi.automation.CommandError: it failed.
        """
        words = args if "--non-interactive" in args else ["--non-interactive", *args]
        process = subprocess.Popen(
            [self.command, *words],
            cwd=cwd,
            env=self._environment(additional_env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        with process, interrupt.pulumi_command(process.pid):
            assert process.stdout is not None
            assert process.stderr is not None
            output, errors = _Reader(process.stdout, on_output), _Reader(process.stderr, on_error)
            reason = self._wait(process, output)
            for reader in (output, errors):
                reader.join(DRAIN_SECONDS)
        if reason:
            remedy = "What it was making is looked for by the next run: run it again."
            raise OverdueError(reason, f"pulumi {args[0]}", remedy)
        result = auto.CommandResult("\n".join(output.lines), "\n".join(errors.lines), process.returncode)
        if result.code:
            raise create_command_error(result)
        return result

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        environment = {**os.environ, **more, "PULUMI_AUTOMATION_API": "true"}
        if os.path.isabs(self.command):
            # The plugins that come with the command are beside it.
            environment["PATH"] = os.pathsep.join([os.path.dirname(self.command), environment.get("PATH", "")])
        return environment

    def _wait(self, process: "subprocess.Popen[str]", output: "_Reader") -> str | None:
        """Return when the command has ended; the reason when it was ended here."""
        began = time.monotonic()
        while process.poll() is None:
            output.join(LOOK)  # it ends with the command, so this returns at once then
            if not output.is_alive():
                _ended(process, LOOK)
            if process.poll() is None and (reason := self.overdue(time.monotonic() - began)):
                _end(process)
                return reason
        return None


class _Reader(threading.Thread):
    """Keeps the lines of a stream.

    A daemon: a plugin that outlives the command may hold the stream open.
    """

    def __init__(self, stream: IO[str], tell: auto.OnOutput | None) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self._stream, self._tell = stream, tell
        self.start()

    def run(self) -> None:
        """Read to the end."""
        with suppress(ValueError):  # closed under way, because the command has ended and something else holds it open
            for line in self._stream:
                self.lines.append(line.rstrip())
                if self._tell:
                    self._tell(self.lines[-1])


def _end(process: "subprocess.Popen[str]") -> None:
    """Ask as one Ctrl-C does, insist as a second does, then kill."""
    for patience in (FIRST_PATIENCE, interrupt.LAST_PATIENCE):
        process.send_signal(signal.SIGINT)
        if _ended(process, patience):
            return
    process.kill()
    process.wait()


def _ended(process: "subprocess.Popen[str]", seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True
