"""Vercel projects that no stack holds: proved by the repository that they are linked to."""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from automation.recovery.accounts.found import SITE, Asked, Found, Report
from automation.recovery.token_visibility import list_sites, unseen_sites
from common.errors import OperatorError
from rest_clients.github_vercel import vercel


def find_sites(asked: Asked, owner: str, repositories: Mapping[str, str], report: Report) -> None:
    """Look at all sites of the teams.

    Args:
        owner: of the clients' repositories at GitHub.
        repositories: name in lower case of a repository that is proved to be a client's -> client.
    """
    with vercel() as http:
        for team in asked.teams:
            try:
                _of_team(http, team, asked, owner, repositories, report)
            except OperatorError as error:
                report.unknown.append(f"Vercel projects of {team or 'the own account'}: {error}")


def _of_team(
    http: httpx.Client,
    team: str | None,
    asked: Asked,
    owner: str,
    repositories: Mapping[str, str],
    report: Report,
) -> None:
    if reason := unseen_sites(http, team):
        report.unknown.append(f"Vercel projects of {team}: there may be more, {reason}")
    for site in list_sites(http, team):
        if site["id"] not in asked.sites:
            report.found += _judged(site, asked, owner, repositories)


def _judged(site: Mapping[str, Any], asked: Asked, owner: str, repositories: Mapping[str, str]) -> Iterator[Found]:
    """Yield the site unless neither its name nor its repository is a client's."""
    name, link = str(site["name"]), site.get("link") or {}
    by_name = asked.client_by_name(name)
    repository = str(link.get("repo", "")).lower()
    same_owner = str(link.get("org", "")).lower() == owner.lower()
    client = (repositories.get(repository) or asked.clients.get(repository)) if same_owner else None
    if client:
        yield Found(SITE, name, client, f"it is linked to the repository of client '{client}'")
    elif by_name:
        yield Found(SITE, name, by_name, doubt="it is named like a client's, and linked to no client's repository")
