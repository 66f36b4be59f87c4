"""State that is lost: the next `up` finds project, repository and site again, and changes nobody's password or file."""

import base64
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.automation.local_client import Client, MakeClient

STATES = {"rehearsal": "rehearsal/{}.json", "pulumi": "pulumi/state/.pulumi/stacks/client-environments/{}.json"}
SAME = ("project", "secret-key", "repository", "ruleset", "actions-api-url", "site", "site-api-url")
EDITED = "starter/README.md"


def lose(client: Client) -> None:
    """Delete a client's state, all of it."""
    path = client.root / ".local" / STATES[client.name.rpartition("-")[2]].format(client.name)
    path.unlink()
    Path(f"{path}.bak").unlink(missing_ok=True)


def edit(client: Client, file: dict[str, Any], text: str) -> None:
    """Commit another text of a file, as a developer of the client does."""
    url, http = client.emulators.urls["github"], client.emulators.http
    if client.name.endswith("-rehearsal"):
        body: dict[str, Any] = {"inputs": {**file["outputs"], "content": text}}
        http.put(f"{url}/_rehearsal/documents/{file['id']}", json=body).raise_for_status()
        return
    url = f"{url}/api/v3/repos/{client.emulators.exports['GITHUB_OWNER']}/{client.project_name}/contents/README.md"
    token = {"Authorization": f"Bearer {client.emulators.exports['GITHUB_TOKEN']}"}
    content, sha = base64.b64encode(text.encode()).decode(), http.get(url, headers=token).json()["sha"]
    http.put(url, json={"message": "ours", "content": content, "sha": sha}, headers=token).raise_for_status()


def found_again(client: Client) -> None:
    assert client("up")[0] == 0
    old = client.state()
    edit(client, old[EDITED], "A developer's own words.")
    lose(client)
    client.emulators.requests("supabase")
    code, result = client("up")
    assert (code, result["error"]) == (0, None), result["error"]
    new = client.state()
    assert {name: new[name]["id"] for name in SAME} == {name: old[name]["id"] for name in SAME}
    assert new["secret-key"]["outputs"]["value"] == old["secret-key"]["outputs"]["value"]
    assert client.projects() == [client.project_name]
    asked = [(entry["method"], str(entry["path"])) for entry in client.emulators.requests("supabase")]
    writes = {path.rpartition("/")[2] for method, path in asked if method != "GET" and path.startswith("/v1/")}
    assert writes <= {"query", "login-role", "auth"}, writes
    assert client("up")[1]["status"] == "unchanged"
    with psycopg.connect(old["schema"]["outputs"]["dsn"], password=old["db-password"]["outputs"]["result"]) as session:
        assert session.execute("select client_id from private.environment_mark").fetchall() == [(client.name,)]
    assert client("up", "--refresh")[1]["error"] is None
    assert client.state()[EDITED]["outputs"]["content"] == "A developer's own words."


@pytest.mark.long
def test_a_client_whose_state_is_lost_is_found_again(make_client: MakeClient) -> None:
    found_again(make_client("lost"))


@pytest.mark.long
def test_twenty_clients_whose_state_is_lost_are_found_again(make_client: MakeClient) -> None:
    for number in range(20):
        found_again(make_client(f"lost-{number}"))
    print("20/20 found again, no password reset, no replacement, no duplicate")  # noqa: T201
