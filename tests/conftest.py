"""What the tests of all rooms share: the emulators, started once for each test process."""

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from local.emulators.server import Emulators

pytest_plugins = ["tests.skip_budget"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")
    parser.addoption("--live", action="store_true", help="also run the test that works in real accounts")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="takes minutes: run it with --long")
        for item in items:
            if "long" in item.keywords:
                item.add_marker(skip)


class Local:
    """Emulators that run for the whole session of tests.

    Attributes:
        exports: the environment variables that point every provider at them.
        urls: service name -> base URL.
        postgres: the server behind Supabase.
    """

    def __init__(self, emulators: Emulators) -> None:
        self.exports = dict(emulators.exports)
        self.urls = dict(emulators.services)
        self.state = emulators.state
        self.postgres = emulators.postgres
        self.http = httpx.Client(trust_env=False, timeout=30)  # making one costs more than a request

    def supabase(self, method: str, path: str, **kwargs: object) -> httpx.Response:
        """Ask the Management API, as its one token."""
        headers = {"Authorization": f"Bearer {self.exports['SUPABASE_ACCESS_TOKEN']}"}
        url = f"{self.urls['supabase']}{path}"
        return self.http.request(method, url, headers=headers, **kwargs)  # type: ignore[arg-type]

    def fault(self, service: str, **fault: object) -> None:
        """Make the next matching request of a service go wrong."""
        self.http.post(f"{self.urls[service]}/_emulator/faults", json=fault).raise_for_status()

    def clear(self) -> None:
        """Take back every fault."""
        for url in self.urls.values():
            self.http.delete(f"{url}/_emulator/faults").raise_for_status()

    def requests(self, service: str) -> list[dict[str, object]]:
        """What a service was asked since the last time somebody asked this, which empties the log."""
        answer = self.http.delete(f"{self.urls[service]}/_emulator/requests")
        log: list[dict[str, object]] = answer.json()
        return log


@pytest.fixture(scope="session")
def new_state() -> Iterator[Callable[[], Path]]:
    """Makes folders that the database server's user can enter, unlike pytest's own; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="emulators-") as parent:
        Path(parent).chmod(0o755)
        counter = itertools.count()

        def make() -> Path:
            folder = Path(parent) / str(next(counter))
            folder.mkdir(mode=0o755)
            return folder

        yield make


@pytest.fixture(scope="session")
def local(new_state: Callable[[], Path]) -> Iterator[Local]:
    emulators = Emulators(new_state(), volatile=True)
    emulators.start()
    running = Local(emulators)
    yield running
    running.http.close()
    emulators.stop()


@pytest.fixture
def emulators(local: Local) -> Iterator[Local]:
    """The emulators without any fault that an earlier test asked for."""
    yield local
    local.clear()
