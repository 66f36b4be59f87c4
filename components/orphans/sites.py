"""Vercel projects that no stack holds: proved by the repository that they are linked to."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from components.errors import OperatorError
from components.native_apis import vercel
from components.orphans.found import SITE, Asked, Found, Report
from components.sight import get, unseen_sites

PAGE, MOST_PAGES = 100, 100


def find_sites(asked: Asked, repositories: Mapping[str, str], report: Report) -> None:
    """Look at all sites of the teams.

    Args:
        repositories: name in lower case of a repository that is proved to be a client's -> client.
    """
    if not os.environ.get("VERCEL_API_TOKEN"):
        report.unknown.append("Vercel projects: VERCEL_API_TOKEN is not set")
        return
    with vercel() as http:
        for team in asked.teams:
            try:
                _of_team(http, team, asked, repositories, report)
            except OperatorError as error:
                report.unknown.append(f"Vercel projects of {team or 'the own account'}: {error}")


def _of_team(
    http: httpx.Client, team: str | None, asked: Asked, repositories: Mapping[str, str], report: Report
) -> None:
    if reason := unseen_sites(http, team):
        report.unknown.append(f"Vercel projects of {team}: there may be more, {reason}")
    for site in list_sites(http, team):
        if site["id"] not in asked.sites:
            report.found += _judged(site, asked, repositories)


def _judged(site: Mapping[str, Any], asked: Asked, repositories: Mapping[str, str]) -> Iterator[Found]:
    """Yield the site unless neither its name nor its repository is a client's."""
    name, link = str(site["name"]), site.get("link") or {}
    by_name, owner = asked.client_by_name(name), os.environ.get("GITHUB_OWNER", "")
    repository = str(link.get("repo", "")).lower()
    same_owner = str(link.get("org", "")).lower() == owner.lower()
    client = (repositories.get(repository) or asked.clients.get(repository)) if same_owner else None
    if client:
        yield Found(SITE, name, client, f"it is linked to the repository of client '{client}'")
    elif by_name:
        yield Found(SITE, name, by_name, doubt="it is named like a client's, and linked to no client's repository")


def list_sites(http: httpx.Client, team: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield all sites of a team.

    Raises:
        OperatorError: Vercel refuses, or there are more pages than are read.
    """
    query, until = (f"&teamId={team}" if team else ""), ""
    for _ in range(MOST_PAGES):
        answer = get(http, f"/v9/projects?limit={PAGE}{query}{until}")
        if answer.is_error:
            raise OperatorError("the token does not see its projects", http.base_url.host, "Check its token.")
        content = answer.json()
        yield from content["projects"]
        following = content["pagination"]["next"]
        if following is None:
            return
        until = f"&until={following}"
    raise OperatorError(f"lists more than {PAGE * MOST_PAGES} projects", http.base_url.host)
