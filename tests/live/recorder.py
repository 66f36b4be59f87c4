"""A loopback reverse proxy in front of one service's API that keeps what passes: requests and answers, no headers.

Supabase and GitHub are recorded, because their providers take another address. Vercel's takes none, and a proxy that
opened its encryption would have to let through everything else that the engine fetches.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.emulators.context import Context
from tests.emulators.serving import serve

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# What belongs to one connection; bodies are passed on decoded.
OWN = {"host", "connection", "content-length", "content-encoding", "transfer-encoding", "accept-encoding"}
# The management APIs; a project's own API and the emulators' controls pass unseen.
RECORDED = {"supabase": ("/v1/",), "github": ("/repos/", "/orgs/", "/user")}
ENTERPRISE = "/api/v3"  # where the GitHub provider looks on every host but GitHub's own


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; a body is what its JSON says, None when it has none."""

    method: str
    path: str
    request: Any
    status: int
    answer: Any


class Recorder:
    """Passes requests on to a service.

    Args:
        service: a key of `RECORDED`.
        upstream: base URL of the service.
    """

    def __init__(self, service: str, upstream: str) -> None:
        self._prefixes, self._upstream = RECORDED[service], httpx.URL(upstream)
        self._http = httpx.Client(timeout=120, trust_env=self._upstream.scheme == "https")
        self.exchanges: list[Exchange] = []

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Yields the base URL under which the service is to be asked."""
        app = Starlette(routes=[Route("/{path:path}", self._pass, methods=METHODS)])
        with self._http, serve(lambda _: app, cast(Context, None)) as url:
            yield url

    async def _pass(self, request: Request) -> Response:
        body = await request.body()
        target = request.scope["raw_path"].decode().removeprefix(ENTERPRISE)
        if request.scope["query_string"]:
            target += f"?{request.scope['query_string'].decode()}"
        headers = {name: value for name, value in request.headers.items() if name not in OWN}
        url = self._upstream.copy_with(raw_path=target.encode())
        try:
            answer = await run_in_threadpool(
                self._http.request, request.method, url, content=body or None, headers=headers
            )
        except httpx.HTTPError as error:
            return Response(f"the service does not answer: {type(error).__name__}", 502)
        if target.startswith(self._prefixes):
            exchange = Exchange(request.method, target, _json(body), answer.status_code, _json(answer.content))
            self.exchanges.append(exchange)
        kept = {name: value for name, value in answer.headers.items() if name not in OWN}
        return Response(answer.content, answer.status_code, kept)


def save(exchanges: list[Exchange], file: Path) -> None:
    """Write exchanges; `load` reads them."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps([asdict(one) for one in exchanges], indent=1, ensure_ascii=False) + "\n")


def load(file: Path) -> list[Exchange]:
    """What `save` wrote."""
    return [Exchange(**one) for one in json.loads(file.read_text())]


def _json(content: bytes) -> Any:
    if not content:
        return None
    try:
        return json.loads(content)
    except ValueError:
        return "[not JSON]"
