"""Rehearsal documents: GitHub and Vercel resources as the rehearsal engine sees them, one document per resource.

They stand in for a resource, not for an API: no provider is involved. A document holds what the resource was given
and what the real provider would compute; it persists, and drifts when someone changes or deletes it.

    POST   /_rehearsal/<type>              {"urn", "inputs"}  ->  201 {"id", "type", "urn", "outputs", "digests"}
    GET    /_rehearsal/documents/<id>                         ->  200 the same
    PUT    /_rehearsal/documents/<id>      {"inputs"}         ->  200 the same
    DELETE /_rehearsal/documents/<id>                         ->  204

Property names are Pulumi's. `outputs` are the inputs and what is computed, except what cannot be read back: such a
property stands in `digests` by its SHA-256. Refusals are {"message"} with 404, 409 or 422.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from emulators.context import Context
from emulators.store import Document

KIND = "rehearsal"
OWNER = "local-agency"
REPOSITORY = "github:index/repository:Repository"
PROJECT = "vercel:index/project:Project"
Inputs = Mapping[str, Any]


def routes() -> list[Route]:
    """The routes to mount beside a service's own."""
    return [
        Route("/_rehearsal/documents/{id:path}", _document, methods=["GET", "PUT", "DELETE"]),
        Route("/_rehearsal/{type:path}", _create, methods=["POST"]),
    ]


def _repository(inputs: Inputs) -> Document:
    full_name = f"{OWNER}/{inputs['name']}"
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


def _nothing(inputs: Inputs) -> Document:
    return {}


# Type -> the inputs that make its identity, and what the provider computes from its inputs.
TYPES: Mapping[str, tuple[tuple[str, ...], Callable[[Inputs], Document]]] = {
    REPOSITORY: (("name",), _repository),
    "github:index/repositoryFile:RepositoryFile": (("repository", "branch", "file"), _file),
    "github:index/branchDefault:BranchDefault": (("repository",), _nothing),
    "github:index/repositoryRuleset:RepositoryRuleset": (("repository", "name"), _ruleset),
    "github:index/actionsVariable:ActionsVariable": (("repository", "variableName"), _nothing),
    "github:index/actionsSecret:ActionsSecret": (("repository", "secretName"), _nothing),
    PROJECT: (("name", "teamId"), _nothing),
    "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable": (("projectId", "key", "gitBranch"), _nothing),
    "vercel:index/projectDomain:ProjectDomain": (("domain",), lambda inputs: {"verified": True}),
}


async def _create(request: Request) -> Response:
    context: Context = request.app.state.context
    kind, wanted = request.path_params["type"], await request.json()
    try:
        document = _declared(context, kind, wanted["inputs"], wanted["urn"])
    except HTTPException as error:
        return JSONResponse({"message": error.detail}, error.status_code)
    return JSONResponse(document, 201)


async def _document(request: Request) -> Response:
    context: Context = request.app.state.context
    found = context.store.get(KIND, request.path_params["id"])
    if found is None:
        return JSONResponse({"message": "Not Found"}, 404)
    if request.method == "DELETE":
        _delete(context, found)
        return Response(status_code=204)
    if request.method == "PUT":
        inputs = (await request.json())["inputs"]
        found = _filled(found["type"], found["id"], found["urn"], inputs, found["digests"])
        context.store.put(KIND, found["id"], found)
    return JSONResponse(found)


def _declared(context: Context, kind: str, inputs: Inputs, urn: str) -> Document:
    if kind not in TYPES:
        raise HTTPException(422, f"{kind} has no rehearsal document")
    if missing := [name for name in _parent(inputs) if _owner(context, inputs) is None]:
        raise HTTPException(404, f"{missing[0]} {inputs[missing[0]]} was not found")
    identity, _ = TYPES[kind]
    parts = [str(inputs.get(name) or "") for name in identity]
    # What people see in state looks like the service's own ids; the others only have to be unique.
    name = parts[0] if kind == REPOSITORY else f"{'prj_' if kind == PROJECT else ''}{_hash(kind, *parts)[:24]}"
    if context.store.get(KIND, name) and not inputs.get("overwriteOnCreate"):
        raise HTTPException(409, f"{' '.join(part for part in parts if part)} already exists")
    document = _filled(kind, name, urn, inputs, {})
    context.store.put(KIND, name, document)
    return document


def _filled(kind: str, name: str, urn: str, inputs: Inputs, digests: Inputs) -> Document:
    hidden = {"value", "plaintextValue"} if kind.endswith(":ActionsSecret") or inputs.get("sensitive") else set()
    shown = {key: value for key, value in inputs.items() if key not in hidden}
    told = {key: hashlib.sha256(str(inputs[key]).encode()).hexdigest() for key in hidden & inputs.keys()}
    _, computed = TYPES[kind]
    outputs = {**computed(inputs), **shown, "id": name}
    return {"id": name, "type": kind, "urn": urn, "outputs": outputs, "digests": {**digests, **told} if hidden else {}}


def _delete(context: Context, found: Document) -> None:
    if found["outputs"].get("archiveOnDestroy"):
        found["outputs"]["archived"] = True
        context.store.put(KIND, found["id"], found)
        return
    context.store.delete(KIND, found["id"])
    for other in context.store.all(KIND).values():
        if _parent(other["outputs"]) and _owner(context, other["outputs"]) is None:
            context.store.delete(KIND, other["id"])


def _parent(inputs: Inputs) -> list[str]:
    return [name for name in ("repository", "projectId") if name in inputs]


def _owner(context: Context, inputs: Inputs) -> Document | None:
    """The repository or project that a document lies in."""
    for other in context.store.all(KIND).values():
        if "repository" in inputs and other["type"] == REPOSITORY and other["outputs"]["name"] == inputs["repository"]:
            return other
        if other["id"] == inputs.get("projectId"):
            return other
    return None


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
