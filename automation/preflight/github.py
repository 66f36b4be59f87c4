"""GitHub: the token, the owner of the clients' repositories, its plan, the template."""

import os
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from automation.preflight.expiry import expiring
from automation.preflight.finding import Finding, unanswered
from components.settings import ClientSettings
from rest_clients.github_vercel import github

EXPIRY = "github-authentication-token-expiration"


def examine(settings: ClientSettings) -> list[Finding]:
    """Look at everything of GitHub's that a client needs; read-only."""
    if not os.environ.get("GITHUB_TOKEN"):
        return [Finding("GitHub token", "GITHUB_TOKEN is not set", "failed", "Export it.")]
    try:
        with github() as http:
            user = http.get("/user")
            if user.is_error:
                says = f"is refused with {user.status_code}"
                return [Finding("GitHub token", says, "failed", "Set GITHUB_TOKEN to one that is valid.")]
            return [*_token(user, settings), *_owner(http, user.json(), settings), *_template(http, settings)]
    except httpx.HTTPError as error:
        return [unanswered("GitHub", error)]


def _token(user: httpx.Response, settings: ClientSettings) -> list[Finding]:
    told = user.headers.get(EXPIRY)
    ends = datetime.strptime(told.replace(" UTC", " +0000"), "%Y-%m-%d %H:%M:%S %z") if told else None
    findings = [expiring("GitHub token", f"works as {user.json()['login']}", ends)]
    # Only classic tokens tell their scopes.
    if "x-oauth-scopes" in user.headers:
        has = set(user.headers["x-oauth-scopes"].replace(" ", "").split(","))
        needs = {"repo", "workflow"} | (set() if settings.archive_on_destroy else {"delete_repo"})
        if missing := sorted(needs - has):
            says = f"lacks {', '.join(missing)}"
            findings.append(Finding("GitHub scopes", says, "failed", "Add what is missing to the token."))
        else:
            findings.append(Finding("GitHub scopes", ", ".join(sorted(needs))))
    return findings


def _owner(http: httpx.Client, user: dict[str, Any], settings: ClientSettings) -> list[Finding]:
    owner = os.environ.get("GITHUB_OWNER") or user["login"]
    if owner.lower() == user["login"].lower():
        return [Finding("GitHub owner", f"{owner}, the token's own account"), *_plan(user, settings)]
    answer = http.get(f"/orgs/{quote(owner)}")
    if answer.is_error:
        # The plugin would take it for a person and make the repositories in the token's own account.
        says = f"the token does not see an organization '{owner}' ({answer.status_code})"
        return [Finding("GitHub owner", says, "failed", "Correct GITHUB_OWNER, or let the token into it.")]
    organization = answer.json()
    closed = organization.get("members_can_create_private_repositories") is False
    remedy = "Its members may not create private repositories: the token's account has to be one of its owners."
    finding = Finding("GitHub owner", f"organization {owner}", *(("warning", remedy) if closed else ()))
    return [finding, *_plan(organization, settings)]


def _plan(account: dict[str, Any], settings: ClientSettings) -> list[Finding]:
    plan = (account.get("plan") or {}).get("name")
    if plan == "free" and settings.ruleset:
        remedy = "Set ruleset: false in the environment's file, or take a plan that has them."
        return [Finding("GitHub plan", "free has no rulesets on private repositories", "failed", remedy)]
    return [Finding("GitHub plan", str(plan or "not told to this token"))]


def _template(http: httpx.Client, settings: ClientSettings) -> list[Finding]:
    if (template := settings.repository_template) is None:
        return []
    answer = http.get(f"/repos/{quote(template)}")
    if answer.is_error:
        says = f"the token does not see {template} ({answer.status_code})"
    elif not answer.json().get("is_template"):
        says = f"{template} is not a template repository"
    else:
        return [Finding("GitHub template", template)]
    return [Finding("GitHub template", says, "failed", "Correct repositoryTemplate, or mark it as a template there.")]
