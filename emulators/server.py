"""All emulators in one process: Postgres, one HTTP server per service, and the proxy in front of Vercel."""

import asyncio
import json
import os
import socket
import threading
from pathlib import Path

import uvicorn

from emulators.context import Context
from emulators.github import app as github
from emulators.harness import Harness
from emulators.postgres import Postgres
from emulators.proxy import Proxy
from emulators.store import Store
from emulators.supabase import app as supabase
from emulators.vercel import app as vercel

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
        self.postgres = Postgres(state / "database", volatile=volatile, url=os.environ.get("DATABASE_URL"))
        self._servers: list[uvicorn.Server] = []
        self._threads: list[threading.Thread] = []
        self._loop = asyncio.new_event_loop()

    def start(self) -> None:
        """Start everything and write `ready.json`; returns once all ports take connections."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.postgres.start()
        self._store = Store(self.state / "documents.sqlite")
        ports = self._remembered_ports()
        for name, service in SERVICES.items():
            listener = _listen(ports.get(name, 0))
            ports[name] = listener.getsockname()[1]
            url = f"http://127.0.0.1:{ports[name]}"
            context = Context(self._store, self.postgres, url, self.state, self._startup)
            self._serve(Harness(service.app(context), self._latency), listener)
            self.services[name] = url
            self.exports |= service.exports(url)
        self.exports["SUPABASE_ACCESS_TOKEN"] = supabase.token(self._store)
        ports["proxy"] = self._start_proxy(ports)
        (self.state / "ports.json").write_text(json.dumps(ports))
        ready = {"pid": os.getpid(), "exports": self.exports, "services": self.services}
        partial = self.state / "ready.json.partial"
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(ready, indent=2))
        partial.replace(self.state / "ready.json")

    def stop(self) -> None:
        """Stop everything; what was stored stays."""
        (self.state / "ready.json").unlink(missing_ok=True)
        for server in self._servers:
            server.should_exit = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        for thread in self._threads:
            thread.join(timeout=5)
        self._store.close()
        self.postgres.stop()

    def _serve(self, app: Harness, listener: socket.socket) -> None:
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        self._servers.append(server)
        self._run(lambda: server.run(sockets=[listener]))

    def _start_proxy(self, ports: dict[str, int]) -> int:
        proxy = Proxy(self.state, PROXIED, ports["vercel"])
        self._run(self._loop.run_forever)
        try:
            listening = asyncio.run_coroutine_threadsafe(proxy.start(ports.get("proxy", 0)), self._loop).result(10)
        except OSError:
            listening = asyncio.run_coroutine_threadsafe(proxy.start(), self._loop).result(10)
        port = int(listening.sockets[0].getsockname()[1])
        self.exports |= proxy.exports(port)
        return port

    def _run(self, target: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _remembered_ports(self) -> dict[str, int]:
        path = self.state / "ports.json"
        ports: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        return ports


def _listen(wanted: int) -> socket.socket:
    """A loopback socket on the wanted port, or on a free one where it is taken."""
    for port in (wanted, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError:
            listener.close()
        else:
            return listener
    raise RuntimeError("no free loopback port")
