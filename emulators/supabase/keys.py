"""API keys: two legacy ones that are tokens, a publishable and a secret one, and those that are made later."""

import base64
import hashlib
import json
import re
import secrets
import uuid
from typing import Any

from emulators.supabase import project as projects
from emulators.supabase.calls import Call, RefusedError, route

SERVICE_ROLE = {"role": "service_role"}
MASK = "·"

Key = dict[str, Any]


def new_keys() -> list[Key]:
    """The keys of a new project."""
    return [_legacy("anon"), _legacy("service_role"), _make("publishable", "default"), _make("secret", "default")]


def _legacy(role: str) -> Key:
    token = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part({'iss': 'supabase', 'role': role})}"
    return {"id": role, "name": role, "type": "legacy", "api_key": f"{token}.{secrets.token_urlsafe(32)}"}


def _part(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _make(kind: str, name: str, description: str | None = None) -> Key:
    value = f"sb_{kind}_{secrets.token_urlsafe(24)}"
    key = {"id": str(uuid.uuid4()), "name": name, "type": kind, "api_key": value, "description": description}
    return key | ({"secret_jwt_template": SERVICE_ROLE} if kind == "secret" else {})


def _shown(key: Key, *, reveal: bool) -> Key:
    if key["type"] == "legacy":
        return {**key, "prefix": None, "hash": None, "description": None}
    value, digest = key["api_key"], hashlib.sha256(key["api_key"].encode()).hexdigest()
    masked = key["type"] == "secret" and not reveal
    shown = value[:16] + MASK * 10 if masked else value
    return {**key, "api_key": shown, "prefix": value.split("_")[2][:5], "hash": digest}


def _reveal(call: Call) -> bool:
    return call.query.get("reveal") == "true"


def _list(call: Call) -> Any:
    project = projects.find(call)
    if project["phase"] == "coming up" and not projects.database_up(call, project):
        raise RefusedError(400, "Project is not ready.")
    visible = [key for key in project["keys"] if key["type"] != "legacy" or project["legacy_keys"]]
    return [_shown(key, reveal=_reveal(call)) for key in visible]


def _create(call: Call) -> Any:
    project = projects.find(call)
    given = call.fields("type", "name", optional=("description", "secret_jwt_template"))
    if given["type"] not in ("publishable", "secret"):
        raise RefusedError(400, "type: Invalid enum value")
    if not re.fullmatch(r"[a-z_][a-z0-9_]+", str(given["name"])) or not 4 <= len(given["name"]) <= 64:
        raise RefusedError(400, "name: Invalid")
    if any((key["type"], key["name"]) == (given["type"], given["name"]) for key in project["keys"]):
        raise RefusedError(400, f"API key with name {given['name']} already exists")
    key = _make(given["type"], given["name"], given.get("description"))
    project["keys"].append(key)
    projects.save(call, project)
    return _shown(key, reveal=_reveal(call))


def _delete(call: Call) -> Any:
    project = projects.find(call)
    for key in project["keys"]:
        if key["id"] == call.path["id"] and key["type"] != "legacy":
            project["keys"].remove(key)
            projects.save(call, project)
            return _shown(key, reveal=False)
    raise RefusedError(404, "API key not found")


def _legacy_state(call: Call) -> Any:
    return {"enabled": projects.find(call)["legacy_keys"]}


def _legacy_switch(call: Call) -> Any:
    project = projects.find(call)
    project["legacy_keys"] = call.query.get("enabled") == "true"
    projects.save(call, project)
    return {"enabled": project["legacy_keys"]}


ROUTES = [
    route("GET", "/v1/projects/{ref}/api-keys", _list),
    route("POST", "/v1/projects/{ref}/api-keys", _create, 201),
    route("GET", "/v1/projects/{ref}/api-keys/legacy", _legacy_state),
    route("PUT", "/v1/projects/{ref}/api-keys/legacy", _legacy_switch),
    route("DELETE", "/v1/projects/{ref}/api-keys/{id}", _delete),
]
