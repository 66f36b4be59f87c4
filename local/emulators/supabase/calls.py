"""How the Management API is spoken: one call, its refusals, and the routes that lead to a handler."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.emulators.context import Context
from local.emulators.rest import RefusedError
from local.emulators.supabase import scopes
from local.emulators.supabase.database import ProjectDatabases

ORGANIZATION = "local-agency"
TYPES = {str: "string", bool: "boolean", int: "integer", list: "array", dict: "object"}
LACKING = "supabase:lacking"
LIMIT = 120  # requests a minute


@dataclass(frozen=True)
class Call:
    """One request, read: path parameters, query, JSON body."""

    context: Context
    databases: ProjectDatabases
    path: Mapping[str, str]
    query: QueryParams
    body: Any

    def fields(self, required: Mapping[str, type], optional: Mapping[str, type] | None = None) -> dict[str, Any]:
        """The body's fields, of these types; a missing, an unknown and a mistyped one are refused."""
        if not isinstance(self.body, dict):
            raise RefusedError(400, "Expected object")
        for name in required:
            if name not in self.body:
                raise RefusedError(400, f"{name}: Required")
        known = {**required, **(optional or {})}
        if unknown := sorted(self.body.keys() - known.keys()):
            raise RefusedError(400, f"Unrecognized key(s) in object: {', '.join(map(repr, unknown))}")
        for name, value in self.body.items():
            if not isinstance(value, known[name]):
                raise RefusedError(400, f"{name}: Expected {TYPES[known[name]]}")
        return self.body


Handler = Callable[[Call], Any]


def strong(password: str) -> str:
    """The password, if the service takes it."""
    if len(password) < 4 or "\0" in password:
        raise RefusedError(400, "password: String must contain at least 4 character(s), none of them NUL")
    return password


def route(method: str, path: str, handler: Handler, status: int = 200) -> Route:
    """A route whose handler runs in a thread and returns what is sent as JSON; None sends an empty body."""

    async def endpoint(request: Request) -> Response:
        answer = await run_in_threadpool(handler, call_of(request, await read_body(request)))
        return Response(status_code=status) if answer is None else JSONResponse(answer, status)

    return Route(path, endpoint, methods=[method])


def call_of(request: Request, body: Any) -> Call:
    """The request as one call."""
    state = request.app.state
    return Call(state.context, state.databases, request.path_params, request.query_params, body)


async def gate(request: Request, call_next: RequestResponseEndpoint) -> Response:
    """Middleware: let in who has the token, and tell the rate limit with each answer."""
    known = request.headers.get("authorization") == f"Bearer {request.app.state.token}"
    permission = scopes.needed(request.method, request.url.path)
    if not known and not request.url.path.startswith("/_local/"):
        answer: Response = JSONResponse({"message": "Unauthorized"}, 401)
    elif permission in _lacking(request.app.state.context):
        answer = JSONResponse({"message": "Forbidden resource", "missing_permissions": [permission]}, 403)
    else:
        answer = await call_next(request)
    # A stand-in on one machine has nobody to protect, so nothing is ever used up.
    answer.headers["X-RateLimit-Limit"] = str(LIMIT)
    answer.headers["X-RateLimit-Remaining"] = str(LIMIT - 1)
    answer.headers["X-RateLimit-Reset"] = "60"
    return answer


def _lacking(context: Context) -> list[str]:
    """The permissions that were taken from the token; it is made with all."""
    kept: list[str] = (context.store.get(LACKING, "token") or {"permissions": []})["permissions"]
    return kept


async def refuse(request: Request, error: Exception) -> Response:
    """Exception handler of `RefusedError`."""
    assert isinstance(error, RefusedError)
    return JSONResponse({"message": error.message}, error.status)


async def no_route(request: Request, error: Exception) -> Response:
    """Exception handler of a path or method that is not emulated."""
    return JSONResponse({"message": f"Cannot {request.method} {request.url.path}"}, 404)


async def read_body(request: Request) -> Any:
    """What a JSON body holds; None for an empty one."""
    if not await request.body():
        return None
    try:
        body = await request.json()
        json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise RefusedError(400, "Unexpected token in JSON") from None
    return body
