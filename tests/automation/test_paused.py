"""A paused client: pausing comes last, nothing of it is drift, and what came meanwhile follows once it runs again."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.automation.conftest import Agency
from tests.automation.local_client import Client, MakeClient
from tests.automation.test_orphans import held

NAMED = "select name from public.organizations"


def write(client: Client, **facts: Any) -> None:
    """Set facts of the client's file; None takes one out."""
    path = Path(client.root, f"Pulumi.{client.name}.yaml")
    content = yaml.safe_load(path.read_text())
    for key, value in facts.items():
        name = f"client-environments:{key}"
        if value is None:
            content["config"].pop(name, None)
        else:
            content["config"][name] = value
    path.write_text(yaml.safe_dump(content))


def status(client: Client) -> str:
    ref = client.state()["project"]["id"]
    return str(client.emulators.supabase("GET", f"/v1/projects/{ref}").json()["status"])


def by_hand(client: Client, verb: str) -> None:
    ref = client.state()["project"]["id"]
    client.emulators.supabase("POST", f"/v1/projects/{ref}/{verb}").raise_for_status()


def changed(result: dict[str, Any]) -> list[tuple[str, str]]:
    """The resources that an update changed, in state's order, with what was done."""
    return [(one["name"], one["operation"]) for one in result["resources"] if one["operation"] not in (None, "same")]


@pytest.fixture
def paused(make_client: MakeClient) -> Client:
    """A client that was paused, and given another name and tier, by one `up`."""
    client = make_client(f"p{uuid4().hex[:8]}")  # the emulators keep what an earlier test has made
    client.bring_up()
    write(client, paused=True, clientName="Acme Indoor", tier="growth", keyGeneration=2)
    code, result = client("up")
    assert (code, result["error"]) == (0, None)
    assert [name for name, _ in changed(result)][-1] == "pause"
    assert any("paused: keys, database, settings and owner" in warning for warning in result["warnings"])
    return client


def test_a_paused_client_shows_no_drift_takes_no_change_says_so_and_can_leave(paused: Client) -> None:
    assert status(paused) == "INACTIVE"
    code, found = paused("drift")
    assert (code, found["error"], found["program"], found["hand"]) == (0, None, [], [])
    assert any("neither looked at nor changed" in note for note in found["notes"])
    write(paused, orgEmail="next@acme.example", legacyKeys=True, rotatePassword=5)
    code, planned = paused("preview", "--refresh")
    assert (code, planned["error"], planned["changes"]) == (0, None, [])
    code, result = paused("up", "--refresh")
    assert (code, result["error"], changed(result)) == (0, None, [])
    assert status(paused) == "INACTIVE"
    code, gone = paused("destroy", "--yes")
    assert (code, gone["error"], paused.projects()) == (0, None, [])


def test_one_that_somebody_restored_is_drift_and_paused_again_and_what_came_meanwhile_follows_in_the_end(
    paused: Client,
) -> None:
    by_hand(paused, "restore")
    code, found = paused("drift")
    assert (code, found["program"]) == (1, [])
    assert [(one["operation"], one["resource"]) for one in found["hand"]] == [("create", "pause")]
    assert paused("up", "--refresh")[0] == 0
    assert status(paused) == "INACTIVE"

    write(paused, paused=None)
    code, result = paused("up")
    assert (code, result["error"]) == (0, None)
    assert status(paused) == "ACTIVE_HEALTHY"
    assert paused.query(NAMED) == [("Acme Indoor",)]
    state = paused.state()
    assert (state["project"]["outputs"]["instance_size"], "pause" in state) == ("small", False)
    assert float(state["secret-key"]["outputs"]["generation"]) == 2
    assert paused("drift")[0] == 0


def test_a_client_that_somebody_paused_is_drift_and_runs_again_after_a_refresh(make_client: MakeClient) -> None:
    client = make_client("halted")
    client.bring_up()
    by_hand(client, "pause")
    code, found = client("drift")
    assert (code, found["error"], found["program"]) == (1, None, [])
    assert [(one["operation"], one["resource"], one["properties"]) for one in found["hand"]] == [
        ("update", "project", ["paused"])
    ]
    assert client("up", "--refresh")[0] == 0
    assert status(client) == "ACTIVE_HEALTHY"
    assert client("drift")[0] == 0


def test_what_needs_a_paused_clients_database_is_skipped_and_said(
    agency: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reach(*_: object, **__: object) -> None:
        raise AssertionError("the database of a paused client is asked")

    for module in ("automation.dry_run", "automation.close_foreign"):
        monkeypatch.setattr(f"{module}.run_tool", reach)
    path = agency.root / "Pulumi.acme.yaml"
    path.write_text(f"{path.read_text()}  client-environments:paused: true\n")
    agency.engines["acme"].state = [held("acme", "project"), held("acme", "schema", dsn="postgresql://x@127.0.0.1/x")]
    for words in (("preview", "acme", "--try-sql"), ("up", "acme", "--refresh", "--close-foreign", "--yes")):
        result = agency.run(*words)
        assert (result.exit_code, "acme  paused: its database is not looked at" in result.stdout) == (0, True)
