"""Keeps what an emulator was asked and what it answered, bodies and all, so that a test can judge it."""

import json
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Answer:
    """One answer, and what it answers; `body` is what its JSON says, None when it has none."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    sent: bytes = b""
    status: int = 0
    raw: bytes = b""

    @property
    def body(self) -> Any:
        return json.loads(self.raw) if self.raw else None


class Recorder:
    """ASGI middleware around a service; the emulators' own controls are left out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.answers: list[Answer] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"].removeprefix("/api/v3")
        answer = Answer(scope["method"], path, scope["query_string"].decode(), headers)
        self.answers.append(answer)

        async def heard() -> Message:
            message = await receive()
            answer.sent += message.get("body", b"")
            return message

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
            else:
                answer.raw += message.get("body", b"")
            await send(message)

        await self._app(scope, heard, kept)

    def take(self) -> list[Answer]:
        """The answers since the last time somebody asked."""
        taken, self.answers = self.answers, []
        return taken
