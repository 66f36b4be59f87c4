"""Whether GitHub's and Vercel's tokens show that something is gone, or only that they do not see it.

Both services answer 404 for what a token may not see. A refresh counts every 404 as gone, drops it from state, and the
next update makes it again. `python -m automation.recovery.token_visibility` is asked first: it reads
`[{name, kind, id, team, label}]` as JSON on standard input, `kind` being `repository` or `site`
and `label` the site's name, and prints a mapping name -> `there`, `gone`, or why it cannot tell.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from common.errors import OperatorError
from rest_clients.github_vercel import github, vercel

THERE, GONE = "there", "gone"
PAGE, MOST_PAGES = 100, 100


def look(things: list[Mapping[str, Any]]) -> dict[str, str]:
    """Look at each thing by its id.

    Returns:
        name -> `there`, `gone`, or a reason why neither is shown.

    Raises:
        OperatorError: a service does not answer, or refuses its token.
    """
    found: dict[str, str] = {}
    for thing in things:
        found[thing["name"]] = _repository(thing) if thing["kind"] == "repository" else _site(thing)
    return found


@dataclass(frozen=True)
class Owner:
    """The owner of the clients' repositories, as the token sees it.

    Attributes:
        name: `GITHUB_OWNER`, or the token's own account.
        login: account of the token.
        own: whether these are the same.
        scopes: of a classic token; a fine-grained one tells none.
    """

    name: str
    login: str
    own: bool
    scopes: frozenset[str]


def owner_of(http: httpx.Client) -> Owner:
    """Ask GitHub whose token it is.

    Raises:
        OperatorError: GitHub does not answer, or refuses the token.
    """
    user = get(http, "/user")
    login = str(user.json().get("login", ""))
    name = os.environ.get("GITHUB_OWNER") or login
    scopes = user.headers.get("x-oauth-scopes", "").replace(" ", "").split(",")
    return Owner(name, login, login.lower() == name.lower(), frozenset(scopes))


def unseen_repositories(http: httpx.Client, owner: Owner) -> str:
    """Why the token is not shown to see all repositories of the owner, or an empty text when it is."""
    # Only classic tokens tell their scopes; one limited to selected repositories gets the same answers.
    if "repo" not in owner.scopes:
        return f"GITHUB_TOKEN is not shown to see all repositories of {owner.name}"
    if owner.own:
        return ""
    try:
        member = get(http, f"/user/memberships/orgs/{quote(owner.name)}")
    except OperatorError:
        return f"GITHUB_TOKEN does not show whether {owner.login} is an owner of {owner.name}"
    if member.is_success and member.json().get("role") == "admin":
        return ""
    return f"{owner.login} is no owner of {owner.name} and may not see all of its repositories"


def unseen_sites(http: httpx.Client, team: str | None) -> str:
    """Why the token is not shown to see all sites of the team, or an empty text when it is."""
    if team is None:
        return ""
    role = (get(http, f"/v2/teams/{quote(team)}").json().get("membership") or {}).get("role")
    seen = role in {"OWNER", "MEMBER", "DEVELOPER"}
    return "" if seen else f"the role {role} of VERCEL_API_TOKEN's account does not show all projects of the team"


def _repository(thing: Mapping[str, Any]) -> str:
    owner, name = os.environ.get("GITHUB_OWNER", ""), str(thing["id"])
    with github() as http:
        answer = get(http, f"/repos/{quote(owner)}/{quote(name)}")
        # A renamed repository answers with where it is now, and the provider follows.
        if answer.status_code != httpx.codes.NOT_FOUND:
            return THERE
        account = owner_of(http)
        route = "/user/repos?affiliation=owner" if account.own else f"/orgs/{quote(owner)}/repos?type=all"
        if any(str(each["name"]).lower() == name.lower() for each in pages(http, route)):
            return f"GitHub lists {owner}/{name} but does not show it to this token"
        return unseen_repositories(http, account) or GONE


def _site(thing: Mapping[str, Any]) -> str:
    team, id_ = thing.get("team"), str(thing["id"])
    query = f"?teamId={quote(team)}" if team else ""
    with vercel() as http:
        if get(http, f"/v9/projects/{quote(id_)}{query}").is_success:
            return THERE
        listed = get(http, f"/v9/projects{query}{'&' if query else '?'}limit={PAGE}&search={quote(thing['label'])}")
        if any(each["id"] == id_ for each in listed.json().get("projects", ())):
            return "Vercel lists it but does not show it to this token"
        return unseen_sites(http, team) or GONE


def list_sites(http: httpx.Client, team: str | None) -> Iterator[Mapping[str, Any]]:
    """Yield all sites of a Vercel team, or of the token's own account.

    Raises:
        OperatorError: Vercel refuses, or there are more pages than are read.
    """
    query, until = (f"&teamId={quote(team)}" if team else ""), ""
    for _ in range(MOST_PAGES):
        answer = get(http, f"/v9/projects?limit={PAGE}{query}{until}")
        if answer.is_error:
            raise _refused(http, answer)
        content = answer.json()
        yield from content["projects"]
        following = content["pagination"]["next"]
        if following is None:
            return
        until = f"&until={following}"
    raise OperatorError(f"lists more than {PAGE * MOST_PAGES} projects", http.base_url.host)


def pages(http: httpx.Client, route: str) -> Iterator[Mapping[str, Any]]:
    """Yield the entries of all pages of a list of GitHub's; `route` has a query already.

    Raises:
        OperatorError: the token does not see the list, or it has more pages than are read.
    """
    for number in range(1, MOST_PAGES + 1):
        answer = get(http, f"{route}&per_page={PAGE}&page={number}")
        if answer.is_error:
            raise _refused(http, answer)
        page = answer.json()
        yield from page
        if len(page) < PAGE:
            return
    raise OperatorError(f"lists more than {PAGE * MOST_PAGES} entries", http.base_url.host)


def get(http: httpx.Client, path: str) -> httpx.Response:
    """Return the answer; a 404 is one, every other refusal is an error.

    Raises:
        OperatorError: the service does not answer, or refuses.
    """
    try:
        answer = http.get(path)
    except httpx.HTTPError as error:
        raise OperatorError(f"does not answer ({type(error).__name__})", http.base_url.host, "Run it again.") from None
    if answer.is_error and answer.status_code != httpx.codes.NOT_FOUND:
        raise _refused(http, answer)
    return answer


def _refused(http: httpx.Client, answer: httpx.Response) -> OperatorError:
    path = answer.request.url.path
    return OperatorError(f"answers {answer.status_code} to GET {path}", http.base_url.host, "Check its token.")


if __name__ == "__main__":
    try:
        print(json.dumps(look(json.load(sys.stdin))))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
