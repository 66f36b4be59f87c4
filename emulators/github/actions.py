"""Actions variables and secrets, and environments. A secret arrives in a sealed box; only its digest is kept."""

import base64
import binascii
import hashlib
import re

from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from starlette.requests import Request
from starlette.responses import Response

from emulators.github.state import RefusedError, body, context_of, load, number, reply, save, timestamp
from emulators.store import Document


async def create_variable(request: Request) -> Response:
    repository, wanted = load(request, write=True), await body(request)
    name = _name(wanted.get("name", ""))
    if name in repository["variables"]:
        raise RefusedError(409, "Already exists - Variable already exists")
    now = timestamp(context_of(request))
    repository["variables"][name] = {"name": name, "value": wanted["value"], "created_at": now, "updated_at": now}
    save(context_of(request), repository)
    return reply(request, {}, 201)


async def variable(request: Request) -> Response:
    repository = load(request, write=request.method != "GET")
    found = _entry(repository, "variables", request)
    if request.method == "GET":
        return reply(request, found)
    if request.method == "PATCH":
        wanted = await body(request)
        del repository["variables"][found["name"]]
        found |= {"value": wanted.get("value", found["value"]), "updated_at": timestamp(context_of(request))}
        found["name"] = _name(wanted.get("name") or found["name"])
        repository["variables"][found["name"]] = found
    else:
        del repository["variables"][found["name"]]
    save(context_of(request), repository)
    return Response(status_code=204)


async def list_variables(request: Request) -> Response:
    found = list(load(request)["variables"].values())
    return reply(request, {"total_count": len(found), "variables": found})


async def public_key(request: Request) -> Response:
    repository = load(request)
    return reply(request, {"key_id": _key_id(repository), "key": _encoded(bytes(_key(repository).public_key))})


async def put_secret(request: Request) -> Response:
    repository, wanted = load(request, write=True), await body(request)
    name = _name(request.path_params["name"])
    if wanted.get("key_id") != _key_id(repository):
        raise RefusedError(422, "Bad request - key_id does not match the repository's public key")
    try:
        secret = SealedBox(_key(repository)).decrypt(base64.b64decode(wanted.get("encrypted_value", "")))
    except (CryptoError, binascii.Error, ValueError):
        raise RefusedError(422, "Bad request - encrypted_value is not sealed with the public key") from None
    now, old = timestamp(context_of(request)), repository["secrets"].get(name)
    entry = {"name": name, "created_at": old["created_at"] if old else now, "updated_at": now}
    repository["secrets"][name] = {**entry, "digest": hashlib.sha256(secret).hexdigest()}
    save(context_of(request), repository)
    return Response(status_code=204) if old else reply(request, {}, 201)


async def secret(request: Request) -> Response:
    repository = load(request, write=request.method != "GET")
    found = _entry(repository, "secrets", request)
    if request.method == "GET":
        return reply(request, _shown(found))
    del repository["secrets"][found["name"]]
    save(context_of(request), repository)
    return Response(status_code=204)


async def list_secrets(request: Request) -> Response:
    found = [_shown(one) for one in load(request)["secrets"].values()]
    return reply(request, {"total_count": len(found), "secrets": found})


async def environment(request: Request) -> Response:
    repository, name = load(request, write=request.method != "GET"), request.path_params["name"]
    found = repository["environments"].get(name)
    if request.method == "PUT":
        repository["environments"][name] = found = _environment(request, found, await body(request))
        save(context_of(request), repository)
    elif found is None:
        raise RefusedError(404, "Not Found")
    elif request.method == "DELETE":
        del repository["environments"][name]
        save(context_of(request), repository)
        return Response(status_code=204)
    return reply(request, found)


def _environment(request: Request, old: Document | None, wanted: Document) -> Document:
    now, name = timestamp(context_of(request)), request.path_params["name"]
    rules = []
    if wait := wanted.get("wait_timer"):
        rules.append({"id": number(name, "wait_timer"), "type": "wait_timer", "wait_timer": wait})
    return {
        "id": old["id"] if old else number(name, now),
        "name": name,
        "can_admins_bypass": wanted.get("can_admins_bypass", True),
        "deployment_branch_policy": wanted.get("deployment_branch_policy"),
        "protection_rules": rules,
        "created_at": old["created_at"] if old else now,
        "updated_at": now,
    }


def _entry(repository: Document, part: str, request: Request) -> Document:
    found: Document | None = repository[part].get(request.path_params["name"].upper())
    if found is None:
        raise RefusedError(404, "Not Found")
    return dict(found)


def _name(name: str) -> str:
    if not re.fullmatch(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", name.upper()):
        raise RefusedError(422, "Name is invalid: letters, digits and underscores, neither a digit nor GITHUB_ first")
    return name.upper()


def _shown(entry: Document) -> Document:
    return {key: value for key, value in entry.items() if key != "digest"}


def _key(repository: Document) -> PrivateKey:
    # Sealed boxes protect nothing here: the key follows from the repository, so that it survives a restart.
    return PrivateKey(hashlib.sha256(f"key of {repository['id']}".encode()).digest())


def _key_id(repository: Document) -> str:
    return str(number("key", str(repository["id"])))


def _encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()
