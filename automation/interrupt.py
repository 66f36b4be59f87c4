"""One Ctrl-C lets the running operation end and its state be saved; the engine gets the same signal and does so.

Raising `KeyboardInterrupt` instead would close the engine's pipes and kill it in the middle of a create.
"""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REQUESTED = threading.Event()


@contextmanager
def deferred() -> Iterator[None]:
    """Within the block, SIGINT and SIGTERM are noted and nothing is raised. Without effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def requested() -> bool:
    """Whether the operator asked to stop: start nothing new."""
    return _REQUESTED.is_set()


def _note(number: int, frame: FrameType | None) -> None:
    if not _REQUESTED.is_set():
        print("\nStopping: what is running ends first, and is saved.", file=sys.stderr, flush=True)  # noqa: T201
    _REQUESTED.set()
