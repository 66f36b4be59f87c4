"""How the GitHub and Vercel emulators are spoken to: one call, its refusals, and the routes to handlers.

A handler is a plain function, so it has the event loop for itself: what it reads, changes and writes back cannot be
mixed with another request. It returns the content, or a status and the content, or those and
headers; 204 has no content.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from local.emulators.context import Context


class RefusedError(Exception):
    """An answer that is an error: status, message, the service's code for it, what else the body holds."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int, message: str, code: str = "", **extra: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.extra = status, message, code, extra


@dataclass(frozen=True)
class Call:
    """One request, read.

    Attributes:
        path: the parameters of the path.
        base: address that the routes lie under, as the caller wrote it, without a slash at its end.
        route: path and query below `base`.
    """

    context: Context
    method: str
    path: Mapping[str, str]
    query: QueryParams
    body: Any
    base: str = ""
    route: str = ""


Handler = Callable[[Call], Any]
Table = Sequence[tuple[str, str, Handler]]


@dataclass(frozen=True)
class Service:
    """What is particular to a service: who is let in, and what its errors look like.

    Attributes:
        check: raises `RefusedError` for a request that shows no good token.
        error: the body of an error.
        headers: what every answer to who was let in carries.
    """

    check: Callable[[Request], None]
    error: Callable[[RefusedError], Any]
    headers: Callable[[Request], Mapping[str, str]] = lambda request: {}

    def app(self, context: Context, *routes: BaseRoute) -> Starlette:
        """The service over a context; what has no route is refused in the service's own form."""

        async def unknown(request: Request, problem: Exception) -> Response:
            return JSONResponse(self.error(RefusedError(404, "Not Found", "not_found")), 404)

        starlette = Starlette(routes=routes, exception_handlers={404: unknown, 405: unknown})
        starlette.state.context = context
        return starlette

    def mount(self, prefix: str, table: Table) -> Mount:
        """The routes of a table of methods, path and handler, under a prefix."""
        return Mount(prefix, routes=self.routes(table))

    def routes(self, table: Table) -> list[Route]:
        """The routes of a table of methods, path and handler."""
        return [Route(path, self._endpoint(run), methods=how.split()) for how, path, run in table]

    def _endpoint(self, handler: Handler) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            more: Mapping[str, str] = {}
            try:
                self.check(request)
                more = self.headers(request)
                response = _reply(request, handler(await _call(request)))
            except RefusedError as refused:
                response = JSONResponse(self.error(refused), refused.status, refused.headers)
            response.headers.update(more)
            return response

        return endpoint


async def _call(request: Request) -> Call:
    try:
        body = json.loads(await request.body() or b"{}")
    except ValueError:
        raise RefusedError(400, "Problems parsing JSON", "bad_request") from None
    base = str(request.base_url).rstrip("/") + request.scope["root_path"]
    return Call(
        request.app.state.context,
        request.method,
        request.path_params,
        request.query_params,
        body,
        base,
        str(request.url).removeprefix(base),
    )


def _reply(request: Request, answer: Any) -> Response:
    """Answer with an ETag, or with 304 to who has this answer already."""
    status, content, *more = answer if isinstance(answer, tuple) else (200, answer)
    if status == 204:
        return Response(status_code=204)
    response = JSONResponse(content, status, *more)
    response.headers["etag"] = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    if request.method == "GET" and request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={"etag": response.headers["etag"]})
    return response
