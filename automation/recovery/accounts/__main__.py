"""Lists what no stack holds: `python -m automation.recovery.accounts`.

It reads `automation.recovery.accounts.found.Asked` as JSON, and `native`, whether to ask GitHub and
Vercel; it prints `{found, unknown}`. It asks with the tokens of the environment and changes nothing.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from automation.recovery.accounts.found import Asked, Report
from automation.recovery.accounts.projects import find_projects
from automation.recovery.accounts.repositories import find_repositories
from automation.recovery.accounts.sites import find_sites
from common.errors import OperatorError


def look(content: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Look at all accounts; one that does not answer is told, and the others are looked at all the same."""
    asked, report = Asked.of(content), Report()
    urls = find_projects(asked, report)
    if content["native"]:
        repositories: dict[str, str] = {}
        if _is_set("GITHUB_TOKEN", "GitHub repositories", environment, report):
            repositories = find_repositories(asked, urls, report)
        if _is_set("VERCEL_API_TOKEN", "Vercel projects", environment, report):
            find_sites(asked, environment.get("GITHUB_OWNER", ""), repositories, report)
    return report.as_json()


def _is_set(token: str, what: str, environment: Mapping[str, str], report: Report) -> bool:
    """Whether a service can be asked; where it cannot, the report says so."""
    if not environment.get(token):
        report.unknown.append(f"{what}: {token} is not set")
    return bool(environment.get(token))


if __name__ == "__main__":
    try:
        print(json.dumps(look(json.load(sys.stdin))))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
