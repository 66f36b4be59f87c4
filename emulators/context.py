"""What every emulated service is given."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from emulators.store import Store

if TYPE_CHECKING:
    from emulators.postgres import Postgres


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """One service's surroundings.

    Attributes:
        store: documents that survive a restart.
        postgres: the Postgres server behind the Supabase emulator.
        base_url: where the service answers, without a trailing slash.
        state: folder for files that survive a restart.
        startup: seconds that a new project, or a deployment, takes to come up.
        clock: tells the time, in UTC.
    """

    store: Store
    postgres: "Postgres"
    base_url: str
    state: Path
    startup: float = 0.0
    clock: Callable[[], datetime] = now
