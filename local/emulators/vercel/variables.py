"""Environment variables of a project. The value of a sensitive one is never given back."""

from typing import Any

from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document
from local.emulators.vercel.projects import identifier, milliseconds

FIELDS = ("key", "value", "target", "type", "gitBranch", "comment", "customEnvironmentIds")


def create(call: Call, project: Document) -> Any:
    """Create one variable, or a list of them: what conflicts is told in `failed`, the rest is created."""
    several = isinstance(call.body, list)
    created, failed = [], []
    for wanted in call.body if several else [call.body]:
        one = {field: wanted.get(field) for field in FIELDS}
        if not one["key"] or not (one["target"] or one["customEnvironmentIds"]):
            raise RefusedError(400, "An Environment Variable needs a key and a target.", "bad_request")
        if conflict := _conflict(project, one):
            failed.append({"error": conflict})
            continue
        now = milliseconds(call.context)
        name = identifier(project["id"], one["key"], one["target"], now)
        project["variables"][name] = {**one, "id": name, "createdAt": now, "updatedAt": now}
        created.append(_view(project["variables"][name]))
    if failed and not several:
        raise RefusedError(400, failed[0]["error"]["message"], "ENV_CONFLICT", failed=failed)
    return 201, {"created": created if several else created[0], "failed": failed}


def listing(call: Call, project: Document) -> Any:
    found = [{**_view(one), "securityIssues": []} for one in project["variables"].values()]
    return {"envs": found, "pagination": {"count": len(found), "next": None, "prev": None}}


def variable(call: Call, project: Document) -> Any:
    """Read, change or delete one variable."""
    found: Document | None = project["variables"].get(call.path["name"])
    if found is None:
        raise RefusedError(404, "Environment Variable not found.", "not_found")
    if call.method == "DELETE":
        del project["variables"][found["id"]]
    if call.method == "PATCH":
        changed = found | {field: call.body[field] for field in FIELDS if call.body.get(field) is not None}
        if conflict := _conflict(project, changed):
            raise RefusedError(400, conflict["message"], "ENV_CONFLICT", failed=[{"error": conflict}])
        found |= changed | {"updatedAt": milliseconds(call.context)}
    return _view(found)


def _conflict(project: Document, one: Document) -> Document | None:
    """The error for a key that another variable of the same branch holds for one of the same targets."""
    for other in project["variables"].values():
        if other["id"] == one.get("id") or other["key"] != one["key"] or other["gitBranch"] != one["gitBranch"]:
            continue
        if shared := sorted(set(other["target"] or ()).intersection(one["target"] or ())):
            message = f"A variable with the name `{one['key']}` already exists for the target {','.join(shared)}"
            return {"code": "ENV_CONFLICT", "message": message, "envVarKey": one["key"], "target": shared}
    return None


def _view(one: Document) -> Document:
    """The variable as the API shows it: without unset fields, a sensitive value empty."""
    shown = {field: value for field, value in one.items() if value is not None}
    sensitive = one["type"] == "sensitive"
    if sensitive:
        shown["value"] = ""
    return {**shown, "comment": one["comment"] or "", "decrypted": not sensitive}
