"""What the tests of all rooms share: the emulators, started once for each test process."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from emulators.server import Emulators


class Local:
    """Emulators that run for the whole session of tests.

    Attributes:
        exports: the environment variables that point every provider at them.
        urls: service name -> base URL.
    """

    def __init__(self, emulators: Emulators) -> None:
        self.exports = dict(emulators.exports)
        self.urls = dict(emulators.services)
        self.state = emulators.state

    def supabase(self, method: str, path: str, **kwargs: object) -> httpx.Response:
        """Ask the Management API, as its one token."""
        headers = {"Authorization": f"Bearer {self.exports['SUPABASE_ACCESS_TOKEN']}"}
        url = f"{self.urls['supabase']}{path}"
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=30, **kwargs)  # type: ignore[arg-type]

    def fault(self, service: str, **fault: object) -> None:
        """Make the next matching request of a service go wrong."""
        httpx.post(f"{self.urls[service]}/_emulator/faults", json=fault, trust_env=False).raise_for_status()

    def requests(self, service: str) -> list[dict[str, object]]:
        """What a service was asked since the last time somebody asked this, which empties the log."""
        answer = httpx.delete(f"{self.urls[service]}/_emulator/requests", trust_env=False)
        log: list[dict[str, object]] = answer.json()
        return log


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    state: Path = tmp_path_factory.mktemp("emulators")
    emulators = Emulators(state, volatile=True)
    emulators.start()
    yield Local(emulators)
    emulators.stop()


@pytest.fixture
def emulators(local: Local) -> Iterator[Local]:
    """The emulators without any fault that an earlier test asked for."""
    yield local
    for url in local.urls.values():
        httpx.delete(f"{url}/_emulator/faults", trust_env=False)
