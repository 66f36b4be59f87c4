"""API keys: two legacy ones that are tokens, a publishable and a secret one, and those that are made later."""

import hashlib
import re
import secrets
import uuid
from datetime import datetime
from typing import Any

from local.emulators.rest import RefusedError
from local.emulators.supabase import project as projects
from local.emulators.supabase import tokens
from local.emulators.supabase.calls import Call, route

SERVICE_ROLE = {"role": "service_role"}
OPTIONAL = {"description": str, "secret_jwt_template": dict}
MASK = "·"
TEN_YEARS = 315_360_000  # seconds

Key = dict[str, Any]


def new_keys(ref: str, secret: str, now: datetime) -> list[Key]:
    """The keys of a new project; the legacy ones are tokens signed with the project's secret."""
    legacy = [_legacy(role, ref, secret, int(now.timestamp())) for role in ("anon", "service_role")]
    return [*legacy, _make("publishable", "default", now), _make("secret", "default", now)]


def _legacy(role: str, ref: str, secret: str, issued: int) -> Key:
    claims = {"iss": "supabase", "ref": ref, "role": role, "iat": issued, "exp": issued + TEN_YEARS}
    names = {"id": role, "name": role, "type": "legacy", "api_key": tokens.sign(claims, secret)}
    return names | {"description": f"Legacy {role} API key"}


def _make(kind: str, name: str, now: datetime, description: str | None = None) -> Key:
    names = {"id": str(uuid.uuid4()), "name": name, "type": kind, "description": description}
    template = SERVICE_ROLE if kind == "secret" else None
    times = {"inserted_at": now.isoformat(), "updated_at": now.isoformat()}
    return names | times | {"api_key": f"sb_{kind}_{secrets.token_urlsafe(24)}", "secret_jwt_template": template}


def _shown(key: Key, *, reveal: bool) -> Key:
    value = key["api_key"]
    digest = tokens.encode(hashlib.sha256(value.encode()).digest())
    prefix = value.rpartition(".")[2][:5] if key["type"] == "legacy" else value[: len(f"sb_{key['type']}_") + 5]
    masked = key["type"] == "secret" and not reveal
    return {**key, "api_key": prefix + MASK * 10 if masked else value, "prefix": prefix, "hash": digest}


def _reveal(call: Call) -> bool:
    return call.query.get("reveal") == "true"


def _list(call: Call) -> Any:
    project = projects.find(call)
    if project["phase"] == "coming up" and not projects.database_up(call, project):
        raise RefusedError(400, "Project is not ready.")
    visible = [key for key in project["keys"] if key["type"] != "legacy" or project["legacy_keys"]]
    return [_shown(key, reveal=_reveal(call)) for key in visible]


def _create(call: Call) -> Any:
    given = call.fields({"type": str, "name": str}, OPTIONAL)
    if given["type"] not in ("publishable", "secret"):
        raise RefusedError(400, "type: Invalid enum value")
    with projects.changing(call) as project:
        _check_name(project, given["type"], given["name"])
        key = _make(given["type"], given["name"], call.context.clock(), given.get("description"))
        project["keys"].append(key)
    return _shown(key, reveal=_reveal(call))


def _check_name(project: projects.Project, kind: str, name: str) -> None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{3,63}", name):
        raise RefusedError(400, "name: Invalid")
    if any((key["type"], key["name"]) == (kind, name) for key in project["keys"]):
        raise RefusedError(400, f"API key with name {name} already exists")


def _find(call: Call, project: projects.Project) -> Key:
    for key in project["keys"]:
        if key["id"] == call.path["id"] and key["type"] != "legacy":
            found: Key = key
            return found
    raise RefusedError(404, "API key not found")


def _read(call: Call) -> Any:
    return _shown(_find(call, projects.find(call)), reveal=_reveal(call))


def _update(call: Call) -> Any:
    given = call.fields({}, {"name": str, **OPTIONAL})
    with projects.changing(call) as project:
        key = _find(call, project)
        if given.get("name", key["name"]) != key["name"]:
            _check_name(project, key["type"], given["name"])
        key |= {**given, "updated_at": call.context.clock().isoformat()}
    return _shown(key, reveal=_reveal(call))


def _delete(call: Call) -> Any:
    with projects.changing(call) as project:
        key = _find(call, project)
        project["keys"].remove(key)
    return _shown(key, reveal=_reveal(call))


def _legacy_state(call: Call) -> Any:
    return {"enabled": projects.find(call)["legacy_keys"]}


def _legacy_switch(call: Call) -> Any:
    wanted = call.query.get("enabled")
    if wanted not in ("true", "false"):
        raise RefusedError(400, "enabled: Expected boolean")
    with projects.changing(call) as project:
        project["legacy_keys"] = wanted == "true"
    return {"enabled": project["legacy_keys"]}


ROUTES = [
    route("GET", "/v1/projects/{ref}/api-keys", _list),
    route("POST", "/v1/projects/{ref}/api-keys", _create, 201),
    route("GET", "/v1/projects/{ref}/api-keys/legacy", _legacy_state),
    route("PUT", "/v1/projects/{ref}/api-keys/legacy", _legacy_switch),
    route("GET", "/v1/projects/{ref}/api-keys/{id}", _read),
    route("PATCH", "/v1/projects/{ref}/api-keys/{id}", _update),
    route("DELETE", "/v1/projects/{ref}/api-keys/{id}", _delete),
]
