"""Environment variables of a project. The value of a sensitive one is never given back."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.store import Document
from emulators.vercel.projects import RefusedError, context_of, identifier, load, milliseconds, save


async def create(request: Request) -> Response:
    """Create one variable, or a list of them: what conflicts is told in `failed`, the rest is created."""
    project, wanted, context = load(request), await request.json(), context_of(request)
    several = isinstance(wanted, list)
    created, failed = [], []
    for one in wanted if several else [wanted]:
        if conflict := _conflict(project, one):
            failed.append({"error": conflict})
            continue
        now = milliseconds(context)
        name = identifier(project["id"], one["key"], one.get("target"), now)
        project["variables"][name] = {"id": name, "createdAt": now, "updatedAt": now, **_checked(one)}
        created.append(_view(project["variables"][name]))
    save(context, project)
    if failed and not several:
        error = failed[0]["error"]
        raise RefusedError(400, "ENV_CONFLICT", error["message"], failed=failed)
    return JSONResponse({"created": created if several else created[0], "failed": failed}, 201)


async def listing(request: Request) -> Response:
    found = [_view(one) for one in load(request)["variables"].values()]
    return JSONResponse({"envs": found, "pagination": {"count": len(found), "next": None, "prev": None}})


async def variable(request: Request) -> Response:
    """Read, change or delete one variable."""
    project, name, context = load(request), request.path_params["name"], context_of(request)
    found = project["variables"].get(name)
    if found is None:
        raise RefusedError(404, "not_found", "Environment Variable not found.")
    if request.method == "GET":
        return JSONResponse(_view(found))
    if request.method == "DELETE":
        del project["variables"][name]
    else:
        changed = found | {key: value for key, value in (await request.json()).items() if value is not None}
        if conflict := _conflict(project, changed):
            raise RefusedError(400, "ENV_CONFLICT", conflict["message"], failed=[{"error": conflict}])
        project["variables"][name] = changed | {"updatedAt": milliseconds(context)}
    save(context, project)
    return JSONResponse(_view(project["variables"].get(name, found)))


def _checked(one: Document) -> Document:
    if not one.get("key") or not (one.get("target") or one.get("customEnvironmentIds")):
        raise RefusedError(400, "bad_request", "An Environment Variable needs a key and a target.")
    fields = ("key", "value", "target", "type", "gitBranch", "comment", "customEnvironmentIds")
    return {field: one.get(field) for field in fields}


def _conflict(project: Document, one: Document) -> Document | None:
    """The error for a key that another variable of the same branch holds for one of the same targets."""
    for other in project["variables"].values():
        if other["id"] == one.get("id") or other["key"] != one["key"] or other["gitBranch"] != one.get("gitBranch"):
            continue
        if shared := sorted(set(other["target"] or ()).intersection(one.get("target") or ())):
            message = f"A variable with the name `{one['key']}` already exists for the target {','.join(shared)}"
            return {"code": "ENV_CONFLICT", "message": message, "envVarKey": one["key"], "target": shared}
    return None


def _view(one: Document) -> Document:
    shown = {**one, "comment": one["comment"] or "", "decrypted": one["type"] != "sensitive"}
    return {key: value for key, value in shown.items() if key != "value" or one["type"] != "sensitive"}
