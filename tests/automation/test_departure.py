"""A client leaves: nothing of it stays unseen, nothing of anybody else is deleted, and its file is kept."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from automation.recovery.departure import retire
from common.errors import OperatorError
from tests.automation.local_client import MakeClient
from tests.proof.test_interruptions import killed_create

LEFT = "GitHub repository agency/client-acme-prod"


def state_of(*names: str) -> list[dict[str, Any]]:
    return [{"urn": f"urn:pulumi:acme::p::t::{name}", "type": "t", "id": name, "outputs": {}} for name in names]


def test_a_project_that_a_killed_up_has_made_is_deleted_with_the_rest(make_client: MakeClient) -> None:
    client = make_client("killed")
    where = {"service": "supabase", "nth": 1, "path": "/v1/projects", "method": "POST"}
    _, reached = killed_create(client, "all", hold="after", **where)
    assert reached
    assert client.projects() == [client.project_name]
    code, gone = client("destroy", "--yes")
    assert (code, gone["error"], gone["left"]) == (0, None, [])
    assert client.projects() == []
    assert client("destroy", "--yes")[0] == 0


def test_a_project_of_the_same_name_that_nothing_proves_is_listed_and_left(make_client: MakeClient) -> None:
    client = make_client("same")
    body = {
        "name": client.project_name,
        "organization_slug": client.emulators.exports["SUPABASE_ORG_SLUG"],
        "region": "eu-west-2",
        "db_pass": "made-up-and-somebody-elses",
    }
    client.emulators.supabase("POST", "/v1/projects", json=body).raise_for_status()
    code, gone = client("destroy", "--yes")
    assert (code, gone["deleted"]) == (1, [])
    (line,) = gone["left"]
    assert client.project_name in line
    assert "left alone" in line
    assert client.projects() == [client.project_name]


@pytest.mark.long
def test_a_client_whose_tier_was_removed_can_still_leave(make_client: MakeClient) -> None:
    client = make_client("leaves")
    assert client("up")[0] == 0
    path = client.root / "Pulumi.local.yaml"
    content = yaml.safe_load(path.read_text())
    content["config"]["client-environments:tiers"].pop("starter")
    path.write_text(yaml.safe_dump(content))
    assert client("up")[0] == 2
    assert client("destroy", "--yes")[0] == 0
    assert client.projects() == []


def test_the_file_of_a_client_that_left_is_moved_and_told(agency, make_step) -> None:
    agency.engines["acme"].steps = (make_step("project", "delete"),)
    text = (agency.root / "Pulumi.acme.yaml").read_text()
    code, content = agency.json("destroy", "acme", "--yes")
    assert (code, content["clients"][0]["retired"]) == (0, "retired/Pulumi.acme.yaml")
    assert (agency.root / "retired/Pulumi.acme.yaml").read_text() == text
    assert not (agency.root / "Pulumi.acme.yaml").exists()


def test_what_is_left_keeps_the_file_in_its_place_and_ends_with_one(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.automation.conftest.REMAINING", {"deleted": [], "left": [LEFT]})
    result = agency.run("destroy", "acme", "--yes")
    assert result.exit_code == 1
    assert f"acme: not deleted: {LEFT}" in result.stdout
    assert (agency.root / "Pulumi.acme.yaml").exists()


def test_a_retired_file_never_replaces_an_earlier_one(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "Pulumi.acme.yaml").write_text(text)
        assert retire("acme", tmp_path) is not None
    assert retire("acme", tmp_path) is None
    found = {path.name: path.read_text() for path in (tmp_path / "retired").iterdir()}
    assert found == {"Pulumi.acme.yaml": "first", "Pulumi.acme.2.yaml": "second"}


def test_a_file_that_cannot_be_moved_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.acme.yaml").write_text("text")
    (tmp_path / "retired").write_text("in the way")
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yaml: cannot be moved to retired/ \(File exists\)\."):
        retire("acme", tmp_path)


def test_a_stack_without_a_file_is_named_and_not_said_to_be_empty(agency) -> None:
    (agency.root / "Pulumi.nordwind.yaml").unlink()
    agency.engines["nordwind"].state = state_of("project")
    result = agency.run("status", "--all")
    assert result.exit_code == 1
    assert "nordwind: a stack with resources and no file Pulumi.nordwind.yaml" in result.stdout


def test_of_a_stack_that_cannot_be_opened_nothing_is_said_to_be_empty(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, client: str, *, leaving: bool = False) -> None:
        raise OperatorError("no such file, so its stack cannot be opened", f"Pulumi.{client}.yaml")

    monkeypatch.setattr("tests.automation.conftest.FakeWorkspace.engine", refuse)
    result = agency.run("destroy", "acme", "--yes")
    assert (result.exit_code, "nothing" in result.stdout) == (2, False)
