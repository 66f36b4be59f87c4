"""Sites that were deployed, each on a loopback port of its own: the starter under Node, with its variables.

A front takes the connections of a port and passes them on to the newest version, which starts at the first of them.
So a new version takes over without a refused connection, and a restart of the emulators serves the same addresses.
"""

import base64
import os
import select
import socket
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

from local.emulators import subprocesses
from local.emulators.node import node_path, node_program
from local.emulators.ports import listen
from local.emulators.relay import relay
from local.emulators.store import Document, Store

KIND = "site"
START_SECONDS = 30.0
SIMULATED = """HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n
{"status": "simulated", "error": "no program serves this page here: it needs Node and the starter's dev.js"}\n"""


class Sites:
    """The sites of one Vercel emulator.

    Args:
        store: keeps files, variables and port of each site.
        ending: what is started here is stopped with it.
    """

    def __init__(self, store: Store, ending: ExitStack) -> None:
        self._store, self._fronts = store, dict[str, _Front]()
        ending.callback(self._end)

    def resume(self) -> None:
        """Take connections again for what was served before the emulators were stopped."""
        for project, site in self._store.all(KIND).items():
            self._open(project, site)

    def address(self, project: str) -> str:
        """Host and port of a project's site; kept from the first time it is asked for."""
        if project not in self._fronts:
            self._open(project, self._store.get(KIND, project) or {"port": 0, "files": {}, "variables": {}})
        return f"127.0.0.1:{self._fronts[project].server_address[1]}"

    def serve(self, project: str, files: Mapping[str, bytes], variables: Mapping[str, str]) -> None:
        """Serve this version from now on; requests under way end with the version that they began with."""
        self.address(project)
        front = self._fronts[project]
        encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
        site = {"port": front.server_address[1], "files": encoded, "variables": dict(variables)}
        self._store.put(KIND, project, site)
        front.replace(site)

    def remove(self, project: str) -> None:
        """Stop serving a project's site."""
        self._store.delete(KIND, project)
        if front := self._fronts.pop(project, None):
            front.close()

    def _open(self, project: str, site: Document) -> None:
        self._fronts[project] = front = _Front(listen(site["port"]), site)
        self._store.put(KIND, project, site | {"port": front.server_address[1]})
        threading.Thread(target=front.serve_forever, daemon=True).start()

    def _end(self) -> None:
        for front in self._fronts.values():
            front.close()


class _Front(socketserver.ThreadingTCPServer):
    """Passes connections on to the program that serves the site."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, site: Document) -> None:
        super().__init__(listener.getsockname(), _Relay, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = listener, listener.getsockname()
        self._site, self._lock, self._program = site, threading.Lock(), ExitStack()
        self._url: tuple[str, int] | None = None

    def backend(self) -> tuple[str, int] | None:
        """Where the program listens; None where none can serve the site."""
        with self._lock:
            if self._url is None and "dev.js" in self._site["files"] and node_program("node"):
                self._url = _start(self._site, self._program)
            return self._url

    def replace(self, site: Document) -> None:
        """Serve another version; the program before ends when it has answered what it was asked."""
        with self._lock:
            before, self._program = self._program, ExitStack()
            self._site, self._url = site, None
        threading.Thread(target=before.close).start()

    def close(self) -> None:
        """Stop taking connections and end the program."""
        self.shutdown()
        self.server_close()
        with self._lock:
            self._program.close()


class _Relay(socketserver.BaseRequestHandler):
    server: _Front

    def handle(self) -> None:
        """Pass bytes in both directions until both sides have ended."""
        with suppress(OSError):  # one side went away: the other notices by itself
            if (address := self.server.backend()) is None:
                self.request.recv(65536)
                self.request.sendall(SIMULATED.encode())
                return
            with socket.create_connection(address) as inner:
                back = threading.Thread(target=relay, args=(inner, self.request), daemon=True)
                back.start()
                relay(self.request, inner)
                back.join()


def _start(site: Document, ending: ExitStack) -> tuple[str, int] | None:
    """Start the starter's own server on a free port, over the site's files in a folder that goes with it."""
    node = node_program("node")
    assert node is not None
    folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="site-")))
    for path, content in site["files"].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(base64.b64decode(content))
    # What people would see is in the variables alone: nothing of this process's environment reaches the site.
    environment = {**site["variables"], "PATH": node_path(), "PORT": "0", "HOME": os.devnull}
    process = subprocesses.start([node, "dev.js"], environment, folder=folder, output=subprocess.PIPE)
    ending.callback(subprocesses.end, process)
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    said = process.stdout.readline().decode().strip() if ready else ""
    return ("127.0.0.1", int(said.rpartition(":")[2])) if said.startswith("http://127.0.0.1:") else None
