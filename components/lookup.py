"""Finds what a GitHub or Vercel resource would be called by its provider, if it exists: type and inputs -> id.

`python -m components.lookup` reads `[[type, inputs, since]]` on standard input and prints a list of ids and
nulls. It asks with the tokens of the environment and changes nothing. A repository or a site counts only when it was
made after `since`, an ISO time.
"""

import json
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from components.errors import OperatorError

Inputs = Mapping[str, Any]


class Lookup:
    """Asks both services, with one connection for each."""

    def __init__(self) -> None:
        base = (os.environ.get("GITHUB_BASE_URL") or "https://api.github.com").rstrip("/")
        # GitHub Enterprise answers below a path of its own, as the provider knows too.
        root = base if base.endswith("api.github.com") else f"{base}/api/v3"
        self._owner = quote(os.environ.get("GITHUB_OWNER", ""))
        self._github = _session(root, "GITHUB_TOKEN")
        self._vercel = _session("https://api.vercel.com", "VERCEL_API_TOKEN")

    def find(self, kind: str, inputs: Inputs, since: str) -> str | None:
        """The id of the resource of a type that has these inputs, or None.

        Raises:
            OperatorError: a service does not answer, or refuses to.
        """
        search = SEARCHES.get(kind)
        self._since = datetime.fromisoformat(since)
        return search(self, inputs) if search else None

    def _repository(self, inputs: Inputs) -> str | None:
        found = self._get(self._github, self._repo(inputs["name"]))
        return str(inputs["name"]) if found and datetime.fromisoformat(found["created_at"]) > self._since else None

    def _ruleset(self, inputs: Inputs) -> str | None:
        found = self._get(self._github, f"{self._repo(inputs['repository'])}/rulesets?per_page=100") or []
        return next((str(ruleset["id"]) for ruleset in found if ruleset["name"] == inputs["name"]), None)

    def _variable(self, inputs: Inputs) -> str | None:
        repository, name = inputs["repository"], inputs["variableName"]
        found = self._get(self._github, f"{self._repo(repository)}/actions/variables/{quote(name)}")
        return found and f"{repository}:{name}"

    def _site(self, inputs: Inputs) -> str | None:
        found = self._get(self._vercel, f"/v9/projects/{quote(inputs['name'])}", inputs)
        return str(found["id"]) if found and found["createdAt"] > self._since.timestamp() * 1000 else None

    def _site_variable(self, inputs: Inputs) -> str | None:
        found = self._get(self._vercel, f"/v10/projects/{quote(inputs['projectId'])}/env", inputs) or {"envs": []}
        same = (each for each in found["envs"] if each["key"] == inputs["key"])
        return next((str(each["id"]) for each in same if set(each["target"]) & set(inputs["targets"])), None)

    def _domain(self, inputs: Inputs) -> str | None:
        path = f"/v9/projects/{quote(inputs['projectId'])}/domains/{quote(inputs['domain'])}"
        return self._get(self._vercel, path, inputs) and str(inputs["domain"])

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
    "github:index/repository:Repository": Lookup._repository,
    "github:index/repositoryRuleset:RepositoryRuleset": Lookup._ruleset,
    "github:index/actionsVariable:ActionsVariable": Lookup._variable,
    "vercel:index/project:Project": Lookup._site,
    "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable": Lookup._site_variable,
    "vercel:index/projectDomain:ProjectDomain": Lookup._domain,
}


def _session(base: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {os.environ.get(token, '')}"}
    return httpx.Client(base_url=base, headers=headers, timeout=20, follow_redirects=False)


if __name__ == "__main__":
    try:
        lookup = Lookup()
        print(json.dumps([lookup.find(*wanted) for wanted in json.load(sys.stdin)]))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
