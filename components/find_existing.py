"""Finds what a GitHub or Vercel resource would be called by its provider, if it exists: type and inputs -> id.

`python -m components.find_existing` reads `{api_url, asked: [[type, inputs, since]]}` on standard input and prints a
list of ids and nulls. It asks with the tokens of the environment and changes nothing.

What is found counts only when it was made after `since`, an ISO time. Without one, a repository counts when it is
described as its inputs say, a site when it is linked to such a repository, and so does all that is inside them. With an
`api_url` a repository counts only when its Actions variable holds that URL too.

What is inside a repository comes after it, and what is inside a site too: its `projectId` may then be left out.
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx

from common.errors import OperatorError
from rest_clients.github_vercel import github, vercel

Inputs = Mapping[str, Any]
REPOSITORY, SITE = "github:index/repository:Repository", "vercel:index/project:Project"
RULESET = "github:index/repositoryRuleset:RepositoryRuleset"
# The variable of a repository and a site that holds the address of the client's API, and so tells whose they are.
API_VARIABLE = "NEXT_PUBLIC_SUPABASE_URL"


class Lookup:
    """Asks both services, with one connection for each."""

    def __init__(self, api_url: str | None = None) -> None:
        self._api_url = api_url
        self._owner = quote(os.environ.get("GITHUB_OWNER", ""))
        self._github, self._vercel = github(), vercel()
        self._ours: dict[str, bool] = {}
        self.site_id: str | None = None

    def close(self) -> None:
        """Close the connections."""
        self._github.close()
        self._vercel.close()

    def find(self, kind: str, inputs: Inputs, since: str | None) -> str | None:
        """The id of the resource of a type that has these inputs, or None.

        Raises:
            OperatorError: a service does not answer, or refuses to.
        """
        search = SEARCHES.get(kind)
        self._since = datetime.fromisoformat(since) if since else None
        return search(self, inputs) if search and self._ours.get(inputs.get("repository", ""), True) else None

    def _repository(self, inputs: Inputs) -> str | None:
        found = self._get(self._github, self._repo(inputs["name"]))
        same = bool(found) and found["description"] == inputs.get("description")
        ours = bool(found) and self._is_ours(found["created_at"], same=same) and self._belongs(inputs["name"])
        self._ours[inputs["name"]] = ours
        return str(inputs["name"]) if ours else None

    def _is_our_repository(self, name: str) -> bool:
        known = self._ours.get(name)
        if known is None:
            # Not asked about here, because the state still holds it: only its variable can tell.
            return self._api_url is not None and bool(name) and self._belongs(name)
        return known

    def _belongs(self, repository: str) -> bool:
        """Tell whether the repository's workflow reads the client's own API."""
        if self._api_url is None:
            return True
        found = self._get(self._github, f"{self._repo(repository)}/actions/variables/{API_VARIABLE}")
        return bool(found) and found["value"] == self._api_url

    def _file(self, inputs: Inputs) -> str | None:
        repository, branch, file = (inputs[key] for key in ("repository", "branch", "file"))
        found = self._get(self._github, f"{self._repo(repository)}/contents/{quote(file)}?ref={quote(branch)}")
        return found and f"{repository}:{file}:{branch}"

    def _ruleset(self, inputs: Inputs) -> str | None:
        found = self._get(self._github, f"{self._repo(inputs['repository'])}/rulesets?per_page=100") or []
        same = (each for each in found if each["name"] == inputs["name"] and self._is_ours(each.get("created_at")))
        return next((str(each["id"]) for each in same), None)

    def _variable(self, inputs: Inputs) -> str | None:
        repository, name = inputs["repository"], inputs["variableName"]
        found = self._get(self._github, f"{self._repo(repository)}/actions/variables/{quote(name)}")
        return f"{repository}:{name}" if found and self._is_ours(found["created_at"]) else None

    def _site(self, inputs: Inputs) -> str | None:
        found = self._get(self._vercel, f"/v9/projects/{quote(inputs['name'])}", inputs)
        link = (found or {}).get("link") or {}
        same = quote(link.get("org", "")) == self._owner and self._is_our_repository(link.get("repo", ""))
        if found and self._is_ours(found["createdAt"], same=same):
            self.site_id = str(found["id"])
        return self.site_id

    def _site_variable(self, inputs: Inputs) -> str | None:
        found = self._in_site(inputs, "v10", "env") or {"envs": []}
        same = (each for each in found["envs"] if each["key"] == inputs["key"] and self._is_ours(each["createdAt"]))
        return next((str(each["id"]) for each in same if set(each["target"]) & set(inputs["targets"])), None)

    def _domain(self, inputs: Inputs) -> str | None:
        found = self._in_site(inputs, "v9", f"domains/{quote(inputs['domain'])}")
        return str(inputs["domain"]) if found and self._is_ours(found["createdAt"]) else None

    def _is_ours(self, made: str | int | None, *, same: bool = True) -> bool:
        """Whether what was made then, in GitHub's or Vercel's form, counts."""
        if self._since is None or made is None:
            return same
        when = datetime.fromisoformat(made) if isinstance(made, str) else datetime.fromtimestamp(made / 1000, UTC)
        return when > self._since

    def _in_site(self, inputs: Inputs, version: str, path: str) -> Any:
        site = inputs.get("projectId") or self.site_id
        return site and self._get(self._vercel, f"/{version}/projects/{quote(site)}/{path}", inputs)

    def _repo(self, name: str) -> str:
        return f"/repos/{self._owner}/{quote(name)}"

    def _get(self, http: httpx.Client, path: str, inputs: Inputs | None = None) -> Any:
        team = (inputs or {}).get("teamId")
        try:
            answer = http.get(path, params={"teamId": team} if team else None)
        except httpx.HTTPError as error:
            raise OperatorError(f"does not answer ({type(error).__name__})", http.base_url.host) from None
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.is_error:
            raise OperatorError(f"answers {answer.status_code} to GET {path}", http.base_url.host, "Check its token.")
        return answer.json()


SEARCHES = {
    REPOSITORY: Lookup._repository,
    "github:index/repositoryFile:RepositoryFile": Lookup._file,
    RULESET: Lookup._ruleset,
    "github:index/actionsVariable:ActionsVariable": Lookup._variable,
    SITE: Lookup._site,
    "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable": Lookup._site_variable,
    "vercel:index/projectDomain:ProjectDomain": Lookup._domain,
}


if __name__ == "__main__":
    try:
        given = json.load(sys.stdin)
        lookup = Lookup(given["api_url"])
        print(json.dumps([lookup.find(*wanted) for wanted in given["asked"]]))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
