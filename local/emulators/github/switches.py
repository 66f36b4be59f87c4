"""What the account's plan offers and what its token may do and see. Tests and trials switch it.

GET    /_account
PATCH  /_account    {"plan": "free" or "team",
                     "scopes": ["repo", ...], or null for a fine-grained token, which has none,
                     "hidden": ["owner/name" or "name", ...], which the token may not see,
                     "role": "admin" or "member", of the token's user in the organization}
"""

from collections.abc import Sequence
from typing import Any

from starlette.routing import BaseRoute

from local.emulators.context import Context
from local.emulators.rest import Call, RefusedError, Service
from local.emulators.store import Document

KIND = "github.account"
USER = "local-user"
DEFAULTS: Document = {
    "plan": "team",
    "scopes": ["repo", "workflow", "delete_repo", "read:org"],
    "hidden": [],
    "role": "admin",
}
CHOICES = {"plan": ("free", "team"), "role": ("admin", "member")}


def account(context: Context) -> Document:
    """Return the switches as they stand."""
    return {**DEFAULTS, **(context.store.get(KIND, USER) or {})}


def allows(context: Context, *scopes: str) -> bool:
    """Return whether the token has one of these scopes; a fine-grained one is not held to them."""
    held = account(context)["scopes"]
    return held is None or not set(scopes).isdisjoint(held)


def hides(context: Context, full_name: str) -> bool:
    """Return whether the token may not see a repository."""
    names = {full_name.lower(), full_name.lower().rpartition("/")[2]}
    return any(name.lower() in names for name in account(context)["hidden"])


def routes() -> Sequence[BaseRoute]:
    """The route of the switches, with and without a slash at its end."""
    service = Service(lambda request: None, lambda refused: {"message": refused.message})
    return service.routes([("GET PATCH", path, _switch) for path in ("/_account", "/_account/")])


def _switch(call: Call) -> Any:
    changed = call.body if call.method == "PATCH" else {}
    if unknown := changed.keys() - DEFAULTS.keys():
        raise RefusedError(422, f"there is no {', '.join(sorted(unknown))}")
    for name, choices in CHOICES.items():
        if name in changed and changed[name] not in choices:
            raise RefusedError(422, f"{name} is one of {', '.join(choices)}")
    found = {**account(call.context), **changed}
    call.context.store.put(KIND, USER, found)
    return found
