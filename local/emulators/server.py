"""All emulators in one process: Postgres, one HTTP server per service, and the proxy in front of Vercel."""

import asyncio
import json
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import uvicorn

from local.emulators.context import Context
from local.emulators.fault_injection import Harness
from local.emulators.github import app as github
from local.emulators.ports import listen
from local.emulators.postgres import Postgres
from local.emulators.proxy import Proxy
from local.emulators.store import Store
from local.emulators.supabase import app as supabase
from local.emulators.vercel import app as vercel

SERVICES = {"supabase": supabase, "github": github, "vercel": vercel}
PROXIED = (vercel.API_HOST, vercel.REGIONS_HOST)


class Emulators:
    """Every emulator over one folder of state, on loopback ports that are remembered there.

    Args:
        state: the folder.
        latency: seconds added to each request.
        startup: seconds that a new project takes to come up.
        volatile: do not wait for the disk; for tests.
    """

    def __init__(self, state: Path, *, latency: float = 0.0, startup: float = 0.0, volatile: bool = False) -> None:
        self.state = state
        self.exports: dict[str, str] = {}
        self.services: dict[str, str] = {}
        self._latency, self._startup = latency, startup
        self.postgres = Postgres(state / "database", volatile=volatile, url=os.environ.get("DATABASE_URL") or None)
        self._servers: list[uvicorn.Server] = []
        self._threads: list[threading.Thread] = []
        self._proxy: Proxy | None = None
        self._ending = ExitStack()

    def start(self) -> None:
        """Start everything and write `ready.json`; returns once all ports take connections.

        Raises:
            RuntimeError: something does not start; then nothing is left running.
        """
        with ExitStack() as ending:
            self._start(ending)
            self._ending = ending.pop_all()

    def stop(self) -> None:
        """Stop everything; what was stored stays."""
        self._ending.close()

    def _start(self, ending: ExitStack) -> None:
        self.state.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.new_event_loop()
        # Closed by hand: one that is collected unclosed complains on standard error.
        ending.callback(self._loop.close)
        ending.callback(self.postgres.stop)
        self.postgres.start()
        store = ending.enter_context(closing(Store(self.state / "documents.sqlite")))
        remembered = self.state / "ports.json"
        ports = _remembered_ports(remembered)
        ending.callback(self._stop_serving)
        for name, service in SERVICES.items():
            listener = listen(ports.get(name, 0))
            ports[name] = listener.getsockname()[1]
            self.services[name] = f"http://127.0.0.1:{ports[name]}"
            context = Context(store, self.postgres, self._startup, ending)
            self._serve(Harness(service.app(context), self._latency), listener)
            self.exports |= service.exports(self.services[name])
        self.exports["SUPABASE_ACCESS_TOKEN"] = supabase.token(store)
        self._start_proxy(ports, ending.enter_context(listen(ports.get("proxy", 0))))
        remembered.write_text(json.dumps(ports))
        ready, partial = self.state / "ready.json", self.state / "ready.json.partial"
        ending.callback(ready.unlink, missing_ok=True)
        partial.touch(mode=0o600)
        partial.write_text(json.dumps({"pid": os.getpid(), "exports": self.exports, "services": self.services}))
        partial.replace(ready)

    def _serve(self, app: Harness, listener: socket.socket) -> None:
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        self._servers.append(server)
        self._run(lambda: server.run(sockets=[listener]))

    def _start_proxy(self, ports: dict[str, int], listener: socket.socket) -> None:
        proxy = Proxy(self.state, PROXIED, ports["vercel"])
        self._run(self._loop.run_forever)
        asyncio.run_coroutine_threadsafe(proxy.start(listener), self._loop).result(10)
        self._proxy = proxy
        ports["proxy"] = listener.getsockname()[1]
        self.exports |= proxy.exports(ports["proxy"])

    def _run(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _stop_serving(self) -> None:
        for server in self._servers:
            server.should_exit = True
        # Ends the queries of requests under way, which would be waited for.
        self.postgres.stop()
        if self._proxy:
            asyncio.run_coroutine_threadsafe(self._proxy.end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(timeout=5)


def _remembered_ports(path: Path) -> dict[str, int]:
    """The ports of the last time; none where there was none, or the file is damaged: others do as well."""
    try:
        return {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}
