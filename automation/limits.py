"""At most so long may one step of a stack take; nothing of a stack is waited for without an end."""

import threading
import time

from components.urn import name_of

STEP_SECONDS = 3600.0
"""Longer than the longest that a service takes by itself: Vercel ends a build after 45 minutes."""
SCHEMA_SECONDS = 4 * 3600.0
"""An index of a large table is built for up to three hours; see `pgschema.non_transactional`."""
SCHEMA = "pulumi-python:dynamic/schema:Schema"


def longest(type_: str) -> float:
    """Return the seconds that a step of a resource of this type may take."""
    return SCHEMA_SECONDS if type_ == SCHEMA else STEP_SECONDS


class Progress:
    """Watches an operation: something has to begin or end within the limit of the steps that run. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}
        self._last = time.monotonic()

    def alive(self) -> None:
        """Note that the operation does something."""
        self._last = time.monotonic()

    def begin(self, urn: str, type_: str) -> None:
        """Note that a step of a resource has begun."""
        with self._lock:
            self._running[urn] = type_
        self.alive()

    def end(self, urn: str) -> None:
        """Note that it has ended."""
        with self._lock:
            self._running.pop(urn, None)
        self.alive()

    def overdue(self) -> str | None:
        """Say why the operation has to be ended; None while it may go on."""
        with self._lock:
            running = dict(self._running)
        limit = max(map(longest, running.values()), default=STEP_SECONDS)
        if time.monotonic() - self._last <= limit:
            return None
        names = ", ".join(map(name_of, running)) or "the program"
        return f"{names}: no end within {limit:g} s"
