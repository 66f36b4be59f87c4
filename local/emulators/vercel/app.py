"""Vercel's REST API, as far as the resources of a client need it, under any `/vN/`.

The provider cannot be pointed elsewhere, so it reaches this through the loopback proxy, which also brings the one
other host that it asks: the list of regions. One token, one team and the token's own account are known.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Host, Route, Router

from local.emulators import documents
from local.emulators.context import Context
from local.emulators.rest import RefusedError, Service
from local.emulators.vercel import account, deployments, domains, projects, variables
from local.emulators.vercel.account import TEAM
from local.emulators.vercel.projects import inside

TOKEN = "localvercelemulatortoken"  # noqa: S105 (opens nothing but this emulator; the provider wants 24 characters)
API_HOST = "api.vercel.com"
REGIONS_HOST = "dcs.vercel-infra.com"
REGIONS = "arn1 bom1 cdg1 cle1 cpt1 dub1 fra1 gru1 hkg1 hnd1 iad1 icn1 kix1 lhr1 pdx1 sfo1 sin1 syd1"


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead the provider and the rehearsal here; the proxy adds its own."""
    return {"VERCEL_API_TOKEN": TOKEN, "VERCEL_EMULATOR_URL": url}


def app(context: Context) -> Starlette:
    """The Vercel emulator over a store."""
    service = Service(_check, lambda refused: {"error": _described(refused), **refused.extra})
    context.sites.resume()
    regions = Host(REGIONS_HOST, Router([Route("/", _regions)]))
    return service.app(context, regions, *documents.routes(), service.mount("/v{version:int}", TABLE))


def _check(request: Request) -> None:
    if request.headers.get("authorization") != f"Bearer {TOKEN}":
        raise RefusedError(403, "Not authorized", "forbidden", invalidToken=True)
    if request.query_params.get("teamId") not in (None, TEAM["id"]):
        raise RefusedError(403, "Not authorized", "forbidden")


def _described(refused: RefusedError) -> dict[str, str]:
    return {"code": refused.code, "message": refused.message}


async def _regions(request: Request) -> Response:
    return JSONResponse({region: {"caps": ["V2_DEPLOYMENT_CREATE"]} for region in REGIONS.split()})


PROJECT = "/projects/{project}"
TABLE = [
    ("GET", "/user", account.user),
    ("GET", "/user/tokens/current", account.token),
    ("GET", "/integrations/git-namespaces", account.git_namespaces),
    ("GET", "/teams", account.teams),
    ("GET", "/teams/{team}", account.team),
    ("GET", "/projects", projects.listing),
    ("POST", "/projects", projects.create),
    ("GET", PROJECT, inside(projects.read)),
    ("PATCH", PROJECT, inside(projects.update)),
    ("DELETE", PROJECT, projects.delete),
    ("POST DELETE", f"{PROJECT}/link", inside(projects.link)),
    ("PATCH", f"{PROJECT}/branch", inside(projects.production_branch)),
    ("GET", f"{PROJECT}/env", inside(variables.listing)),
    ("POST", f"{PROJECT}/env", inside(variables.create)),
    ("GET PATCH DELETE", f"{PROJECT}/env/{{name}}", inside(variables.variable)),
    ("GET", f"{PROJECT}/domains", inside(domains.listing)),
    ("POST", f"{PROJECT}/domains", inside(domains.create)),
    ("GET PATCH DELETE", f"{PROJECT}/domains/{{name}}", inside(domains.domain)),
    ("GET", "/domains", domains.every_domain),
    ("GET", "/domains/{name}/config", domains.configuration),
    ("GET", "/deployments", deployments.listing),
    ("POST", "/deployments", deployments.create),
    ("POST", "/now/deployments", deployments.create),
    ("GET DELETE", "/deployments/{deployment}", deployments.read),
    ("GET", "/deployments/{deployment}/events", deployments.events),
]
