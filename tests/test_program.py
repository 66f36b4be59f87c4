"""The wiring of one client, by Pulumi's mocks: names, parents, protection, secrets, dependencies. No provider runs."""

import pickle
import shutil
from pathlib import Path

import pulumi
import pytest

from automation.provision import STEPS
from components.database import Database
from components.program import declare
from components.project import Supabase
from components.settings import STACK_MARK
from components.site import Vercel
from components.urn import is_component, name_of, parse
from tests import wiring
from tests.wiring import Recorder

ROOT = Path(__file__).parent.parent
STACK_OUTPUTS = {
    "project_ref",
    "api_url",
    "publishable_key",
    "schema_version",
    "repository_url",
    "site_url",
    "region",
    "secret_key",
    "owner_link",
}
ROLES = {
    "db-password": "supabase",
    "project": "supabase",
    "endpoints": "supabase",
    "secret-key": "supabase",
    "settings": "supabase",
    "owner": "supabase",
    "schema": "database",
    "isolation-check": "database",
    "repository": "github",
    "ruleset": "github",
    "actions-api-url": "github",
    "starter/package.json": "github",
    "site": "vercel",
    "site-secret-key": "vercel",
    "deployment": "vercel",
    "probe": "vercel",
}
NEEDS_RUNNING = {**Supabase.needs_running, **Database.needs_running, **Vercel.needs_running}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Run the program of the repository on the settings files of a folder."""
    monkeypatch.setenv("SUPABASE_ORG_SLUG", "agency")
    # With the tokens of whoever runs this the program would look for repository and site.
    monkeypatch.setenv(STACK_MARK, "test")
    monkeypatch.chdir(folder)
    return wiring.run(declare)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for file in ROOT.glob("Pulumi.*yaml"):
        shutil.copy(file, tmp_path)
    for name in ("sql", "starter"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def recorder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    return run(folder, monkeypatch)


def test_children_are_named_after_their_role_and_belong_to_their_step(recorder: Recorder) -> None:
    parents = {name: name_of(one.request.parent) for name, one in recorder.declared.items()}
    assert {name: parents[name] for name in ROLES} == ROLES
    steps = {name for name, parent in parents.items() if parent == "client"}
    assert steps == set(ROLES.values()) == set(STEPS) - {"n8n"}


def test_every_resource_carries_an_alias_to_the_client_that_held_it_before_the_steps_did(recorder: Recorder) -> None:
    resources = {name: one.request for name, one in recorder.declared.items() if one.request.custom}
    for name, request in resources.items():
        assert [name_of(alias.spec.parentUrn) for alias in request.aliases] == ["client"], name


def test_no_resource_waits_for_a_component_as_a_whole(recorder: Recorder) -> None:
    for name, one in recorder.declared.items():
        waits = {*one.request.dependencies, *(u for p in one.request.propertyDependencies.values() for u in p.urns)}
        assert not any(is_component(parse(urn).type) for urn in waits), name


def test_the_stack_outputs_are_the_contracts(recorder: Recorder) -> None:
    assert set(recorder.outputs["client"]) == STACK_OUTPUTS


def test_what_a_provider_computes_and_nobody_may_read_is_secret(recorder: Recorder) -> None:
    secret = {name: set(one.request.additionalSecretOutputs) for name, one in recorder.declared.items()}
    assert secret["secret-key"] == {"value"}
    assert secret["owner"] == {"link"}
    assert "db_password" in recorder.declared["owner"].secret
    assert secret["endpoints"] == {"legacy_anon_key", "legacy_service_role_key"}
    assert "result" in secret["db-password"]


def test_only_project_repository_and_site_are_protected(recorder: Recorder) -> None:
    protected = {name for name, one in recorder.declared.items() if one.request.protect}
    assert protected == {"project", "repository", "site"}


def test_the_schema_waits_for_the_database_and_not_for_the_api(recorder: Recorder) -> None:
    assert recorder.declared["schema"].dependencies == {"project", "db-password"}
    assert "schema" not in recorder.declared["endpoints"].dependencies


def test_a_paused_client_is_paused_last_and_what_needs_its_project_is_at_rest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "Pulumi.acme.yaml"
    assert "pause" not in run(folder, monkeypatch).declared
    path.write_text(f"{path.read_text()}  client-environments:paused: true\n")
    declared = run(folder, monkeypatch).declared
    assert declared["pause"].dependencies == {"project", "owner", "probe", "isolation-check"}
    reaches = {name for name, one in declared.items() if one.type in {"Command", "RandomPassword"}}
    reaches |= {name for name, one in declared.items() if "__provider" in one.inputs}
    # The inputs of these two say where the project is, and nothing that could change.
    assert reaches - {"endpoints", "pause"} == NEEDS_RUNNING.keys()
    for name, ignored in NEEDS_RUNNING.items():
        assert set(declared[name].request.ignoreChanges) == ignored
    kept = {"project_ref", "organization", "region", "paused", "__provider"}
    for name in reaches - {"endpoints", "pause", "db-password", "isolation-check", "probe"}:
        assert declared[name].inputs.keys() - NEEDS_RUNNING[name] <= kept


def test_the_repository_waits_for_nothing(recorder: Recorder) -> None:
    assert recorder.declared["repository"].dependencies == set()


def test_the_schema_is_not_deleted_one_by_one_when_the_project_goes(recorder: Recorder) -> None:
    assert name_of(recorder.declared["schema"].request.deletedWith) == "project"


def test_one_changed_line_of_the_environment_reaches_the_client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(folder, monkeypatch).declared["project"].inputs["region"]
    path = folder / "Pulumi.prod.yaml"
    path.write_text(path.read_text().replace("region: eu-west-2", "region: eu-central-1"))
    assert (before, run(folder, monkeypatch).declared["project"].inputs["region"]) == ("eu-west-2", "eu-central-1")


def test_wrong_settings_end_the_program_in_one_line_before_anything_is_declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text(path.read_text().replace("tier: starter", "tier: platinum"))
    with pytest.raises(pulumi.RunError, match=r"^Pulumi\.acme\.yaml: tier 'platinum' must be one of"):
        run(folder, monkeypatch)


def test_settings_wait_for_whoever_works_in_the_database_that_they_restart(recorder: Recorder) -> None:
    settings = recorder.declared["settings"]
    assert settings.dependencies >= {"endpoints", "isolation-check"}
    assert settings.inputs["site_url"] == "https://client-acme-prod.vercel.app"
    assert settings.inputs["uri_allow_list"] == "https://client-acme-prod.vercel.app/**"
    assert settings.inputs["site_id"] == "site-id"
    known = {"project_ref", "timeout", "site_id", "site_url", "uri_allow_list", "__provider"}
    assert settings.inputs.keys() == known


def test_the_isolation_check_takes_nothing_that_an_update_of_the_schema_makes_unknown(recorder: Recorder) -> None:
    check = recorder.declared["isolation-check"]
    assert "schema" in check.dependencies
    of_environment = check.request.propertyDependencies["environment"].urns
    assert {name_of(urn) for urn in of_environment} == {"db-password", "endpoints"}


def test_the_owner_comes_in_by_a_mailer_and_to_a_site_that_are_set(recorder: Recorder) -> None:
    assert recorder.declared["owner"].dependencies >= {"settings", "secret-key"}


def test_a_newer_python_declares_the_same_providers(
    recorder: Recorder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", 5)
    newer = run(folder, monkeypatch)
    providers = {name: one.inputs.get("__provider") for name, one in recorder.declared.items()}
    assert {name: one.inputs.get("__provider") for name, one in newer.declared.items()} == providers
    assert sum(each is not None for each in providers.values()) == 6
