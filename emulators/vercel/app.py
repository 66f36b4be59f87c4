"""Vercel's REST API, as far as the resources of a client need it, under any `/vN/`.

The provider cannot be pointed elsewhere, so it reaches this through the loopback proxy, which also brings the one
other host that it asks: the list of regions. One token, one team and the token's own account are known.
"""

import asyncio

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Host, Mount, Route, Router

from emulators import documents
from emulators.context import Context
from emulators.vercel import domains, projects, variables
from emulators.vercel.projects import RefusedError

TOKEN = "localvercelemulatortoken"  # noqa: S105 (opens nothing but this emulator; the provider wants 24 characters)
TEAM = {"id": "team_local", "slug": "local-agency", "name": "Local Agency"}
API_HOST = "api.vercel.com"
REGIONS_HOST = "dcs.vercel-infra.com"
REGIONS = "arn1 bom1 cdg1 cle1 cpt1 dub1 fra1 gru1 hkg1 hnd1 iad1 icn1 kix1 lhr1 pdx1 sfo1 sin1 syd1"


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead the provider and the rehearsal here; the proxy adds its own."""
    return {"VERCEL_API_TOKEN": TOKEN, "VERCEL_EMULATOR_URL": url}


def app(context: Context) -> Starlette:
    """The Vercel emulator over a store."""
    starlette = Starlette(
        routes=[
            Host(REGIONS_HOST, Router(routes=[Route("/", _regions)])),
            *documents.routes(),
            Mount("/v{version:int}", routes=_routes()),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_authenticate)],
        exception_handlers={RefusedError: _refuse, 404: _not_found},
    )
    starlette.state.context = context
    # One request at a time: each reads a document, changes it and writes it back as a whole.
    starlette.state.turn = asyncio.Lock()
    return starlette


async def _authenticate(request: Request, call_next: RequestResponseEndpoint) -> Response:
    if request.url.hostname != REGIONS_HOST and not request.url.path.startswith("/_rehearsal/"):
        known_team = request.query_params.get("teamId") in (None, TEAM["id"])
        if request.headers.get("authorization") != f"Bearer {TOKEN}" or not known_team:
            error = {"code": "forbidden", "message": "Not authorized", "invalidToken": known_team}
            return JSONResponse({"error": error}, 403)
    async with request.app.state.turn:
        return await call_next(request)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return JSONResponse(error.body, error.status)


async def _not_found(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": {"code": "not_found", "message": "Not Found"}}, 404)


async def _user(request: Request) -> Response:
    return JSONResponse({"user": {"id": "user_local", "username": "local-user", "email": "local-user@agency.example"}})


async def _team(request: Request) -> Response:
    if request.path_params["team"] not in (TEAM["id"], TEAM["slug"]):
        raise RefusedError(404, "not_found", "Team not found")
    return JSONResponse(TEAM)


async def _regions(request: Request) -> Response:
    return JSONResponse({region: {"caps": ["V2_DEPLOYMENT_CREATE"]} for region in REGIONS.split()})


def _routes() -> list[Route]:
    project = "/projects/{project}"
    table = [
        ("GET", "/user", _user),
        ("GET", "/teams/{team}", _team),
        ("GET", "/projects", projects.listing),
        ("POST", "/projects", projects.create),
        ("GET PATCH DELETE", project, projects.project),
        ("POST DELETE", f"{project}/link", projects.link),
        ("PATCH", f"{project}/branch", projects.production_branch),
        ("GET", f"{project}/env", variables.listing),
        ("POST", f"{project}/env", variables.create),
        ("GET PATCH DELETE", f"{project}/env/{{name}}", variables.variable),
        ("GET", f"{project}/domains", domains.listing),
        ("POST", f"{project}/domains", domains.create),
        ("GET PATCH DELETE", f"{project}/domains/{{name}}", domains.domain),
        ("GET", "/domains/{name}/config", domains.configuration),
    ]
    return [Route(path, endpoint, methods=methods.split()) for methods, path, endpoint in table]
