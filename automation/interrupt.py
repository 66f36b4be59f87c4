"""Stop in order: one Ctrl-C or SIGTERM lets the running steps end and be saved, the second ends at once.

Raising `KeyboardInterrupt` instead would close the engine's pipes and kill it in the middle of a create. A `pulumi`
command reads a first and a second signal in the same way, so it must get each exactly once: from the terminal, which
signals the whole process group, or from here, when only this process was signalled (`kill`, a container's stop).
"""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
NUDGE = signal.SIGURG  # of no effect by itself, but it ends what the main thread waits in
NUDGES, NUDGE_SECONDS = 10, 0.2
PATIENCE = 1.0  # seconds for a signal to reach the group's other processes
LAST_PATIENCE = 15.0  # seconds for a `pulumi` command that was told twice; it ends its plugins and frees its lock
_COMMANDS: set[int] = set()
"""The `pulumi` commands that this process runs."""
_PROGRAMS: set[int] = set()
"""Leaders of process groups that end with this process."""
SHOW_CURSOR = "\x1b[?25h"
_REQUESTED = threading.Event()


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block, note SIGINT and SIGTERM and raise nothing. Without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = _Handler()
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    # After the handlers: a program that is started now begins with both signals at their defaults.
    handler.witness = _Witness()
    waker = _Waker(handler.handled)
    try:
        yield
    finally:
        waker.stop()
        for number, previous in before.items():
            signal.signal(number, previous)
        handler.witness.stop()


@contextmanager
def pulumi_command(pid: int) -> Iterator[None]:
    """While the block lasts, a `pulumi` command of this process gets the signals that this process gets."""
    _COMMANDS.add(pid)
    try:
        yield
    finally:
        _COMMANDS.discard(pid)


@contextmanager
def ended_with_us(group: int) -> Iterator[None]:
    """While the block lasts, kill a process group when a signal ends this process at once."""
    _PROGRAMS.add(group)
    try:
        yield
    finally:
        _PROGRAMS.discard(group)


def requested() -> bool:
    """Whether the operator asked to stop: start nothing new."""
    return _REQUESTED.is_set()


class _Handler:
    """Counts signals; the first asks, the second insists, the third ends this process whatever still runs."""

    witness: "_Witness | None" = None

    def __init__(self) -> None:
        self._count = 0
        self.handled = threading.Event()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.handled.set()
        self._count += 1
        if self._count == 1:
            _say("\nStopping: what is running ends first, and is saved. Once more ends at once.")
            _REQUESTED.set()
        else:
            _say("\nEnding at once: what was being made is looked for by the next run.")
            if self._count > 2 or not _COMMANDS:
                _end(number)
        # In threads: a handler that waits would keep the main thread from handling the next signal.
        threading.Thread(target=self._pass_on, args=(number, self._count), daemon=True).start()

    def _pass_on(self, number: int, count: int) -> None:
        if self.witness is not None and not self.witness.signalled():
            for pid in tuple(_COMMANDS):
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.kill(pid, number)
                    _say("Passed on to the pulumi command.")
        if count > 1:
            threading.Event().wait(LAST_PATIENCE)
            _end(number)


class _Waker:
    """Lets a signal be handled soon, whatever the main thread waits for.

    Python runs handlers in the main thread, between two of its instructions. A signal that comes just before that
    thread begins to wait, or that another thread gets, does not end the wait.

    Args:
        handled: set by each run of the handler.
    """

    def __init__(self, handled: threading.Event) -> None:
        self._handled, self._main = handled, threading.get_ident()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._nudge_before = signal.signal(NUDGE, lambda _number, _frame: None)
        # The interpreter writes the number of each signal to it at once, in whichever thread.
        self._writer_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._watch, daemon=True).start()

    def stop(self) -> None:
        signal.set_wakeup_fd(self._writer_before)
        signal.signal(NUDGE, self._nudge_before)
        self._writer.close()

    def _watch(self) -> None:
        with self._reader:
            while number := self._reader.recv(1):
                if number[0] in SIGNALS:
                    self._nudge()

    def _nudge(self) -> None:
        for _ in range(NUDGES):
            if self._handled.wait(NUDGE_SECONDS):
                break
            signal.pthread_kill(self._main, NUDGE)
        self._handled.clear()


class _Witness:
    """A process beside this one in the same group, which a signal to the whole group ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = self._start()

    def signalled(self) -> bool:
        """Whether the group got the signal that this process got."""
        with self._lock:
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                return False
            self._process = self._start()
            return True

    def stop(self) -> None:
        with self._lock:
            try:
                self._process.communicate(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @staticmethod
    def _start() -> "subprocess.Popen[bytes]":
        # Ends by itself with this process, however that ends: its input is a pipe that closes then.
        return subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _end(number: int) -> None:
    for group in tuple(_PROGRAMS):
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(group, signal.SIGKILL)
    if sys.stderr.isatty():
        _say(SHOW_CURSOR)  # a progress line may have hidden it
    os._exit(128 + number)


def _say(text: str) -> None:
    with suppress(OSError):  # nobody can be told, but the signal still counts
        print(text, file=sys.stderr, flush=True)  # noqa: T201
