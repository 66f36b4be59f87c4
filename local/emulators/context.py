"""What every emulated service is given."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from local.emulators.postgres import Postgres
from local.emulators.sites import Sites
from local.emulators.store import Store


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Context:
    """One service's surroundings.

    Attributes:
        store: documents that survive a restart.
        postgres: the Postgres server behind the Supabase emulator.
        startup: seconds that a new project, or a deployment, takes to come up.
        ending: what has to be stopped along with the service.
        clock: tells the time, in UTC.
        remembered: seconds that a pooler goes on with a password that was changed.
    """

    store: Store
    postgres: Postgres
    startup: float = 0.0
    ending: ExitStack = field(default_factory=ExitStack)
    clock: Callable[[], datetime] = now
    remembered: float = 0.0

    @cached_property
    def sites(self) -> Sites:
        """The sites that are served, from the first time somebody asks."""
        return Sites(self.store, self.ending)
