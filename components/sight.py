"""Whether GitHub's and Vercel's tokens show that something is gone, or only that they do not see it.

Both services answer 404 for what a token may not see. A refresh counts every 404 as gone, drops it from state, and the
next update makes it again. `python -m components.sight` is asked first: it reads `[{name, kind, id, team, label}]` as
JSON on standard input, `kind` being `repository` or `site` and `label` the site's name, and prints a mapping
name -> `there`, `gone`, or why it cannot tell.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from components.errors import OperatorError
from components.native_apis import github, vercel

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


def _repository(thing: Mapping[str, Any]) -> str:
    owner, name = os.environ.get("GITHUB_OWNER", ""), str(thing["id"])
    with github() as http:
        answer = _get(http, f"/repos/{quote(owner)}/{quote(name)}")
        # A renamed repository answers with where it is now, and the provider follows.
        if answer.status_code != httpx.codes.NOT_FOUND:
            return THERE
        user = _get(http, "/user")
        login = str(user.json().get("login", ""))
        own = login.lower() == owner.lower()
        route = "/user/repos?affiliation=owner&per_page=" if own else f"/orgs/{quote(owner)}/repos?per_page="
        if any(str(each["name"]).lower() == name.lower() for each in _pages(http, f"{route}{PAGE}")):
            return f"GitHub lists {owner}/{name} but does not show it to this token"
        # Only classic tokens tell their scopes; one limited to selected repositories gets the same answers.
        scopes = user.headers.get("x-oauth-scopes", "").replace(" ", "").split(",")
        if "repo" not in scopes:
            return f"GITHUB_TOKEN is not shown to see all repositories of {owner}"
        if own:
            return GONE
        member = _ask(http, f"/user/memberships/orgs/{quote(owner)}")
        role = member.json().get("role") if member.is_success else None
        return GONE if role == "admin" else f"{login} is no owner of {owner} and may not see all of its repositories"


def _site(thing: Mapping[str, Any]) -> str:
    team, id_ = thing.get("team"), str(thing["id"])
    query = f"?teamId={quote(team)}" if team else ""
    with vercel() as http:
        if _get(http, f"/v9/projects/{quote(id_)}{query}").is_success:
            return THERE
        listed = _get(http, f"/v9/projects{query}{'&' if query else '?'}limit={PAGE}&search={quote(thing['label'])}")
        if any(each["id"] == id_ for each in listed.json().get("projects", ())):
            return "Vercel lists it but does not show it to this token"
        if team is None:
            return GONE
        role = (_get(http, f"/v2/teams/{quote(team)}").json().get("membership") or {}).get("role")
        seen = role in {"OWNER", "MEMBER", "DEVELOPER"}
        return GONE if seen else f"the role {role} of VERCEL_API_TOKEN's account does not show all projects of the team"


def _pages(http: httpx.Client, path: str) -> Iterator[Mapping[str, Any]]:
    for number in range(1, MOST_PAGES + 1):
        page = _get(http, f"{path}&page={number}").json()
        yield from page
        if len(page) < PAGE:
            return


def _get(http: httpx.Client, path: str) -> httpx.Response:
    """Return the answer; a 404 is one, every other refusal is an error."""
    answer = _ask(http, path)
    if answer.is_error and answer.status_code != httpx.codes.NOT_FOUND:
        raise _refused(http, answer)
    return answer


def _ask(http: httpx.Client, path: str) -> httpx.Response:
    try:
        return http.get(path)
    except httpx.HTTPError as error:
        raise OperatorError(f"does not answer ({type(error).__name__})", http.base_url.host, "Run it again.") from None


def _refused(http: httpx.Client, answer: httpx.Response) -> OperatorError:
    path = answer.request.url.path
    return OperatorError(f"answers {answer.status_code} to GET {path}", http.base_url.host, "Check its token.")


if __name__ == "__main__":
    try:
        print(json.dumps(look(json.load(sys.stdin))))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
