"""What exists of a client outside its stack: `python -m automation.recovery.remains`.

Reads `{client_id, project_name, organization, ref, password, team, timeout, native, delete}` as JSON on standard
input and prints `{deleted, left}`, each a list of lines. `ref` is the project that the stack itself held, `password`
may be empty, and `native` says whether to ask GitHub and Vercel.

With `delete`, a Supabase project that is proved to be this client's is deleted. The proof is that of adoption: the mark
in its database, or a login with the password. Everything else of that name is listed and left alone.
"""

import json
import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from common.errors import OperatorError
from rest_clients.github_vercel import github, vercel
from supabase_management.adoption import Wanted, marked, take
from supabase_management.client import Client
from supabase_management.models import ProjectRecord
from supabase_management.project_lifecycle import find_project, remove


def remains(asked: Mapping[str, Any]) -> dict[str, list[str]]:
    """Look for the client's project, repository and site by name, and delete a proved project when asked to.

    Raises:
        OperatorError: a service does not answer, or the deletion failed.
    """
    found: dict[str, list[str]] = {"deleted": [], "left": []}
    with Client.from_environment() as client:
        project = find_project(client, asked["organization"], asked["project_name"])
        # One that the stack has just deleted may still be listed for a moment.
        if project is not None and project.ref != asked["ref"]:
            _project(client, project, asked, found)
    if asked["native"]:
        found["left"] += [*_repository(asked["project_name"]), *_sites(asked["project_name"], asked["team"])]
    return found


def _project(client: Client, project: ProjectRecord, asked: Mapping[str, Any], found: dict[str, list[str]]) -> None:
    named = f"Supabase project {project.name} ({project.ref})"
    if not asked["delete"]:
        found["left"].append(named)
        return
    try:
        _prove(client, project, asked)
    except OperatorError as error:
        found["left"].append(f"{named}, left alone: {error.what}")
        return
    remove(client, project.ref, float(asked["timeout"]), asked["organization"])
    found["deleted"].append(named)


def _prove(client: Client, project: ProjectRecord, asked: Mapping[str, Any]) -> None:
    """Prove that a project is this client's.

    Raises:
        OperatorError: it is not, or cannot be proved.
    """
    if not asked["password"]:
        if not marked(client, project, asked["client_id"]):
            raise OperatorError(f"its database holds no mark of client '{asked['client_id']}'")
        return
    wanted = Wanted(
        project_name=project.name,
        organization=asked["organization"],
        region=project.region,
        client_id=asked["client_id"],
        db_password=asked["password"],
        timeout=float(asked["timeout"]),
    )
    take(client, project, wanted)


def _repository(name: str) -> list[str]:
    owner = os.environ.get("GITHUB_OWNER", "")
    with github() as http:
        found = _get(http, f"/repos/{quote(owner)}/{quote(name)}")
    return [f"GitHub repository {owner}/{name}"] if found and not found.get("archived") else []


def _sites(name: str, team: str | None) -> list[str]:
    with vercel() as http:
        found = _get(http, f"/v9/projects/{quote(name)}", {"teamId": team} if team else None)
    return [f"Vercel project {name}"] if found else []


def _get(http: httpx.Client, path: str, params: Mapping[str, str] | None = None) -> Any:
    """Return the answer, or None for 404."""
    try:
        answer = http.get(path, params=params)
    except httpx.HTTPError as error:
        raise OperatorError(f"does not answer ({type(error).__name__})", http.base_url.host, "Run it again.") from None
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    if answer.is_error:
        raise OperatorError(f"answers {answer.status_code} to GET {path}", http.base_url.host, "Check its token.")
    return answer.json()


if __name__ == "__main__":
    try:
        print(json.dumps(remains(json.load(sys.stdin))))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
