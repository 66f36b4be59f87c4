"""Rehearsal documents: GitHub and Vercel resources as the rehearsal engine sees them, one document per resource.

They stand in for a resource, not for an API: no provider is involved. A document holds what the resource was given
and what the real provider would compute; it persists, and drifts when someone changes or deletes it.

    POST   /_rehearsal/<type>      {"urn", "identity", "inputs", "again"}
                                       ->  201 {"id", "type", "urn", "identity", "outputs", "digests"}
    GET    /_rehearsal/documents[?stack=<name>]               ->  200 [the same], all or those that a stack made
    GET    /_rehearsal/documents/<id>                         ->  200 the same
    PUT    /_rehearsal/documents/<id>      {"inputs"}         ->  200 the same
    DELETE /_rehearsal/documents/<id>                         ->  204

Property names are Pulumi's. `outputs` are the inputs and what is computed, except what cannot be read back: such a
property stands in `digests` by its SHA-256. `identity` is what of the URN stays when a resource moves
under another parent; by default it is the URN. A create that is done `again` takes its own document up, and a file with
what was written into it since. Refusals are {"message"} with 404, 409 or 422.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from starlette.routing import BaseRoute

from local.emulators.context import Context
from local.emulators.github.account import ORGANIZATION, refuse_unpaid
from local.emulators.rest import Call, RefusedError, Service
from local.emulators.store import Document
from local.emulators.vercel import deployments, domains

KIND = "rehearsal"
# What is never shown, for the site that is given it.
HELD = "rehearsal.held"
REPOSITORY = "github:index/repository:Repository"
FILE = "github:index/repositoryFile:RepositoryFile"
RULESET = "github:index/repositoryRuleset:RepositoryRuleset"
PROJECT = "vercel:index/project:Project"
VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
DEPLOYMENT = "vercel:index/deployment:Deployment"
PLACES = ("repository", "projectId")
Inputs = Mapping[str, Any]


def routes() -> list[BaseRoute]:
    """The routes to mount beside a service's own."""
    table = [
        ("GET", "/documents", _made_by),
        ("GET PUT DELETE", "/documents/{id:path}", _document),
        ("POST", "/{type:path}", _create),
    ]
    return [Service(lambda request: None, lambda refused: {"message": refused.message}).mount("/_rehearsal", table)]


def _repository(inputs: Inputs) -> Document:
    full_name = f"{ORGANIZATION}/{inputs['name']}"
    return {
        "fullName": full_name,
        "htmlUrl": f"https://github.com/{full_name}",
        "httpCloneUrl": f"https://github.com/{full_name}.git",
        "sshCloneUrl": f"git@github.com:{full_name}.git",
        "gitCloneUrl": f"git://github.com/{full_name}.git",
        "svnUrl": f"https://github.com/{full_name}",
        "nodeId": f"R_{_hash(full_name)}",
        "repoId": int(_hash(full_name)[:8], 16),
        "defaultBranch": "main",
        "archived": False,
        "private": inputs.get("visibility") != "public",
    }


def _file(inputs: Inputs) -> Document:
    content = inputs["content"].encode()
    blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
    return {"sha": blob, "commitSha": _hash(inputs["file"], blob)[:40], "ref": inputs.get("branch", "main")}


def _ruleset(inputs: Inputs) -> Document:
    name = _hash(inputs["repository"], inputs["name"])
    return {"rulesetId": int(name[:8], 16), "nodeId": f"RRS_{name}"}


def _domain(inputs: Inputs) -> Document:
    name = inputs["domain"]
    foreign = domains.elsewhere(name)
    proof = [domains.challenge(name)] if foreign else []
    return {"verified": not foreign, "misconfigured": foreign, "verifications": proof}


def _nothing(inputs: Inputs) -> Document:
    return {}


# Type -> the inputs that make its identity, and what the provider computes from its inputs.
TYPES: Mapping[str, tuple[tuple[str, ...], Callable[[Inputs], Document]]] = {
    REPOSITORY: (("name",), _repository),
    FILE: (("repository", "branch", "file"), _file),
    "github:index/branchDefault:BranchDefault": (("repository",), _nothing),
    RULESET: (("repository", "name"), _ruleset),
    "github:index/actionsVariable:ActionsVariable": (("repository", "variableName"), _nothing),
    "github:index/actionsSecret:ActionsSecret": (("repository", "secretName"), _nothing),
    PROJECT: (("name", "teamId"), _nothing),
    VARIABLE: (("projectId", "key", "gitBranch"), _nothing),
    "vercel:index/projectDomain:ProjectDomain": (("domain",), _domain),
    DEPLOYMENT: (("projectId",), _nothing),
}


