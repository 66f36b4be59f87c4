"""The gateway in front of a project's API: it turns keys into roles as Supabase's does, and CORS lets browsers in."""

from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.emulators.context import Context
from local.emulators.rest import RefusedError
from local.emulators.supabase import auth, logs, magic_links, tokens
from local.emulators.supabase.calls import Call, call_of, read_body
from local.emulators.supabase.database import ProjectDatabases
from local.emulators.supabase.postgrest import UnavailableError
from local.emulators.supabase.project import Project, find

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
# What belongs to one connection or to the gateway, and is not passed on.
OWN = {"host", "apikey", "authorization", "origin", "connection", "content-length", "accept-encoding", "server", "date",
       "transfer-encoding"}  # fmt: skip
EXPOSED = ["Content-Location", "Content-Range", "Location", "Preference-Applied", "Range-Unit"]
VOUCHED = 60  # seconds that the gateway's own token is good for


def app(context: Context, databases: ProjectDatabases) -> Starlette:
    """Every project's API, each under `/{ref}`."""
    http = httpx.Client(trust_env=False, timeout=30)
    context.ending.callback(http.close)
    context.ending.callback(databases.data_api.end)

    async def rest(request: Request) -> Response:
        return await run_in_threadpool(_rest, http, request, await request.body())

    routes = [_auth(method, path, handler) for method, path, handler in [*auth.ROUTES, *magic_links.ROUTES]]
    cors = Middleware(
        CORSMiddleware, allow_origins="*", allow_methods="*", allow_headers="*", expose_headers=EXPOSED
    )  # fmt: skip
    starlette = Starlette(
        routes=[Route("/{ref}/rest/v1/{path:path}", rest, methods=METHODS), *routes],
        middleware=[cors],
        exception_handlers={RefusedError: _refuse, 404: _nowhere, 405: _nowhere},
    )
    starlette.state.context, starlette.state.databases = context, databases
    return starlette


def _auth(method: str, path: str, handler: auth.Handler) -> Route:
    def run(request: Request, body: Any) -> Response:
        call = call_of(request, body if isinstance(body, dict) else {})
        project = _project(call)
        token = "" if path == magic_links.OPEN else _token(request, project, call.context.clock().timestamp())
        url = f"{request.url.scheme}://{request.url.netloc}/projects/{project['ref']}"
        visit = auth.Visit(call, project, token, url)
        if path.startswith((auth.ADMIN, magic_links.INVITE)) and visit.claims.get("role") != "service_role":
            raise RefusedError(403, "User not allowed", "not_admin")
        answer = handler(visit)
        return answer if isinstance(answer, Response) else JSONResponse(answer)

    async def endpoint(request: Request) -> Response:
        return await run_in_threadpool(run, request, await read_body(request))

    return Route(f"/{{ref}}/auth/v1{path}", endpoint, methods=[method])


def _rest(http: httpx.Client, request: Request, body: bytes) -> Response:
    call = call_of(request, None)
    project = _project(call)
    if not project["db_schema"].strip(" ,"):
        # PostgREST would take no schema for `public`. The hosted service's own words are not known.
        raise RefusedError(406, "The Data API is closed: no schema is exposed", hint="See `dataApiSchemas`.")
    headers = {name: value for name, value in request.headers.items() if name not in OWN}
    headers["authorization"] = f"Bearer {_token(request, project, call.context.clock().timestamp())}"
    path = request.scope["raw_path"].partition(b"/rest/v1")[2] + b"?" + request.scope["query_string"]
    try:
        url = httpx.URL(call.databases.data_api.url(project)).copy_with(raw_path=path)
        answer = http.request(request.method, url, headers=headers, content=body)
    except UnavailableError as error:
        raise RefusedError(503, f"The Data API is not available: {error}") from None
    except httpx.TransportError:
        call.databases.data_api.stop(project["ref"])
        raise RefusedError(503, "The Data API does not answer; it is started again") from None
    kept = {name: value for name, value in answer.headers.items() if name not in OWN}
    return Response(answer.content, answer.status_code, kept)


def _project(call: Call) -> Project:
    project = find(call)
    if project["phase"] != "active":
        raise RefusedError(540, f"Project is {project['phase']}")
    return project


def _token(request: Request, project: Project, now: float) -> str:
    """The token that says who asks: a person's own, or one made here for the key."""
    given, bearer = request.headers.get("apikey"), request.headers.get("authorization", "").removeprefix("Bearer ")
    if not given:
        raise RefusedError(401, "No API key found in request", hint="No `apikey` request header was found.")
    keys = {key["api_key"]: key for key in project["keys"]}
    if not project["legacy_keys"] and any(keys.get(value, {}).get("type") == "legacy" for value in (given, bearer)):
        raise RefusedError(401, "Legacy API keys are disabled", hint="Use the publishable and secret API keys.")
    if given not in keys:
        raise RefusedError(401, "Invalid API key", hint="Double check your API key.")
    key = keys[given]
    if key["type"] == "secret" and "Mozilla/" in request.headers.get("user-agent", ""):
        raise RefusedError(401, "Forbidden use of secret API key in browser", hint="Use the publishable API key.")
    if key["type"] == "legacy":
        logs.note(request.app.state.context, project["ref"], key["id"], request.headers.get("user-agent", ""))
    if bearer and bearer != given:
        return bearer
    claims = {"publishable": {"role": "anon"}, "legacy": {"role": key["id"]}, "secret": key.get("secret_jwt_template")}
    return tokens.sign({**claims[key["type"]], "exp": int(now) + VOUCHED}, project["jwt_secret"])


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    text = {"code": error.status, "error_code": error.code, "msg": error.message} if error.code else {}
    return JSONResponse(text or {"message": error.message, **error.extra}, error.status)


async def _nowhere(request: Request, error: Exception) -> Response:
    return JSONResponse({"message": "no Route matched with those values"}, 404)
