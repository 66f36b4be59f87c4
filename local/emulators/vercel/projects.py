"""Projects: one document each, with the link, the environment variables and the domains in it."""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from local.emulators.context import Context
from local.emulators.github.state import find as find_repository
from local.emulators.rest import Call, Handler, RefusedError
from local.emulators.store import Document
from local.emulators.vercel.account import owner
from local.emulators.vercel.paging import page

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
# Left out of a project until set; Vercel answers null for everything else that is unset.
LEFT_OUT = ("link", "crons", "gitProviderOptions", "security", "previewDeploymentSuffix")


def inside(handler: Callable[[Call, Document], Any]) -> Handler:
    """A handler for a project, by id or name in the call's team: given it, and kept what it changed."""

    def handle(call: Call) -> Any:
        project = load(call)
        answer = handler(call, project)
        if call.method != "GET":
            call.context.store.put(KIND, project["id"], project)
        return answer

    return handle


def load(call: Call) -> Document:
    for project in in_team(call):
        if call.path["project"] in (project["id"], project["name"]):
            return project
    raise RefusedError(404, "Project not found.", "not_found")


def in_team(call: Call) -> list[Document]:
    team = call.query.get("teamId")
    return [one for one in call.context.store.all(KIND).values() if one["teamId"] == team]


def create(call: Call) -> Any:
    name, now, team = call.body.get("name", ""), milliseconds(call.context), call.query.get("teamId")
    _check_name(call, name)
    project = {**DEFAULTS, "id": f"prj_{identifier(name, now)}", "name": name, "createdAt": now, "teamId": team}
    project |= {"resourceConfig": dict(RESOURCES), "link": None, "variables": {}, "domains": {}}
    _apply(project, call.body)
    if repository := call.body.get("gitRepository"):
        project["link"] = _link(call.context, repository)
    call.context.store.put(KIND, project["id"], project)
    return view(project)


def listing(call: Call) -> Any:
    """The projects of the call's team; with `search`, those with it in their name."""
    wanted = call.query.get("search", "")
    return page(call, "projects", [view(one) for one in in_team(call) if wanted in one["name"]])


def read(call: Call, project: Document) -> Any:
    return view(project)


def update(call: Call, project: Document) -> Any:
    name = call.body.get("name") or project["name"]
    if name != project["name"]:
        _check_name(call, name)
    _apply(project, call.body)
    project["name"] = name
    return view(project)


def delete(call: Call) -> Any:
    project = load(call)["id"]
    call.context.sites.remove(project)
    call.context.store.delete(KIND, project)
    return 204, None


def link(call: Call, project: Document) -> Any:
    project["link"] = _link(call.context, call.body) if call.method == "POST" else None
    return view(project)


def production_branch(call: Call, project: Document) -> Any:
    if not project["link"]:
        raise RefusedError(400, "The project is not connected to a Git repository.", "bad_request")
    project["link"]["productionBranch"] = call.body["branch"]
    return view(project)


def view(project: Document) -> Document:
    """The project as the API shows it."""
    shown = {field: value for field, value in project.items() if field not in HIDDEN}
    for field in LEFT_OUT:
        if shown[field] is None:
            del shown[field]
    verified = [one for one in project["domains"].values() if one["verified"]]
    return {
        **shown,
        "accountId": owner(project["teamId"]),
        "alias": [_alias(one) for one in verified],
        "defaultResourceConfig": RESOURCES,
        "deploymentExpiration": {},
    }


def _alias(domain: Document) -> Document:
    """The production address that a project's domain gives."""
    return {
        "domain": domain["name"],
        "environment": "production",
        "target": "PRODUCTION",
        "configuredBy": "CNAME",
        "createdAt": domain["createdAt"],
        "deployment": None,
        "redirect": domain["redirect"],
        "redirectStatusCode": domain["redirectStatusCode"],
        "gitBranch": domain["gitBranch"],
    }


def milliseconds(context: Context) -> int:
    return int(context.clock().timestamp() * 1000)


def identifier(*parts: object) -> str:
    """A stable id for something of this name made at this time."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).hexdigest()[:24]


def _apply(project: Document, wanted: Document) -> None:
    project.update({field: value for field, value in wanted.items() if field in DEFAULTS})
    region = wanted.get("serverlessFunctionRegion")
    project["resourceConfig"] |= {"functionDefaultRegions": [region]} if region else {}
    project["resourceConfig"] |= wanted.get("resourceConfig") or {}
    project["serverlessFunctionRegion"] = project["resourceConfig"]["functionDefaultRegions"][0]


def _link(context: Context, wanted: Document) -> Document:
    """Connect a repository, as Vercel's GitHub app would: one that GitHub does not hold is refused."""
    organization, _, name = wanted["repo"].partition("/")
    found = find_repository(context, wanted["repo"])
    if found is None:
        raise RefusedError(400, f"The repository {wanted['repo']} couldn't be found.", "bad_request")
    return {
        "type": wanted["type"],
        "org": organization,
        "repo": name,
        "repoId": found["id"],
        "deployHooks": [],
        "gitCredentialId": "cred_local",
        "productionBranch": found["default_branch"],
    }


def _check_name(call: Call, name: str) -> None:
    if not re.fullmatch(r"(?!.*---)[a-z0-9._-]{1,100}", name):
        rule = "Project names are 1 to 100 of a-z, 0-9, '.', '_', '-', without '---'."
        raise RefusedError(400, rule, "bad_request")
    if any(one["name"] == name for one in in_team(call)):
        raise RefusedError(409, f'A project named "{name}" already exists.', "conflict")
