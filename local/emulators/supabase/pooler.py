"""The connection pooler in front of every project's database: it passes connections on, and blocks who guesses.

Only the beginning of a conversation is looked at: who wants to log in, and whether the password was refused. It can be
told to refuse the next logins of a project with any words:

    PUT /_local/projects/{ref}/pooler  {"words", "times"}; `times` 0 lets everybody in again
"""

import socket
import socketserver
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from local.emulators.context import Context
from local.emulators.ports import listen
from local.emulators.relay import relay

PORT = "supabase:pooler"
ENCRYPTION = (80877103, 80877104)  # the codes of a request for TLS and for GSS
REFUSED, ADMITTED = b"C28P01\0", b"R\0\0\0\x08\0\0\0\0"
MOST_FAILURES, WINDOW = 10, 120.0  # of one project, in seconds; the service tells no numbers
BLOCKED = "Circuit breaker open: too many authentication failures, new connections are temporarily blocked"


def start(context: Context) -> "Pooler":
    """Take connections for the context's Postgres, on a port that stays the same from one start to the next."""
    kept = context.store.get(PORT, "port") or {"port": 0}
    pooler = Pooler(listen(kept["port"]), (context.postgres.host, context.postgres.port), context.clock)
    context.store.put(PORT, "port", {"port": pooler.port})
    threading.Thread(target=pooler.serve_forever, daemon=True).start()
    context.ending.callback(pooler.close)
    return pooler


class Pooler(socketserver.ThreadingTCPServer):
    """Listens for clients; counts refused passwords by project."""

    daemon_threads = True

    def __init__(self, listener: socket.socket, database: tuple[str, int], clock: Callable[[], datetime]) -> None:
        super().__init__(listener.getsockname(), _Conversation, bind_and_activate=False)
        self.socket.close()
        self.socket, self.server_address = listener, listener.getsockname()
        self.database, self._clock = database, clock
        self._failures: dict[str, list[float]] = defaultdict(list)
        self._refusals: dict[str, deque[str]] = defaultdict(deque)

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        return int(self.server_address[1])

    def refuse(self, tenant: str, words: str, times: int) -> None:
        """Refuse the next logins of a project, whatever their password; an earlier order is void."""
        self._refusals[tenant] = deque([words] * times)

    def refusal(self, tenant: str) -> str | None:
        """The words to refuse a login of this project with, None to let it through."""
        if self.blocks(tenant):
            return BLOCKED
        ordered = self._refusals[tenant]
        return ordered.popleft() if ordered else None

    def failed(self, tenant: str) -> None:
        """Note a refused password."""
        self._failures[tenant].append(self._clock().timestamp())

    def blocks(self, tenant: str) -> bool:
        """Whether a project's logins are refused for now, right ones too."""
        since = self._clock().timestamp() - WINDOW
        return sum(moment > since for moment in self._failures[tenant]) >= MOST_FAILURES

    def close(self) -> None:
        """Stop taking connections."""
        self.shutdown()
        self.server_close()


class _Conversation(socketserver.BaseRequestHandler):
    server: Pooler

    def handle(self) -> None:
        """Let one client talk to the database until either has had enough."""
        with suppress(OSError, struct.error):  # one side went away
            opening = self._opening()
            words = opening[8:].split(b"\0")
            user = words[words.index(b"user") + 1].decode() if b"user" in words else ""
            tenant = user.rpartition(".")[2]
            if refusal := self.server.refusal(tenant):
                self.request.sendall(_fatal(refusal))
                return
            with socket.create_connection(self.server.database) as inner:
                inner.sendall(opening)
                back = threading.Thread(target=self._back, args=(inner, tenant), daemon=True)
                back.start()
                relay(self.request, inner)
                back.join()

    def _opening(self) -> bytes:
        """The first message; encryption is declined."""
        while True:
            head = self._exactly(8)
            size, code = struct.unpack("!ii", head)
            if code not in ENCRYPTION:
                return head + self._exactly(size - 8)
            self.request.sendall(b"N")

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            if not (more := self.request.recv(size - len(found))):
                raise ConnectionError
            found += more
        return found

    def _back(self, inner: socket.socket, tenant: str) -> None:
        with suppress(OSError):
            while chunk := inner.recv(65536):
                if REFUSED in chunk:
                    self.server.failed(tenant)
                self.request.sendall(chunk)
                if ADMITTED in chunk or REFUSED in chunk:
                    break
        relay(inner, self.request)


def _fatal(text: str) -> bytes:
    fields = b"".join(f"{code}{value}\0".encode() for code, value in (("S", "FATAL"), ("C", "08006"), ("M", text)))
    return b"E" + struct.pack("!i", len(fields) + 5) + fields + b"\0"
