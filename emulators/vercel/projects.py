"""Projects: one document each, with the link, the environment variables and the domains in it."""

import hashlib
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.context import Context
from emulators.github.state import find as find_repository
from emulators.store import Document

KIND = "vercel.project"

# What a new project answers beyond what it was given; the provider fails on a missing one.
UNSET = """buildCommand commandForIgnoringBuildStep devCommand framework installCommand outputDirectory rootDirectory
    previewDeploymentSuffix passwordProtection trustedIps trustedSources optionsAllowlist enablePreviewFeedback
    enableProductionFeedback gitProviderOptions security crons"""
OFF = """enableAffectedProjectsDeployments previewDeploymentsDisabled gitLFS serverlessFunctionZeroConfigFailover
    customerSupportCodeVisibility productionDeploymentsFastLane directoryListing protectedSourcemaps"""
DEFAULTS: Document = {
    **dict.fromkeys(UNSET.split()),
    **dict.fromkeys(OFF.split(), False),
    "autoExposeSystemEnvs": True,
    "autoAssignCustomDomains": True,
    "gitForkProtection": True,
    "serverlessFunctionRegion": "iad1",
    "ssoProtection": {"deploymentType": "all_except_custom_domains"},
    "oidcTokenConfig": {"enabled": True, "issuerMode": "team"},
    "protectionBypass": {},
    "skewProtectionMaxAge": 0,
    "gitComments": {"onCommit": False, "onPullRequest": True},
    "nodeVersion": "24.x",
}
RESOURCES: Document = {
    "functionDefaultRegions": ["iad1"],
    "functionDefaultTimeout": 300,
    "functionDefaultMemoryType": "standard",
    "fluid": True,
    "elasticConcurrencyEnabled": False,
    "buildMachineType": "standard",
    "buildMachineSelection": "fixed",
}
HIDDEN = ("variables", "domains", "teamId")


class RefusedError(Exception):
    """An answer of Vercel's that is an error: status, code, message, and what else its body holds."""

    def __init__(self, status: int, code: str, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.body = status, {"error": {"code": code, "message": message}, **extra}


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def load(request: Request) -> Document:
    """The project of the request's path, by id or name, inside the request's team."""
    wanted, team = request.path_params["project"], request.query_params.get("teamId")
    for project in context_of(request).store.all(KIND).values():
        if wanted in (project["id"], project["name"]) and project["teamId"] == team:
            return project
    raise RefusedError(404, "not_found", "Project not found.")


def save(context: Context, project: Document) -> None:
    project["updatedAt"] = milliseconds(context)
    context.store.put(KIND, project["id"], project)


def milliseconds(context: Context) -> int:
    return int(context.clock().timestamp() * 1000)


def identifier(*parts: object) -> str:
    """A stable id for something of this name made at this time."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:24]


async def create(request: Request) -> Response:
    wanted, context, team = await request.json(), context_of(request), request.query_params.get("teamId")
    name = wanted.get("name", "")
    _check_name(context, name, team)
    now = milliseconds(context)
    project = {"id": f"prj_{identifier(name, now)}", "name": name, "accountId": team or "user_local", "createdAt": now}
    project |= {
        **DEFAULTS,
        "resourceConfig": dict(RESOURCES),
        "link": None,
        "teamId": team,
        "variables": {},
        "domains": {},
    }
    _apply(project, wanted)
    if repository := wanted.get("gitRepository"):
        project["link"] = _link(context, repository)
    save(context, project)
    return JSONResponse(view(project))


async def listing(request: Request) -> Response:
    team = request.query_params.get("teamId")
    found = [view(one) for one in context_of(request).store.all(KIND).values() if one["teamId"] == team]
    return JSONResponse({"projects": found, "pagination": {"count": len(found), "next": None, "prev": None}})


async def project(request: Request) -> Response:
    """Read, change or delete one project."""
    found, context = load(request), context_of(request)
    if request.method == "DELETE":
        context.store.delete(KIND, found["id"])
        return Response(status_code=204)
    if request.method == "PATCH":
        wanted = await request.json()
        name = wanted.get("name") or found["name"]
        if name != found["name"]:
            _check_name(context, name, found["teamId"])
        _apply(found, wanted)
        found["name"] = name
        save(context, found)
    return JSONResponse(view(found))


async def link(request: Request) -> Response:
    found, context = load(request), context_of(request)
    found["link"] = _link(context, await request.json()) if request.method == "POST" else None
    save(context, found)
    return JSONResponse(view(found))


async def production_branch(request: Request) -> Response:
    found = load(request)
    if not found["link"]:
        raise RefusedError(400, "bad_request", "The project is not connected to a Git repository.")
    found["link"]["productionBranch"] = (await request.json())["branch"]
    save(context_of(request), found)
    return JSONResponse(view(found))


def view(found: Document) -> Document:
    return {key: value for key, value in found.items() if key not in HIDDEN}


def _apply(found: Document, wanted: Document) -> None:
    found.update({key: value for key, value in wanted.items() if key in DEFAULTS})
    region = wanted.get("serverlessFunctionRegion")
    found["resourceConfig"] |= {"functionDefaultRegions": [region]} if region else {}
    found["resourceConfig"] |= wanted.get("resourceConfig") or {}
    found["serverlessFunctionRegion"] = found["resourceConfig"]["functionDefaultRegions"][0]


def _link(context: Context, wanted: Document) -> Document:
    """Connect a repository, as Vercel's GitHub app would: one that GitHub does not hold is refused."""
    owner, _, name = wanted["repo"].partition("/")
    repository = find_repository(context, wanted["repo"])
    if repository is None:
        raise RefusedError(400, "bad_request", f"The repository {wanted['repo']} couldn't be found.")
    return {
        "type": wanted["type"],
        "org": owner,
        "repo": name,
        "repoId": repository["id"],
        "productionBranch": repository["default_branch"],
        "deployHooks": [],
        "gitCredentialId": "cred_local",
    }


def _check_name(context: Context, name: str, team: str | None) -> None:
    if not re.fullmatch(r"(?!.*---)[a-z0-9._-]{1,100}", name):
        raise RefusedError(400, "bad_request", "Project names are 1 to 100 of a-z, 0-9, '.', '_', '-', without '---'.")
    if any(one["name"] == name and one["teamId"] == team for one in context.store.all(KIND).values()):
        raise RefusedError(409, "conflict", f'A project named "{name}" already exists.')
