"""What every emulated service can be made to do wrong, and what it was asked: latency, faults, a log of requests.

    POST   /_emulator/faults    {"method", "path", "nth", "times", "status", "body", "headers", "delay", "drop"}
    DELETE /_emulator/faults
    GET    /_emulator/requests  ->  [{"method", "path", "status"}]; query strings and bodies are not kept
    DELETE /_emulator/requests

`method` and `path` are regular expressions. A fault strikes from the `nth` matching request on, `times` times: it waits
`delay` seconds, answers `status` with `headers` and `body`, or breaks the connection: `drop: "before"` without carrying
the request out, `drop: "after"` having carried it out.
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
    seen: int = 0

    def strikes(self, method: str, path: str) -> bool:
        """Whether this request is one that it strikes; counts it."""
        if not (re.fullmatch(self.method, method) and re.fullmatch(self.path, path)):
            return False
        self.seen += 1
        return self.nth <= self.seen < self.nth + self.times


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

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        async def nowhere(message: Message) -> None:
            pass

        if fault is None or not (fault.status or fault.drop):
            await self._app(scope, receive, noted)
        elif fault.status:
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
                self._faults.clear()
            return JSONResponse([fault.path for fault in self._faults])
        if request.url.path == "/_emulator/requests":
            log = list(self._log)
            if request.method == "DELETE":
                self._log.clear()
            return JSONResponse(log)
        return JSONResponse({"message": "Not Found"}, 404)
