"""How the Management API is spoken: one call, its refusals, and the routes that lead to a handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.context import Context
from emulators.supabase.database import ProjectDatabases

ORGANIZATION = "local-agency"
TOKEN = "sbp_" + "0" * 40  # opens nothing but this emulator
LIMIT = 120  # requests a minute


class RefusedError(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Call:
    """One request, read: path parameters, query, JSON body."""

    context: Context
    databases: ProjectDatabases
    path: Mapping[str, str]
    query: QueryParams
    body: Any

    def fields(self, *required: str, optional: tuple[str, ...] = ()) -> dict[str, Any]:
        """The body's fields; a missing and an unknown one are refused."""
        if not isinstance(self.body, dict):
            raise RefusedError(400, "Expected object, received nothing")
        for name in required:
            if name not in self.body:
                raise RefusedError(400, f"{name}: Required")
        if unknown := sorted(self.body.keys() - {*required, *optional}):
            raise RefusedError(400, f"Unrecognized key(s) in object: {', '.join(map(repr, unknown))}")
        return self.body


Handler = Callable[[Call], Any]


def route(method: str, path: str, handler: Handler, status: int = 200) -> Route:
    """A route whose handler runs in a thread and returns what is sent as JSON; None sends an empty body."""

    async def endpoint(request: Request) -> Response:
        if not path.startswith("/_local/") and request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"message": "Unauthorized"}, 401)
        call = Call(
            request.app.state.context, request.app.state.databases, request.path_params, request.query_params,
            await _body(request),
        )  # fmt: skip
        try:
            answer = await run_in_threadpool(handler, call)
        except RefusedError as refused:
            return JSONResponse({"message": refused.message}, refused.status, _limits())
        if answer is None:
            return Response(status_code=status, headers=_limits())
        return JSONResponse(answer, status, _limits())

    return Route(path, endpoint, methods=[method])


def _limits() -> dict[str, str]:
    # A stand-in on one machine has nobody to protect, so nothing is ever used up.
    return {"X-RateLimit-Limit": str(LIMIT), "X-RateLimit-Remaining": str(LIMIT - 1), "X-RateLimit-Reset": "60"}


async def _body(request: Request) -> Any:
    if not await request.body():
        return None
    try:
        return await request.json()
    except JSONDecodeError:
        raise RefusedError(400, "Unexpected token in JSON") from None
