"""Every route of a create, struck by every kind of fault: it converges, at once or at the next `up`; nothing twice."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.automation.local_client import Client, MakeClient

REF = "/projects/[a-z]{20}"
PAGE = "<html><body>upstream connect error</body></html>"
FAULTS: dict[str, dict[str, Any]] = {
    "429 with Retry-After": {
        "status": 429,
        "headers": {"Retry-After": "1"},
        "body": '{"message": "Too Many Requests"}',
    },
    "500": {"status": 500, "body": '{"message": "Internal error"}'},
    "503 as a page": {"status": 503, "body": PAGE},
    "dropped before": {"drop": "before"},
    "dropped after": {"drop": "after"},
    "malformed": {"status": 201, "body": '{"id": "', "drop": "after"},
    "delayed beyond the time-out": {"delay": 31},
}


def routes(client: Client) -> list[tuple[str, str]]:
    """What an undisturbed create asks of the Management API, each route once, as patterns."""
    client.emulators.requests("supabase")
    assert client("up")[0] == 0
    asked = client.emulators.requests("supabase")
    assert client("destroy", "--yes")[0] == 0
    found = {(str(entry["method"]), re.sub("/projects/[a-z]{20}", REF, str(entry["path"]))) for entry in asked}
    return sorted(route for route in found if not route[1].startswith("/_"))


def strike(client: Client, method: str, path: str, kind: str) -> str:
    """One create under one fault, and how it went."""
    client.emulators.fault("supabase", method=method, path=path, **FAULTS[kind])
    url = f"{client.emulators.urls['supabase']}/_emulator/faults"
    code, result = client("up")
    (struck,) = client.emulators.http.get(url).json()
    client.emulators.http.delete(url)
    assert struck["seen"], (method, path)
    outcome = "converged" if code == 0 else "told, then converged"
    if code != 0:
        error = str(result["error"])
        assert not re.search(r"\n|Traceback|<html|unexpected [A-Z]", error), error
        code, result = client("up")
    assert (code, result["error"]) == (0, None), (method, path, kind)
    assert len(client.projects()) == 1
    state = client.state()
    keys = client.emulators.supabase("GET", f"/v1/projects/{state['project']['id']}/api-keys?reveal=true").json()
    assert [key["api_key"] for key in keys if key["name"].startswith("stack")] == [
        state["secret-key"]["outputs"]["value"]
    ]
    assert client("destroy", "--yes")[0] == 0
    assert client.projects() == []
    return outcome


def test_a_create_whose_key_is_refused_for_a_moment_is_told_and_converges(make_client: MakeClient) -> None:
    outcome = strike(make_client("quick"), "POST", f"/v1{REF}/api-keys", "503 as a page")
    assert outcome == "told, then converged"


@pytest.mark.long
@pytest.mark.parametrize("kind", FAULTS)
def test_a_create_survives_a_fault_of_any_route(make_client: MakeClient, kind: str) -> None:
    client = make_client("fault")
    told = Counter(strike(client, method, path, kind) for method, path in routes(client))
    print(f"{kind}: {told.total()} routes, {dict(told)}")  # noqa: T201
    assert told.total() > 12
