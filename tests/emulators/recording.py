"""Keeps what an emulator answered, bodies and all, so that a test can judge it."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass
class Answer:
    """One answer; `body` is what its JSON says, None when it has none."""

    method: str
    path: str
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
        answer = Answer(scope["method"], scope["path"].removeprefix("/api/v3"))
        self.answers.append(answer)

        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status = message["status"]
            else:
                answer.raw += message.get("body", b"")
            await send(message)

        await self._app(scope, receive, kept)

    def take(self) -> list[Answer]:
        """The answers since the last time somebody asked."""
        taken, self.answers = self.answers, []
        return taken
