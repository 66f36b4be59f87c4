"""Five steps out of many resources."""

import json
from pathlib import Path

import pytest

from automation.clients import ProvisioningJob
from automation.engine import Step
from automation.provision import CLIENT, STEPS, count_by_step, fold, provision, step_of
from common.errors import OperatorError
from tests.automation.conftest import HOLDERS, TYPES, FakeEngine, FakeWorkspace, step

JOB = ProvisioningJob("blau", "Blau", "owner@blau.example", "growth")


def statuses(*steps):
    return {result.name: result.status for result in fold(steps, {})}


@pytest.mark.parametrize(
    ("operations", "status"),
    [
        ((), "skipped"),
        (("same", "same"), "unchanged"),
        (("create", "create"), "created"),
        (("create", "same"), "updated"),
        (("update", "same"), "updated"),
        (("replace", "create"), "updated"),
        (("delete", "same"), "updated"),
    ],
)
def test_a_step_is_what_its_resources_are_together(operations, status: str) -> None:
    names = ("project", "endpoints")
    assert statuses(*map(step, names, operations))["supabase"] == status


def test_one_failed_resource_fails_its_step_and_names_itself() -> None:
    results = fold([step("project"), step("endpoints", status="failed", error="timeout")], {})
    assert (results[0].status, results[0].error) == ("failed", "endpoints: timeout")


def test_a_step_lasts_from_its_first_resource_to_its_last() -> None:
    assert [r.seconds for r in fold([], {"database": [10.0, 12.0, 13.5]})] == [0.0, 3.5, 0.0, 0.0, 0.0]


def test_a_refresh_before_the_update_is_no_step_of_its_own() -> None:
    assert statuses(step("site", "refresh"), step("site", "update"))["vercel"] == "updated"


@pytest.mark.parametrize("name", TYPES)
def test_the_step_of_a_resource_is_the_component_that_holds_it(name: str) -> None:
    assert step_of(step(name).urn) == HOLDERS[name].lower()


def test_what_an_older_program_left_directly_under_the_client_is_no_step_s_and_still_counts() -> None:
    old = step("site", "delete").urn.replace("client-environments:index:Vercel$", "")
    results = fold([step("project", "same"), Step(old, "delete")], {})
    assert [(each.name, each.status) for each in results[len(STEPS) :]] == [(CLIENT, "updated")]
    resources = [{"urn": old, "type": TYPES["site"]}, {"urn": step("project").urn, "type": TYPES["project"]}]
    assert count_by_step(resources) == {**dict.fromkeys(STEPS, 0), "supabase": 1, CLIENT: 1}


def test_a_new_client_gets_its_file_and_a_result_that_is_json(folder: Path) -> None:
    engine = FakeEngine((step("project", client="blau"),), values={"api_url": "u", "secret_key": "s" * 20})
    engine.state = [{"urn": engine.steps[0].urn, "type": engine.steps[0].type, "id": "ref", "outputs": {"a": "b"}}]
    result = provision(JOB, workspace=FakeWorkspace({"blau": engine}, folder))
    assert (folder / "Pulumi.blau.yaml").exists()
    assert [each.name for each in result.steps] == list(STEPS)
    content = json.dumps(result.as_json())
    assert '"id": "ref"' in content
    assert "s" * 20 not in content


def test_an_existing_client_with_other_facts_is_refused_before_anything_runs(folder: Path) -> None:
    engine = FakeEngine()
    with pytest.raises(OperatorError, match="tier is 'starter' there, not 'growth'"):
        provision(
            ProvisioningJob("acme", "Acme Outdoor", "owner@acme.example", "growth"), workspace=FakeWorkspace({}, folder)
        )
    assert engine.calls == []


def test_what_a_preview_refuses_for_a_new_client_is_refused_before_anything_runs(folder: Path) -> None:
    engine = FakeEngine((step("db-password", status="planned"),), error="sql/migrations: no such folder")
    result = provision(JOB, workspace=FakeWorkspace({"blau": engine}, folder))
    assert engine.calls == ["preview"]
    assert (result.status, result.error) == ("failed", "sql/migrations: no such folder")
    assert {each.status for each in result.steps} == {"skipped"}


def test_what_would_stop_a_new_client_is_refused_before_anything_runs(folder: Path) -> None:
    engine = FakeEngine()
    with pytest.raises(OperatorError, match="region: 'af-south-1' is not offered"):
        provision(JOB, workspace=FakeWorkspace({"blau": engine}, folder, refusal="region: 'af-south-1' is not offered"))
    assert engine.calls == ["preview"]
    provision(JOB, workspace=FakeWorkspace({"blau": engine}, folder), say=engine.calls.append)
    assert engine.calls[1:] == ["preview", "Supabase project: blau is new.", "up"]


def test_the_error_that_ends_an_operation_is_told_once(folder: Path) -> None:
    leak = "database: 1 leak.\n  leads: select as anon: granted"
    steps = (step("project", "same"), step("schema", status="failed", error=leak))
    said = (f"schema: {leak}", "probe: skipped")
    engine = FakeEngine(steps, error=leak, said=said, state=[{"urn": steps[0].urn, "type": steps[0].type, "id": "i"}])
    result = provision(JOB, workspace=FakeWorkspace({"blau": engine}, folder))
    assert (result.error, result.warnings) == (leak, ("probe: skipped",))
