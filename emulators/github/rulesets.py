"""Rulesets of a repository."""

from starlette.requests import Request
from starlette.responses import Response

from emulators.github.state import RefusedError, body, context_of, load, number, reply, save, timestamp
from emulators.store import Document


async def create(request: Request) -> Response:
    repository, wanted = load(request, write=True), await body(request)
    name = wanted.get("name")
    if not name or any(one["name"] == name for one in repository["rulesets"].values()):
        raise RefusedError(422, "Validation Failed", {"message": "Name must be unique" if name else "Name is missing"})
    now = timestamp(context_of(request))
    identifier = number(str(repository["id"]), name, now)
    repository["rulesets"][str(identifier)] = _view(repository, wanted) | {"id": identifier, "created_at": now}
    save(context_of(request), repository)
    return reply(request, repository["rulesets"][str(identifier)], 201)


async def ruleset(request: Request) -> Response:
    repository, identifier = load(request, write=request.method != "GET"), request.path_params["id"]
    found = repository["rulesets"].get(identifier)
    if found is None:
        raise RefusedError(404, "Not Found")
    if request.method == "GET":
        return reply(request, found)
    if request.method == "PUT":
        repository["rulesets"][identifier] = found | _view(repository, await body(request))
    else:
        del repository["rulesets"][identifier]
    save(context_of(request), repository)
    if request.method == "DELETE":
        return Response(status_code=204)
    return reply(request, repository["rulesets"][identifier])


async def listing(request: Request) -> Response:
    return reply(request, list(load(request)["rulesets"].values()))


def _view(repository: Document, wanted: Document) -> Document:
    return {
        "name": wanted["name"],
        "target": wanted.get("target", "branch"),
        "enforcement": wanted["enforcement"],
        "conditions": wanted.get("conditions"),
        "rules": wanted.get("rules", []),
        "bypass_actors": wanted.get("bypass_actors") or [],
        "source_type": "Repository",
        "source": f"{repository['owner']}/{repository['settings']['name']}",
        "node_id": f"RRS_{number(str(repository['id']), wanted['name'])}",
    }
