"""Starts the program and the providers of an operation in processes of their own.

On Linux they are forked out of a server that has imported their packages once for all operations of this process. The
system libraries of macOS do not allow a process to go on after a fork, so there each is an interpreter of its own.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from local.rehearsal.fork_server import NUMBER

SERVER = Path(__file__).with_name("fork_server.py")
SERVER_SECONDS = 5.0  # for a server that is told to end
FORKS = sys.platform == "linux"
# What interpreter, C library and gRPC read once, when they start.
READ_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "GRPC_")
_SERVERS: dict[frozenset[tuple[str, str]], "_Server"] = {}
_STARTING = threading.Lock()


@dataclass(frozen=True)
class Program:
    """A program to start.

    Attributes:
        file: its source.
        arguments: for its command line.
        packages: what it imports that is not the project's own.
        folder: where it runs.
        environment: its whole environment.
    """

    file: Path
    arguments: Sequence[str]
    packages: Sequence[str]
    folder: Path
    environment: Mapping[str, str]


class Forked:
    """A process of the server, with the part of `subprocess.Popen` that an engine needs."""

    def __init__(self, server: "_Server", report: int, stdin: IO[bytes], stdout: IO[bytes] | None) -> None:
        self._server, self._report, self._pid = server, report, 0
        self.stdin, self.stdout = stdin, stdout
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code, negative for a signal.

        Raises:
            subprocess.TimeoutExpired: it goes on.
        """
        ends = None if timeout is None else time.monotonic() + timeout
        while self.returncode is None:
            left = None if ends is None else max(ends - time.monotonic(), 0)
            if not select.select([self._report], [], [], left)[0]:
                raise subprocess.TimeoutExpired(str(self._pid), timeout or 0)
            self._hear(os.read(self._report, NUMBER.size))
        return self.returncode

    def kill(self) -> None:
        """End it at once; with the server, where that did not begin it."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        if self.returncode is None and self._pid:
            self._kill()
        elif self.returncode is None:
            self._server.process.kill()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(self._pid, signal.SIGKILL)

    def _hear(self, said: bytes) -> None:
        """Take the next of the server's reports; an empty one is the server's end."""
        if said and not self._pid:
            (self._pid,) = NUMBER.unpack(said)
            return
        if not said and self._pid:
            self._kill()
        self.returncode = NUMBER.unpack(said)[0] if said else -signal.SIGKILL
        os.close(self._report)

    def __enter__(self) -> "Forked":
        return self

    def __exit__(self, *_: object) -> None:
        self.stdin.close()
        self.wait()


Started = Forked | subprocess.Popen[bytes]


class _Server:
    """A running server, for programs whose interpreters would start alike."""

    def __init__(self, environment: Mapping[str, str], log: IO[bytes]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-P", str(SERVER)],
                env=dict(environment),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
                process_group=0,
            )
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it; programs that it started go on. Returns when it has ended."""
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(SERVER_SECONDS)

    def fork(self, program: Program, output: IO[bytes] | None, errors: IO[bytes], keep: Sequence[int]) -> Forked:
        """Ask for a process; see `start`."""
        ordered, order = os.pipe()
        report, reported = os.pipe()
        given, stdin = os.pipe()
        stdout, written = os.pipe() if output is None else (None, os.dup(output.fileno()))
        theirs = [ordered, reported, given, written]
        socket.send_fds(self._control, [b"."], [*theirs, errors.fileno(), *keep])
        for each in theirs:
            os.close(each)
        asked = {
            "file": str(program.file),
            "arguments": list(program.arguments),
            "packages": list(program.packages),
            "folder": str(program.folder),
            "environment": dict(program.environment),
        }
        with os.fdopen(order, "w", encoding="utf-8") as pipe:
            json.dump(asked, pipe)
        return Forked(self, report, os.fdopen(stdin, "wb"), None if stdout is None else os.fdopen(stdout, "rb"))


def start(program: Program, *, output: IO[bytes] | None, errors: IO[bytes], keep: Sequence[int] = ()) -> Started:
    """Start a program in a process group of its own, with a pipe for its standard input.

    Args:
        output: takes its standard output; a pipe to this process when None.
        errors: takes its standard error.
        keep: descriptors that stay open in it.
    """
    if FORKS:
        with _STARTING:
            return _server(program.environment, errors).fork(program, output, errors, keep)
    return subprocess.Popen(
        [sys.executable, "-u", "-B", "-P", str(program.file), *program.arguments],
        cwd=program.folder,
        env=dict(program.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE if output is None else output,
        stderr=errors,
        pass_fds=keep,
        process_group=0,
    )


def _server(environment: Mapping[str, str], log: IO[bytes]) -> _Server:
    """The server of this process for programs with such an environment."""
    alike = frozenset((name, value) for name, value in environment.items() if name.startswith(READ_AT_START))
    server = _SERVERS.get(alike)
    if server is None or server.process.poll() is not None:
        server = _SERVERS[alike] = _Server(environment, log)
    return server
