"""The account behind the token: its user, its organization, and what plan and token let through."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from local.emulators.context import Context
from local.emulators.github.state import load
from local.emulators.github.switches import USER, account, allows
from local.emulators.github.views import API, WEB, organization_as_owner, person
from local.emulators.rest import Call, Handler, RefusedError
from local.emulators.store import Document

ORGANIZATION = "local-agency"
BEGAN = {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
COUNTS = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
PROFILE = dict.fromkeys(("name", "bio", "blog", "company", "email", "hireable", "location"))
# What an organization answers to its members only.
INSIDE: Document = {
    **dict.fromkeys(("total_private_repos", "owned_private_repos", "private_gists"), 0),
    **dict.fromkeys(("disk_usage", "collaborators"), 0),
    "billing_email": "billing@agency.example",
    "default_repository_permission": "read",
    "two_factor_requirement_enabled": False,
    "web_commit_signoff_required": False,
    "members_allowed_repository_creation_type": "all",
    "members_can_create_repositories": True,
    "members_can_create_public_repositories": True,
    "members_can_create_private_repositories": True,
    "members_can_create_internal_repositories": False,
    "members_can_create_pages": True,
    "members_can_create_public_pages": True,
    "members_can_create_private_pages": True,
    "members_can_fork_private_repositories": False,
}


def headers(request: Request) -> dict[str, str]:
    """What every answer tells about the token; nothing of a fine-grained one."""
    scopes = account(request.app.state.context)["scopes"]
    return {} if scopes is None else {"x-oauth-scopes": ", ".join(scopes)}


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
    workflow = call.path["path"].startswith(".github/workflows/")
    if workflow and not allows(call.context, "workflow"):
        raise RefusedError(404, "Not Found")


def may_delete(call: Call) -> None:
    """Refuse to delete a repository to a token without the scope for it."""
    if call.method == "DELETE" and not allows(call.context, "delete_repo"):
        raise RefusedError(403, "Must have admin rights to Repository.")


def user(call: Call) -> Any:
    return {**person(USER), **PROFILE, **COUNTS, **BEGAN}


def organization(call: Call) -> Any:
    login, plan = known_organization(call), account(call.context)["plan"]
    features = dict.fromkeys(("has_organization_projects", "has_repository_projects"), True)
    offer = {"name": plan, "space": 0, "private_repos": 10_000, "filled_seats": 1, "seats": 1}
    return {
        **organization_as_owner(login),
        **features,
        **BEGAN,
        **COUNTS,
        **INSIDE,
        "type": "Organization",
        "html_url": f"{WEB}/{login}",
        "is_verified": False,
        "archived_at": None,
        "plan": offer,
    }


def membership(call: Call) -> Any:
    """The membership of the token's own user in an organization."""
    if not allows(call.context, "read:org", "write:org", "admin:org"):
        raise RefusedError(403, "You need at least read:org scope to see a membership.")
    login = known_organization(call)
    url = f"{API}/orgs/{login}"
    return {
        "url": f"{url}/memberships/{USER}",
        "state": "active",
        "role": account(call.context)["role"],
        "organization_url": url,
        "organization": organization_as_owner(login),
        "user": person(USER),
    }


def known_organization(call: Call) -> str:
    """Return the organization of the call's path.

    Raises:
        RefusedError: the token sees no such organization.
    """
    login: str = call.path["org"]
    if login.lower() != ORGANIZATION:
        raise RefusedError(404, "Not Found")
    return ORGANIZATION
