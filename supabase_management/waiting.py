"""Waiting as a state machine: a probe says pending or done, or raises when waiting cannot help."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.models import PENDING, TERMINAL, ProjectRecord

LOG = logging.getLogger("client_environments")
T = TypeVar("T")

FIRST_PAUSE, LONGEST_PAUSE, GROWTH = 1.0, 5.0, 1.25  # seconds between probes


@dataclass(frozen=True)
class Pending:
    """Not there yet.

    Attributes:
        state: what was seen, told in the progress log and in the error at the deadline.
        pause: seconds until the next probe, when the usual pace is wrong.
        remedy: what the operator can do when it stays like this until the deadline.
    """

    state: str
    pause: float | None = None
    remedy: str = ""


def wait_until(probe: Callable[[], T | Pending], *, what: str, timeout: float) -> T:
    """Probe until something other than `Pending` comes back.

    Args:
        probe: looks once; whatever it raises ends the wait, except an `ApiError` that may pass by itself.
        what: what is waited for, named in progress and errors.
        timeout: seconds until giving up.

    Raises:
        OperatorError: the deadline passed; the error names the last state seen.
    """
    deadline, pause, last = time.monotonic() + timeout, FIRST_PAUSE, ""
    while True:
        seen = _look(probe)
        if not isinstance(seen, Pending):
            return seen
        if seen.state != last:
            LOG.info("%s: %s", what, seen.state)
        last, rest = seen.state, seen.pause or pause
        if time.monotonic() + rest > deadline:
            raise OperatorError(
                f"not ready after {timeout:g} s, last seen: {last}",
                what,
                seen.remedy or "Nothing is lost: run `up` again, or raise readyTimeout in Pulumi.<environment>.yaml.",
            )
        time.sleep(rest)
        pause = min(pause * GROWTH, LONGEST_PAUSE)


def _look(probe: Callable[[], T | Pending]) -> T | Pending:
    try:
        return probe()
    except ApiError as error:
        if error.transient:
            return Pending(f"{error.where}: {error.reason}")
        raise


def project_on_its_way(client: Client, ref: str) -> ProjectRecord:
    """The project, unless it is in a state from which it never becomes ready.

    Raises:
        OperatorError: the project's state is terminal.
    """
    record = client.project(ref)
    if record.status in TERMINAL:
        paused = record.status == "INACTIVE"
        restore = "Set `paused: false` and run `up --refresh`, which restores it first."
        remedy = restore if paused else "See the project in the Supabase dashboard."
        raise OperatorError(f"the project is {record.status}", f"project {ref}", remedy)
    return record


def wait_for_active(client: Client, ref: str, *, timeout: float) -> ProjectRecord:
    """Wait until the project is ACTIVE_HEALTHY; states unknown to us count as pending."""

    def probe() -> ProjectRecord | Pending:
        record = project_on_its_way(client, ref)
        if record.status == "ACTIVE_HEALTHY":
            return record
        return Pending(record.status if record.status in PENDING else f"{record.status} (an unknown state)")

    return wait_until(probe, what=f"project {ref}", timeout=timeout)
