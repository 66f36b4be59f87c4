"""Actions variables and secrets, environments, rulesets. A secret comes in a sealed box; only its digest is kept."""

import base64
import binascii
import hashlib
import re
from typing import Any

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from local.emulators.github.state import named, number, timestamp
from local.emulators.github.views import API, WEB
from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document


def create_variable(call: Call, repository: Document) -> Any:
    name = _name(call.body.get("name", ""))
    if name in repository["variables"]:
        raise RefusedError(409, "Already exists - Variable already exists")
    repository["variables"][name] = {"name": name, "value": call.body.get("value", ""), **_times(call, None)}
    return 201, {}


def update_variable(call: Call, repository: Document) -> Any:
    found = named(call, repository, "variables")
    found |= {"value": call.body.get("value", found["value"]), **_times(call, found)}
    return 204, None


def public_key(call: Call, repository: Document) -> Any:
    return {"key_id": _key_id(repository), "key": base64.b64encode(bytes(_key(repository).public_key)).decode()}


def put_secret(call: Call, repository: Document) -> Any:
    name = _name(call.path["name"])
    if call.body.get("key_id") != _key_id(repository):
        raise RefusedError(422, "Bad request - key_id does not match the repository's public key")
    try:
        secret = SealedBox(_key(repository)).decrypt(base64.b64decode(call.body.get("encrypted_value", "")))
    except (CryptoError, binascii.Error):
        raise RefusedError(422, "Bad request - encrypted_value is not sealed with the public key") from None
    old = repository["secrets"].get(name)
    entry = {"name": name, "digest": hashlib.sha256(secret).hexdigest(), **_times(call, old)}
    repository["secrets"][name] = entry
    return (204, None) if old else (201, {})


def put_environment(call: Call, repository: Document) -> Any:
    name = call.path["name"]
    timer = number(name, "wait_timer")
    wait = {"type": "wait_timer", "wait_timer": call.body.get("wait_timer"), "id": timer, "node_id": f"GA_{timer}"}
    identifier = number(str(repository["id"]), name)
    full_name = f"{repository['owner']}/{repository['settings']['name']}"
    made = repository["environments"][name.upper()] = {
        "id": identifier,
        "node_id": f"EN_{identifier}",
        "name": name,
        "url": f"{API}/repos/{full_name}/environments/{name}",
        "html_url": f"{WEB}/{full_name}/deployments/activity_log?environments_filter={name}",
        "can_admins_bypass": call.body.get("can_admins_bypass", True),
        "deployment_branch_policy": call.body.get("deployment_branch_policy"),
        "protection_rules": [wait] if wait["wait_timer"] else [],
        **_times(call, repository["environments"].get(name.upper())),
    }
    return made


def put_ruleset(call: Call, repository: Document) -> Any:
    """Create a ruleset (POST), or replace one (PUT)."""
    old = named(call, repository, "rulesets") if call.method == "PUT" else None
    name = call.body.get("name")
    if not name or any(one["name"] == name for one in repository["rulesets"].values() if one is not old):
        error = {"code": "custom", "field": "name", "message": f"Name {'must be unique' if name else 'is missing'}"}
        raise RefusedError(422, "Validation Failed", errors=[error])
    times = _times(call, old)
    identifier = old["id"] if old else number(str(repository["id"]), name, times["created_at"])
    made = repository["rulesets"][str(identifier)] = {
        "id": identifier,
        "node_id": f"RRS_{identifier}",
        "name": name,
        "target": call.body.get("target", "branch"),
        "enforcement": call.body.get("enforcement", "active"),
        "conditions": call.body.get("conditions") or {"ref_name": {"include": [], "exclude": []}},
        "rules": call.body.get("rules", []),
        "bypass_actors": call.body.get("bypass_actors") or [],
        "source_type": "Repository",
        "source": f"{repository['owner']}/{repository['settings']['name']}",
        **times,
    }
    return made if old else (201, made)


def _times(call: Call, old: Document | None) -> Document:
    now = timestamp(call.context)
    return {"created_at": old["created_at"] if old else now, "updated_at": now}


def _name(name: str) -> str:
    if not re.fullmatch(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", name.upper()):
        raise RefusedError(422, "Name is invalid: letters, digits and underscores, neither a digit nor GITHUB_ first")
    return name.upper()


def _key(repository: Document) -> PrivateKey:
    # Sealed boxes protect nothing here: the key follows from the repository, so that it survives a restart.
    return PrivateKey(hashlib.sha256(f"key of {repository['id']}".encode()).digest())


def _key_id(repository: Document) -> str:
    return str(number("key", str(repository["id"])))
