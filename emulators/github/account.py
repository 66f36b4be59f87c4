"""The account behind the token: what its plan offers and what its token may do. Tests and trials switch both.

GET    /_account
PATCH  /_account    {"plan": "free" or "team", "scopes": ["repo", ...]}
"""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.routing import BaseRoute

from emulators.context import Context
from emulators.github.state import load
from emulators.github.views import API, addresses, person
from emulators.rest import Call, Handler, RefusedError, Service
from emulators.store import Document

KIND = "github.account"
USER, ORGANIZATION = "local-user", "local-agency"
DEFAULTS: Document = {"plan": "team", "scopes": ["repo", "workflow", "delete_repo", "read:org"]}
BEGAN = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
COUNTS = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
PROFILE = dict.fromkeys(("name", "bio", "blog", "company", "email", "hireable", "location"))
LINKS = "repos events hooks issues members{/member} public_members{/member}"


def account(context: Context) -> Document:
    """Plan and scopes."""
    return {**DEFAULTS, **(context.store.get(KIND, USER) or {})}


def routes() -> list[BaseRoute]:
    """The route of the switches."""
    service = Service(lambda request: None, lambda refused: {"message": refused.message})
    return [service.mount("/_account", [("GET PATCH", "/", _switch)])]


def headers(request: Request) -> dict[str, str]:
    """What every answer tells about the token."""
    return {"x-oauth-scopes": ", ".join(account(request.app.state.context)["scopes"])}


def guarded(check: Callable[[Call], None], handler: Handler) -> Handler:
    """A handler behind a check that may refuse."""

    def handle(call: Call) -> Any:
        check(call)
        return handler(call)

    return handle


def paid(call: Call) -> None:
    """Refuse what a private repository has on paid plans only."""
    if load(call)["settings"]["private"]:
        refuse_unpaid(call.context)


def refuse_unpaid(context: Context) -> None:
    """Refuse what the free plan has not."""
    if account(context)["plan"] == "free":
        raise RefusedError(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")


def may_write(call: Call) -> None:
    """Refuse a file that Actions would run, to a token without the scope for it; GitHub gives no other reason."""
    if call.path["path"].startswith(".github/workflows/") and "workflow" not in account(call.context)["scopes"]:
        raise RefusedError(404, "Not Found")


def may_delete(call: Call) -> None:
    """Refuse to delete a repository to a token without the scope for it."""
    if call.method == "DELETE" and "delete_repo" not in account(call.context)["scopes"]:
        raise RefusedError(403, "Must have admin rights to Repository.")


def user(call: Call) -> Any:
    return {**person(USER), **PROFILE, **COUNTS, **BEGAN}


def organization(call: Call) -> Any:
    login, plan = call.path["org"], account(call.context)["plan"]
    if login != ORGANIZATION:
        raise RefusedError(404, "Not Found")
    features = dict.fromkeys(("has_organization_projects", "has_repository_projects"), True)
    own = {**features, **BEGAN, **COUNTS, "description": None, "archived_at": None}
    plan = {"name": plan, "space": 0, "private_repos": 10_000, "filled_seats": 1, "seats": 1}
    url = f"{API}/orgs/{login}"
    return {**person(login, "Organization"), **own, "url": url, **addresses(url, LINKS), "plan": plan}


def _switch(call: Call) -> Any:
    changed = call.body if call.method == "PATCH" else {}
    if unknown := changed.keys() - DEFAULTS.keys():
        raise RefusedError(422, f"there is no {', '.join(sorted(unknown))}")
    found = {**account(call.context), **changed}
    call.context.store.put(KIND, USER, found)
    return found
