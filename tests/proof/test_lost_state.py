"""State that is lost: the next `up` finds the project again, and nobody's password changes.

What GitHub and Vercel hold is imported by its providers; here their half of the state stays.
"""

import json
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.automation.local_client import Client, MakeClient

STATES = {"rehearsal": "rehearsal/{}.json", "pulumi": "pulumi/state/.pulumi/stacks/client-environments/{}.json"}
KEPT = ("github:", "vercel:", "pulumi:", "client-environments:")


def lose(client: Client) -> None:
    """Cut out of a client's state what is Supabase's: resources, passwords and keys, and whatever names them."""
    path = client.root / ".local" / STATES[client.name.rpartition("-")[2]].format(client.name)
    state = json.loads(path.read_text())
    held = state if "resources" in state else state["checkpoint"]["latest"]
    held["resources"] = [one for one in held["resources"] if one["type"].startswith(KEPT)]
    left = {one["urn"] for one in held["resources"]}
    for one in held["resources"]:
        for key in ("dependencies", "propertyDependencies", "property_dependencies"):
            if key in one:
                one[key] = _among(one[key], left)
    path.write_text(json.dumps(state))
    Path(f"{path}.bak").unlink(missing_ok=True)


def _among(found: Any, left: set[str]) -> Any:
    if isinstance(found, dict):
        return {key: _among(value, left) for key, value in found.items()}
    return [urn for urn in found if urn in left]


def found_again(client: Client) -> None:
    assert client("up")[0] == 0
    old = client.state()
    lose(client)
    client.emulators.requests("supabase")
    code, result = client("up")
    assert (code, result["error"]) == (0, None)
    new = client.state()
    for name in ("project", "secret-key"):
        assert new[name]["id"] == old[name]["id"]
    assert new["secret-key"]["outputs"]["value"] == old["secret-key"]["outputs"]["value"]
    assert client.projects() == [f"client-{client.name}-local"]
    assert client("up")[1]["status"] == "unchanged"
    with psycopg.connect(old["schema"]["outputs"]["dsn"], password=old["db-password"]["outputs"]["result"]) as session:
        assert session.execute("select client_id from private.environment_mark").fetchall() == [(client.name,)]
    asked = [(entry["method"], str(entry["path"])) for entry in client.emulators.requests("supabase")]
    writes = {path.rpartition("/")[2] for method, path in asked if method != "GET" and path.startswith("/v1/")}
    assert writes <= {"query", "login-role", "auth"}, writes


@pytest.mark.long
def test_twenty_clients_whose_state_is_lost_are_found_again(make_client: MakeClient) -> None:
    for number in range(20):
        found_again(make_client(f"lost-{number}"))
    print("20/20 found again, no password reset, no replacement, no duplicate")  # noqa: T201
