"""A made-up clock and made-up logins, for tests of waiting and of proof."""

from collections.abc import Iterator

import pytest
import stamina

from supabase_management import (
    adoption as ownership,
)
from supabase_management import (
    pooler as database,
)
from supabase_management import (
    project_lifecycle as allocation,
)
from supabase_management import (
    waiting,
)
from supabase_management.pooler import Attempt, Login


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now, self.pauses = 0.0, list[float]()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    with stamina.set_testing(True):
        yield made


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[Login]:
    """The outcomes of the coming logins, first one first; what is left was not tried."""
    queue: list[Login] = []
    for module in (allocation, ownership):
        monkeypatch.setattr(module, "login", lambda _address, _password: queue.pop(0))
    for module in (ownership, database):
        monkeypatch.setattr(module, "attempt_login", lambda _address, _password: Attempt(queue.pop(0)))
    return queue
