"""Every route of a create, struck by every kind of fault: it converges, at once or at the next `up`; nothing twice."""

import re
from collections import Counter
from typing import Any

import pytest

from tests.automation.local_client import PULUMI, Client, MakeClient

REF = "/projects/[a-z]{20}"
IDS = ("[a-z]{20}", r"(?:prj|dpl)_\w+", "[0-9a-f]{40}", r"\d+", "contents/.+")
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


def routes(client: Client, service: str) -> list[tuple[str, str]]:
    """What an undisturbed create asks of a service, each route once, as patterns."""
    client.emulators.requests(service)
    assert client("up")[0] == 0
    asked = client.emulators.requests(service)
    assert client("destroy", "--yes")[0] == 0
    found = {(str(entry["method"]), _pattern(str(entry["path"]))) for entry in asked}
    return sorted(route for route in found if not route[1].startswith("/_"))


def _pattern(path: str) -> str:
    for made in IDS:
        path = re.sub(rf"/{made}(?=/|$)", f"/{made}".replace("\\", r"\\"), path)
    return path


def strike(client: Client, service: str, method: str, path: str, kind: str) -> str:
    """One create under one fault, and how it went."""
    client.emulators.fault(service, method=method, path=path, **FAULTS[kind])
    url = f"{client.emulators.urls[service]}/_emulator/faults"
    code, result = client("up")
    (struck,) = client.emulators.http.get(url).json()
    client.emulators.http.delete(url)
    assert struck["seen"], (method, path)
    outcome = "converged" if code == 0 else "told, then converged"
    if code != 0:
        error = str(result["error"])
        assert not re.search(r"\n|Traceback|<html|unexpected [A-Z]\w+(Error|Exception)", error), error
        code, result = client("up")
    assert (code, result["error"]) == (0, None), (method, path, kind)
    assert len(client.projects()) == 1
    state = client.state()
    keys = client.emulators.supabase("GET", f"/v1/projects/{state['project']['id']}/api-keys?reveal=true").json()
    assert [key["api_key"] for key in keys if key["name"].startswith("stack")] == [
        state["secret-key"]["outputs"]["value"]
    ]
    code, again = client("up")
    assert (code, again["status"]) == (0, "unchanged"), (method, path, kind)
    assert client("destroy", "--yes")[0] == 0
    assert client.projects() == []
    return outcome


@pytest.mark.long
def test_a_create_whose_key_is_refused_for_a_moment_is_told_and_converges(make_client: MakeClient) -> None:
    outcome = strike(make_client("quick"), "supabase", "POST", f"/v1{REF}/api-keys", "503 as a page")
    assert outcome == "told, then converged"


@pytest.mark.long
@pytest.mark.parametrize("kind", FAULTS)
def test_a_create_survives_a_fault_of_any_route(make_client: MakeClient, kind: str) -> None:
    client = make_client("fault")
    told = Counter(strike(client, "supabase", *route, kind) for route in routes(client, "supabase"))
    print(f"{kind}: {told.total()} routes, {dict(told)}")  # noqa: T201
    assert told.total() > 12


@pytest.mark.long
@pytest.mark.parametrize("make_client", [PULUMI], indirect=True)
@pytest.mark.parametrize("kind", ["503 as a page", "dropped before", "dropped after", "malformed"])
@pytest.mark.parametrize("service", ["github", "vercel"])
def test_a_create_survives_a_fault_of_any_write_to_github_and_vercel(
    make_client: MakeClient, service: str, kind: str
) -> None:
    client = make_client(re.sub(r"\W+", "-", f"{service}-{kind}"))
    writes = [route for route in routes(client, service) if route[0] != "GET"]
    told = Counter(strike(client, service, *route, kind) for route in writes)
    print(f"{service}, {kind}: {told.total()} routes, {dict(told)}")  # noqa: T201
    assert told.total() > 3
