"""The account behind the token: user, the one team, the token itself, Git owners in reach."""

from typing import Any

from local.emulators.github.account import ORGANIZATION
from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document
from local.emulators.vercel.paging import page

BEGAN = 1_767_225_600_000  # 2026-01-01, in milliseconds: when everything of the account was made
PLAN = "pro"
USER: Document = {
    "id": "user_local",
    "username": "local-user",
    "email": "local-user@agency.example",
    "name": "Local User",
    "avatar": None,
    "billing": None,
    "createdAt": BEGAN,
    "defaultTeamId": None,
    "hasTrialAvailable": False,
    "resourceConfig": {},
    "softBlock": None,
    "stagingPrefix": "local-user",
}
TEAM: Document = {
    "id": "team_local",
    "slug": "local-agency",
    "name": "Local Agency",
    "avatar": None,
    "billing": {"plan": PLAN},
    "createdAt": BEGAN,
    "updatedAt": BEGAN,
    "creatorId": USER["id"],
    "description": None,
    "stagingPrefix": "local-agency",
    "membership": {
        "confirmed": True,
        "created": BEGAN,
        "createdAt": BEGAN,
        "role": "OWNER",
        "teamId": "team_local",
        "uid": USER["id"],
    },
}
TOKEN: Document = {
    "id": "token_local",
    "name": "local",
    "type": "token",
    "origin": "manual",
    "scopes": [],
    "activeAt": BEGAN,
    "createdAt": BEGAN,
}


def owner(team: str | None) -> str:
    """Return the id of the account that holds a thing: its team, or the user without one."""
    return team or str(USER["id"])


def user(call: Call) -> Any:
    return {"user": USER}


def teams(call: Call) -> Any:
    return page(call, "teams", [TEAM])


def team(call: Call) -> Any:
    if call.path["team"] not in (TEAM["id"], TEAM["slug"]):
        raise RefusedError(404, "Team not found", "not_found")
    return TEAM


def token(call: Call) -> Any:
    return {"token": TOKEN}


def git_namespaces(call: Call) -> Any:
    return [{"provider": "github", "slug": ORGANIZATION, "id": 1, "ownerType": "team"}]