def _create(call: Call) -> Any:
    kind, inputs = call.path["type"], call.body["inputs"]
    if kind not in TYPES:
        raise RefusedError(422, f"{kind} has no rehearsal document")
    if missing := [name for name in PLACES if name in inputs and not _place(call.context, inputs)]:
        raise RefusedError(404, f"{missing[0]} {inputs[missing[0]]} was not found")
    if kind == DEPLOYMENT:
        return 201, _deploy(call, inputs)
    identity, _ = TYPES[kind]
    parts = [str(inputs.get(name) or "") for name in identity]
    # What people see in state looks like the service's own ids; the others only have to be unique.
    name = parts[0] if kind == REPOSITORY else f"{'prj_' if kind == PROJECT else ''}{_hash(kind, *parts)[:24]}"
    if kind == RULESET:
        refuse_unpaid(call.context)
    there = call.context.store.get(KIND, name)
    mine = there and call.body.get("again") and _identity(there) == _identity(call.body)
    if there and not mine and not inputs.get("overwriteOnCreate"):
        if kind == REPOSITORY:
            raise RefusedError(422, "name already exists on this account")
        raise RefusedError(409, f"{' '.join(part for part in parts if part)} already exists")
    if mine and kind == FILE:
        return 201, there
    return 201, _keep(call.context, _filled(kind, name, call.body, inputs, {}), inputs)


def _deploy(call: Call, inputs: Inputs) -> Document:
    """Build the files and serve them with the variables, as far as there are documents of either."""
    every = [other["outputs"] | {"type": other["type"]} for other in call.context.store.all(KIND).values()]
    project = next(one for one in every if one["id"] == inputs["projectId"])
    repository = project["gitRepository"]["repo"].partition("/")[2]
    files = {
        one["file"]: str(one["content"]).encode()
        for one in every
        if one["type"] == FILE and one["repository"] == repository and one["branch"] == inputs["ref"]
    }
    variables = {
        one["key"]: one.get("value") or (call.context.store.get(HELD, one["id"]) or {})["value"]
        for one in every
        if one["type"] == VARIABLE and one["projectId"] == project["id"] and "production" in one["targets"]
    }
    made = deployments.make(call.context, project["id"], project["name"], files, variables)
    document = _filled(DEPLOYMENT, made["id"], call.body, inputs, {})
    return _seen(call.context, _keep(call.context, document, inputs))


def _seen(context: Context, found: Document) -> Document:
    """The document of a deployment with the state that it has now, and where it is served once it is."""
    made = context.store.get(deployments.KIND, found["id"])
    if made is None:
        return found
    now = deployments.state(context, made)
    if now == "ERROR":
        context.store.delete(KIND, found["id"])
        raise RefusedError(422, " | ".join(["BUILD_FAILED", *made["log"][-8:]]))
    domains = [context.sites.address(found["outputs"]["projectId"])]
    return found | {"state": now, "outputs": found["outputs"] | {"domains": domains}}


def _keep(context: Context, document: Document, inputs: Inputs) -> Document:
    context.store.put(KIND, document["id"], document)
    context.store.put(HELD, document["id"], {key: inputs[key] for key in document["digests"].keys() & inputs.keys()})
    return document


def _made_by(call: Call) -> Any:
    prefix = f"urn:pulumi:{call.query['stack']}::" if "stack" in call.query else ""
    return [found for found in call.context.store.all(KIND).values() if found["urn"].startswith(prefix)]


def _document(call: Call) -> Any:
    found = call.context.store.get(KIND, call.path["id"])
    if found is None:
        raise RefusedError(404, "Not Found")
    if call.method == "DELETE":
        _delete(call.context, found)
        return 204, None
    if call.method == "PUT":
        inputs = call.body["inputs"]
        found = _keep(call.context, _filled(found["type"], found["id"], found, inputs, found["digests"]), inputs)
    return _seen(call.context, found) if found["type"] == DEPLOYMENT else found


def _filled(kind: str, name: str, source: Inputs, inputs: Inputs, digests: Inputs) -> Document:
    """Fill in a document; `source` says by URN and identity which resource it stands for."""
    hidden = {"value", "plaintextValue"} if kind.endswith(":ActionsSecret") or inputs.get("sensitive") else set()
    shown = {key: value for key, value in inputs.items() if key not in hidden}
    told = {key: hashlib.sha256(str(inputs[key]).encode()).hexdigest() for key in hidden & inputs.keys()}
    _, computed = TYPES[kind]
    outputs = {**computed(inputs), **shown, "id": name}
    return {
        "id": name,
        "type": kind,
        "urn": source["urn"],
        "identity": _identity(source),
        "outputs": outputs,
        "digests": {**digests, **told} if hidden else {},
    }


def _identity(source: Inputs) -> str:
    """Return the identity in a request or a document; older ones hold the URN alone."""
    return str(source.get("identity", source["urn"]))


def _delete(context: Context, found: Document) -> None:
    if found["outputs"].get("archiveOnDestroy"):
        found["outputs"]["archived"] = True
        context.store.put(KIND, found["id"], found)
        return
    context.store.delete(KIND, found["id"])
    context.store.delete(HELD, found["id"])
    if found["type"] == PROJECT:
        context.sites.remove(found["id"])
    for other in context.store.all(KIND).values():
        if not _place(context, other["outputs"]):
            context.store.delete(KIND, other["id"])


def _place(context: Context, inputs: Inputs) -> bool:
    """Whether the repository or project that something lies in exists; true for what lies in none."""
    every = context.store.all(KIND).values()
    repositories = {other["outputs"]["name"] for other in every if other["type"] == REPOSITORY}
    places = {"repository": repositories, "projectId": {other["id"] for other in every}}
    return all(inputs[name] in places[name] for name in PLACES if name in inputs)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
