"""Vercel: the token, the team, and Vercel's app on the owner of the clients' repositories."""

import os
from datetime import UTC, datetime
from urllib.parse import quote

import httpx

from automation.preflight.expiry import expiring
from automation.preflight.finding import Finding, unanswered
from components.settings import ClientSettings
from rest_clients.github_vercel import vercel


def examine(settings: ClientSettings) -> list[Finding]:
    """Look at everything of Vercel's that a client needs; read-only."""
    if not os.environ.get("VERCEL_API_TOKEN"):
        return [Finding("Vercel token", "VERCEL_API_TOKEN is not set", "failed", "Export it.")]
    try:
        with vercel() as http:
            user = http.get("/v2/user")
            if user.is_error:
                says = f"is refused with {user.status_code}"
                return [Finding("Vercel token", says, "failed", "Set VERCEL_API_TOKEN to one that is valid.")]
            return [
                expiring("Vercel token", f"works as {user.json()['user']['username']}", _ends(http)),
                *_team(http, settings.vercel_team),
                _app(http, os.environ.get("GITHUB_OWNER", "")),
            ]
    except httpx.HTTPError as error:
        return [unanswered("Vercel", error)]


def _ends(http: httpx.Client) -> datetime | None:
    answer = http.get("/v5/user/tokens/current")
    told = answer.json()["token"].get("expiresAt") if answer.is_success else None
    return datetime.fromtimestamp(told / 1000, UTC) if told else None


def _team(http: httpx.Client, team: str | None) -> list[Finding]:
    if team is None:
        return []
    answer = http.get(f"/v2/teams/{quote(team)}")
    if answer.is_success:
        return [Finding("Vercel team", str(answer.json()["slug"]))]
    remedy = "Correct vercelTeam in the environment's file, or make a token of that team."
    return [Finding("Vercel team", f"the token does not see {team} ({answer.status_code})", "failed", remedy)]


def _app(http: httpx.Client, owner: str) -> Finding:
    answer = http.get("/v1/integrations/git-namespaces", params={"provider": "github"})
    seen = {str(one["slug"]).lower() for one in answer.json()} if answer.is_success else set()
    if owner.lower() in seen:
        return Finding("Vercel GitHub app", f"sees {owner}")
    # What is listed is what the token's own person sees, so a robot's token may lack what the team has.
    remedy = f"Unless it is, install it for {owner}, with access to all repositories: github.com/apps/vercel."
    return Finding("Vercel GitHub app", f"cannot be seen to be installed for '{owner}'", "warning", remedy)
