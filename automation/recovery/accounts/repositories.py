"""GitHub repositories that no stack holds: proved by the API that they read, or by name and description."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from automation.recovery.accounts.found import REPOSITORY, Asked, Found, Report
from automation.recovery.token_visibility import get, owner_of, pages, unseen_repositories
from common.errors import OperatorError
from components.find_existing import API_VARIABLE
from components.settings import DESCRIBED
from rest_clients.github_vercel import github


def find_repositories(asked: Asked, urls: Mapping[str, str], report: Report) -> dict[str, str]:
    """Look at all repositories of `GITHUB_OWNER`; archived ones are what a destroyed client leaves on purpose.

    Args:
        urls: API URL of a proved project -> client.

    Returns:
        name in lower case -> client, of the repositories that are proved to be a client's.
    """
    try:
        with github() as http:
            return _of_owner(http, asked, urls, report)
    except OperatorError as error:
        report.unknown.append(f"GitHub repositories: {error}")
        return {}


def _of_owner(http: httpx.Client, asked: Asked, urls: Mapping[str, str], report: Report) -> dict[str, str]:
    owner = owner_of(http)
    if reason := unseen_repositories(http, owner):
        report.unknown.append(f"GitHub repositories: there may be more, {reason}")
    route = "/user/repos?affiliation=owner" if owner.own else f"/orgs/{quote(owner.name)}/repos?type=all"
    proved: dict[str, str] = {}
    for repository in pages(http, route):
        name = str(repository["name"]).lower()
        if repository.get("archived") or {name, str(repository["id"])} & asked.repositories:
            continue
        for found in _judged(http, owner.name, repository, asked, urls):
            report.found.append(found)
            proved |= {name: found.client} if found.proof else {}
    return proved


def _judged(
    http: httpx.Client, owner: str, repository: Mapping[str, Any], asked: Asked, urls: Mapping[str, str]
) -> Iterator[Found]:
    """Yield the repository unless neither its name nor its description is like a client's."""
    name, description = str(repository["name"]), str(repository.get("description") or "")
    by_name, shown = asked.client_by_name(name), f"{owner}/{name}"
    if not by_name and not description.startswith(DESCRIBED):
        return
    client, text = asked.described.get(name, ("", ""))
    if client and text == description:
        yield Found(REPOSITORY, shown, client, f"it is named and described as client '{client}'")
        return
    try:
        answer = get(http, f"/repos/{quote(owner)}/{quote(name)}/actions/variables/{API_VARIABLE}")
    except OperatorError as error:
        yield Found(REPOSITORY, shown, by_name, doubt=f"what API it reads cannot be told: {error}")
        return
    url = str(answer.json().get("value", "")) if answer.is_success else ""
    if reader := urls.get(url) or asked.clients.get(url):
        yield Found(REPOSITORY, shown, reader, f"it reads the API of client '{reader}'")
    else:
        yield Found(
            REPOSITORY, shown, by_name, doubt="it is named or described like a client's, and reads no client's API"
        )
