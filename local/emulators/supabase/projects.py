"""Projects: they come up over time, the database first, and are changed, paused, restored and deleted."""

import random
import secrets
import string
import zlib
from typing import Any

from local.emulators.rest import RefusedError
from local.emulators.supabase.calls import Call, route, strong
from local.emulators.supabase.keys import new_keys
from local.emulators.supabase.organizations import GROUPS, REGIONS, known
from local.emulators.supabase.project import (
    DATABASE_UP,
    ENDS_IN,
    KIND,
    SIZES,
    Project,
    age,
    changing,
    database_up,
    enter,
    find,
    settle,
    status,
)

REQUIRED = {"db_pass": str, "name": str, "organization_slug": str}
OPTIONAL = {"organization_id": str, "plan": str, "region": str, "region_selection": dict, "kps_enabled": bool,
            "desired_instance_size": str, "template_url": str}  # fmt: skip
SERVICES = ("db", "db_postgres_user", "pooler", "pg_bouncer", "rest", "auth", "storage", "realtime")


def _record(call: Call, project: Project) -> Project:
    names = {"id": project["ref"], "organization_id": project["organization_slug"], "status": status(call, project)}
    return names | {key: project[key] for key in ("ref", "organization_slug", "name", "region", "created_at")}


def _short(project: Project) -> Project:
    return {"id": zlib.crc32(project["ref"].encode()), "ref": project["ref"], "name": project["name"]}


def _create(call: Call) -> Any:
    given = call.fields(REQUIRED, OPTIONAL)
    ref, secret = "".join(random.SystemRandom().choices(string.ascii_lowercase, k=20)), secrets.token_urlsafe(40)
    size = given.get("desired_instance_size", "micro")
    if size not in SIZES:
        raise RefusedError(400, "desired_instance_size: Invalid enum value")
    project: Project = {
        "ref": ref,
        "name": _name(given["name"]),
        "organization_slug": known(given["organization_slug"]),
        "region": _region(given),
        "instance_size": size,
        "created_at": call.context.clock().isoformat(),
        "jwt_secret": secret,
        "keys": new_keys(ref, secret, call.context.clock()),
        "legacy_keys": True,
        "db_schema": "public,graphql_public",
    }
    call.databases.create(ref, strong(given["db_pass"]))
    enter(call, project, "coming up")
    call.context.store.put(KIND, ref, project)
    return _record(call, project) | {"status": "UNKNOWN"}


def _name(given: str) -> str:
    if not 1 <= len(given) <= 256:
        raise RefusedError(400, "name: String must contain 1 to 256 character(s)")
    return given


def _region(given: dict[str, Any]) -> str:
    if "region" in given and "region_selection" in given:
        raise RefusedError(400, "region and region_selection are mutually exclusive")
    chosen = given.get("region_selection", {"type": "specific", "code": given.get("region", "us-east-1")})
    offered = {"specific": {code: code for code in REGIONS}, "smartGroup": GROUPS}
    found = offered.get(str(chosen.get("type")), {}).get(str(chosen.get("code")))
    if found is None:
        raise RefusedError(400, "region_selection.code: Invalid enum value")
    return found


def _get(call: Call) -> Any:
    return _whole(call, find(call))


def _list(call: Call) -> Any:
    return [_whole(call, settle(call, project)) for project in call.context.store.all(KIND).values()]


def _whole(call: Call, project: Project) -> Project:
    database = {"host": call.databases.host, "version": call.databases.version}
    return _record(call, project) | {"database": database | {"postgres_engine": "17", "release_channel": "ga"}}


def _rename(call: Call) -> Any:
    with changing(call) as project:
        project["name"] = _name(call.fields({"name": str})["name"])
    return _short(project)


def _delete(call: Call) -> Any:
    with call.context.store.transaction():
        project = find(call)
        if project["phase"] in ENDS_IN:
            raise RefusedError(400, "Project not ready for deletion.")
        call.databases.drop(project["ref"])
        call.context.store.delete(KIND, project["ref"])
    return _short(project) | {"slug": project["ref"]}


def _pause(call: Call) -> None:
    with changing(call) as project:
        if project["phase"] != "active":
            raise RefusedError(400, "Project is not active.")
        call.databases.set_login(project["ref"], allowed=False)
        enter(call, project, "pausing")


def _restore(call: Call) -> None:
    with changing(call) as project:
        if project["phase"] != "inactive":
            raise RefusedError(400, "Project is not paused.")
        call.databases.set_login(project["ref"], allowed=True)
        enter(call, project, "restoring")


def _of_organization(call: Call) -> Any:
    known(call.path["slug"])
    try:
        offset, limit = int(call.query.get("offset", "0")), int(call.query.get("limit", "100"))
    except ValueError:
        raise RefusedError(400, "offset, limit: Expected number") from None
    if not 1 <= limit <= 100 or offset < 0:
        raise RefusedError(400, "limit: must be 1 to 100")
    search = call.query.get("search", "")
    every = [settle(call, project) for project in call.context.store.all(KIND).values()]
    found = [project for project in every if search in project["name"] or search in project["ref"]]
    page = [_listed(call, project) for project in found[offset : offset + limit]]
    return {"projects": page, "pagination": {"count": len(found), "limit": limit, "offset": offset}}


def _listed(call: Call, project: Project) -> Project:
    place = {"region": project["region"], "status": status(call, project), "cloud_provider": "AWS"}
    database = {"infra_compute_size": project["instance_size"], "identifier": project["ref"], "type": "PRIMARY"}
    states = {"INACTIVE": "GOING_DOWN", "PAUSING": "GOING_DOWN"}
    database |= place | {"status": states.get(place["status"], place["status"])}
    names = {"ref": project["ref"], "name": project["name"], "inserted_at": project["created_at"], "is_branch": False}
    return names | place | {"databases": [database]}


def _health(call: Call) -> Any:
    project = find(call)
    asked = [name for value in call.query.getlist("services") for name in value.split(",")]
    if not asked or not set(asked) <= set(SERVICES):
        raise RefusedError(400, "services: Invalid enum value")
    return [_service(call, project, name) for name in asked]


def _service(call: Call, project: Project, name: str) -> dict[str, Any]:
    rank = SERVICES.index(name) / len(SERVICES)
    up = project["phase"] == "active" or (
        database_up(call, project) and age(call, project) >= (DATABASE_UP + rank * 0.6) * call.context.startup
    )
    shown = "ACTIVE_HEALTHY" if up else "COMING_UP"
    if name == "rest" and not project["db_schema"]:
        return {"name": name, "healthy": False, "status": "UNHEALTHY"}
    return {"name": name, "healthy": up, "status": shown}


ROUTES = [
    route("GET", "/v1/projects", _list),
    route("POST", "/v1/projects", _create, 201),
    route("GET", "/v1/projects/{ref}", _get),
    route("PATCH", "/v1/projects/{ref}", _rename),
    route("DELETE", "/v1/projects/{ref}", _delete),
    route("POST", "/v1/projects/{ref}/pause", _pause),
    route("POST", "/v1/projects/{ref}/restore", _restore),
    route("GET", "/v1/projects/{ref}/health", _health),
    route("GET", "/v1/organizations/{slug}/projects", _of_organization),
]
