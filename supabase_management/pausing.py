"""Pausing a project and bringing it back, each until the service says that it has happened. Knows no Pulumi."""

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.models import PENDING, TERMINAL, ProjectRecord
from supabase_management.waiting import Pending, wait_until

RUNNING = frozenset({"ACTIVE_HEALTHY", "ACTIVE_UNHEALTHY"})
RESTORABLE = frozenset({"INACTIVE", "PAUSE_FAILED", "RESTORE_FAILED"})
ON_ITS_WAY = PENDING - RUNNING
DASHBOARD = "See the project in the Supabase dashboard, then run `up` again."


def bring_back(client: Client, ref: str, *, timeout: float) -> ProjectRecord:
    """Return a project that runs; one that is paused is restored, one that is still pausing once it has paused.

    Args:
        timeout: seconds for all of it.

    Raises:
        OperatorError: the restore failed, the project is on its way out, or the deadline passed.
    """
    record = client.project(ref)
    if record.status in RUNNING:
        return record
    first: list[ProjectRecord] = [record]
    asked = begun = False

    def probe() -> ProjectRecord | Pending:
        nonlocal asked, begun
        record = first.pop() if first else client.project(ref)
        if record.status == "ACTIVE_HEALTHY":
            return record
        if record.status in RESTORABLE:
            if begun:
                raise OperatorError(f"its restore ended in {record.status}", f"project {ref}", DASHBOARD)
            if not asked:
                client.restore_project(ref)
                asked = True
        elif record.status in TERMINAL:
            raise OperatorError(f"the project is {record.status}", f"project {ref}", DASHBOARD)
        else:
            begun = asked
        return Pending(record.status)

    return wait_until(probe, what=f"project {ref}, to run again", timeout=timeout)


def pause(client: Client, ref: str, *, timeout: float) -> None:
    """Pause a project and wait until it is; one that is still coming up is paused once it runs.

    Args:
        timeout: seconds for all of it.

    Raises:
        OperatorError: pausing failed, the project is on its way out, or the deadline passed.
    """
    asked = False

    def probe() -> bool | Pending:
        nonlocal asked
        status = client.project(ref).status
        if status == "INACTIVE":
            return True
        if status in TERMINAL and (asked or status != "PAUSE_FAILED"):
            raise OperatorError(f"cannot be paused, it is {status}", f"project {ref}", DASHBOARD)
        if status not in ON_ITS_WAY and not asked:
            client.pause_project(ref)
            asked = True
        return Pending(status)

    wait_until(probe, what=f"project {ref}, to be paused", timeout=timeout)
