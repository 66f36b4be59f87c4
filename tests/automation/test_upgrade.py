"""A client of an older program: its resources move under the steps, and none is made anew."""

import json
import shutil
from typing import Any

import pytest

from automation.provision import STEPS
from automation.workspace import open_engine
from components.urn import is_component, name_of
from tests.automation.local_client import ROOT, Client, MakeClient
from tests.automation.old_states import COMMITS, STATES, Held, resources_of, text_of

GROUPS = set(STEPS) - {"n8n"}
ALIAS = "            aliases=[pulumi.Alias(parent=self._client)],\n"


def ids(client: Client) -> dict[str, Any]:
    """Name -> id of everything that is no component."""
    return {name: one["id"] for name, one in client.state().items() if not is_component(one["type"])}


def planned(client: Client) -> dict[str, set[str]]:
    """Operation -> names of a plan that has no error."""
    outcome = open_engine(client.name, local=True, root=client.root).preview()
    assert outcome.error is None, outcome
    found: dict[str, set[str]] = {}
    for step in outcome.changes:
        found.setdefault(step.operation, set()).add(step.name)
    return found


def forget_aliases(client: Client) -> None:
    """Let the client's program be one whose resources carry no alias to their old parent."""
    (client.root / "components").unlink()
    shutil.copytree(ROOT / "components", client.root / "components")
    group = client.root / "components/group.py"
    assert ALIAS in group.read_text()
    group.write_text(group.read_text().replace(ALIAS, ""))


@pytest.mark.parametrize("path", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
def test_committed_states_hold_no_secret_and_no_step(path: Any) -> None:
    text = path.read_text()
    resources = resources_of(json.loads(text))
    assert {each["type"].rpartition(":")[2] for each in resources if is_component(each["type"])} == {
        "ClientEnvironment"
    }
    assert "ciphertext" not in text
    assert "sb_secret_" not in text
    for each in ("db-password", "secret-key"):
        (found,) = (one for one in resources if name_of(one["urn"]) == each)
        hidden = json.dumps(found["outputs"]["result" if each == "db-password" else "value"])
        assert "redacted0" in hidden


def test_a_client_of_an_older_program_gets_its_steps_and_keeps_everything_it_has(make_client: MakeClient) -> None:
    client = make_client("old")
    assert client("up")[0] == 0
    held, before = Held(client), ids(client)
    live = held.read()
    for commit in COMMITS:
        held.write(json.loads(text_of(commit, client)))
        plan = planned(client)
        assert plan.pop("create") == GROUPS
        assert plan.pop("replace", set()) <= {"deployment"}
        # What later programs, migrations and starters change in place is their own business.
        plan.pop("update", None)
        assert plan == {}

        held.write(live)
        held.put_back(commit)
        assert planned(client) == {"create": GROUPS}
        code, told = client("up")
        assert (code, told["status"], told["error"]) == (0, "unchanged", None)
        assert ids(client) == before
        assert {each["urn"] for each in resources_of(held.read())} == {each["urn"] for each in resources_of(live)}
        assert planned(client) == {}

    refreshed = open_engine(client.name, local=True, root=client.root).refresh()
    assert refreshed.error is None
    # Pulumi's engine runs the program after a refresh, and calls what it takes over of outputs an update.
    assert {step.operation for step in refreshed.steps} <= {"same", "refresh", "update"}
    assert (planned(client), ids(client)) == ({}, before)
    assert client("destroy", "--yes")[0] == 0
    assert (client.state(), client.projects()) == ({}, [])


def test_an_up_that_would_make_a_client_anew_is_refused_with_nothing_touched(make_client: MakeClient) -> None:
    client = make_client("anew")
    assert client("up")[0] == 0
    held = Held(client)
    held.put_back(COMMITS[-1])
    before = held.read()
    for service in ("github", "vercel"):
        client.emulators.requests(service)  # empties the log
    forget_aliases(client)
    code, told = client("up")
    assert code == 2
    assert told["error"].startswith(f"{client.name}: the plan would delete and create anew: project, repository, site")
    assert "\n" not in told["error"]
    assert (held.read(), client.projects()) == (before, [client.project_name])
    for service in ("github", "vercel"):
        assert {one["method"] for one in client.emulators.requests(service)} <= {"GET"}
    assert client.query("select count(*) from public.organizations") == [(1,)]
