"""What every emulated service can be made to do wrong, and what it was asked: latency, faults, a log of requests.

    POST   /_emulator/faults    {"method", "path", "nth", "times", "status", "body", "headers", "delay",
                                 "drop", "hold"}
    GET    /_emulator/faults    ->  [{"path", "seen", "held"}]
    DELETE /_emulator/faults
    GET    /_emulator/requests  ->  [{"method", "path", "status"}]; query strings and bodies are not kept
    DELETE /_emulator/requests

`method` (a regular expression, or `*` for any) and `path` (a regular expression) say which requests count. A fault
strikes from the `nth` of them on, `times` times: it waits `delay` seconds, answers `status` with `headers` and `body`,
or breaks the connection: `drop: "before"` without carrying the request out, `drop: "after"` having carried it out. With
a `status` too, `drop: "after"` lets that answer follow a request that was carried out. `hold` keeps the caller waiting,
`"before"` or `"after"` the request is carried out, until it is gone (then nothing more happens) or the faults are
cleared (then the request goes on).
"""

import asyncio
import re
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT = 10_000  # requests in the log


@dataclass
class Fault:
    """One thing that goes wrong; see the module."""

    path: str
    method: str = "GET"
    nth: int = 1
    times: int = 1
    status: int | None = None
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    drop: str = ""
    hold: str = ""
    seen: int = 0
    held: bool = False
    cleared: asyncio.Event = field(default_factory=asyncio.Event)

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one that it strikes; counts it."""
        if not (self.method == "*" or re.fullmatch(self.method, method)) or not re.fullmatch(self.path, path):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


class _Caller:
    """Whoever waits for an answer; what it sent meanwhile is kept for the service."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()

    async def waits_for(self, event: asyncio.Event) -> bool:
        """Whether the event happens before the caller is gone."""
        gone, happens = asyncio.create_task(self._listen()), asyncio.create_task(event.wait())
        await asyncio.wait({gone, happens}, return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, happens):
            task.cancel()
        return not gone.done()

    async def _listen(self) -> None:
        while (message := await self._receive())["type"] != "http.disconnect":
            self._kept.append(message)

    async def receive(self) -> Message:
        """As ASGI's."""
        return self._kept.popleft() if self._kept else await self._receive()


class Harness:
    """ASGI middleware around one service.

    Args:
        app: the service.
        latency: seconds added to each request.
    """

    def __init__(self, app: ASGIApp, latency: float = 0.0) -> None:
        self._app = app
        self._latency = latency
        self._faults: list[Fault] = []
        self._log: deque[dict[str, Any]] = deque(maxlen=KEPT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry one request out, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith("/_emulator/"):
            response = await self._control(Request(scope, receive))
            await response(scope, receive, send)
            return
        entry = {"method": scope["method"], "path": scope["path"], "status": None}
        self._log.append(entry)
        # All are asked, because all count.
        fault = next(iter([fault for fault in self._faults if fault.strikes(scope["method"], scope["path"])]), None)
        await asyncio.sleep(self._latency + (fault.delay if fault else 0.0))
        if fault and fault.hold == "before":
            caller, fault.held = _Caller(receive), True
            if not await caller.waits_for(fault.cleared):
                return
            receive = caller.receive

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                if fault and fault.hold == "after":
                    fault.held = True
                    await fault.cleared.wait()
            await send(message)

        async def nowhere(message: Message) -> None:
            pass

        if fault is None or not (fault.status or fault.drop):
            await self._app(scope, receive, noted)
        elif fault.status:
            if fault.drop == "after":
                await self._app(scope, receive, nowhere)
            await Response(fault.body, fault.status, fault.headers)(scope, receive, noted)
        else:
            if fault.drop == "after":
                await self._app(scope, receive, nowhere)
            # An answer that never ends: the server closes the connection and the client cannot know more.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})

    async def _control(self, request: Request) -> Response:
        if request.url.path == "/_emulator/faults":
            if request.method == "POST":
                self._faults.append(Fault(**await request.json()))
            elif request.method == "DELETE":
                for fault in self._faults:
                    fault.cleared.set()
                self._faults.clear()
            shown = [{"path": fault.path, "seen": fault.seen, "held": fault.held} for fault in self._faults]
            return JSONResponse(shown)
        if request.url.path == "/_emulator/requests":
            log = list(self._log)
            if request.method == "DELETE":
                self._log.clear()
            return JSONResponse(log)
        return JSONResponse({"message": "Not Found"}, 404)
