"""The wiring of one client, by Pulumi's mocks: names, parents, protection, secrets, dependencies. No provider runs."""

import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from components.program import declare

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
}
ROLES = {
    "db-password",
    "project",
    "endpoints",
    "secret-key",
    "schema",
    "isolation-check",
    "repository",
    "ruleset",
    "site",
}

COMPUTED: dict[str, dict[str, Any]] = {
    "db-password": {"result": "made-up-password"},
    "project": {"ref": "abcdefghijklmnopqrst"},
    "endpoints": {"api_url": "https://abcdefghijklmnopqrst.supabase.co", "publishable_key": "sb_publishable_made_up"},
    "secret-key": {"value": "made-up-key"},
    "schema": {"version": "20260101000000", "dsn": "postgresql://u@h:5432/d", "applied_at": "2026-01-01T00:00:00"},
    "repository": {"fullName": "agency/client-acme-prod", "htmlUrl": "https://github.com/agency/client-acme-prod"},
}


class Answers(mocks.Mocks):
    """Answers each registration with its inputs, and with a made-up value where a provider would compute one."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **COMPUTED.get(args.name, {})}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program asks a provider while declaring: {args.token}")


class Recorder(mocks.MockMonitor):
    """Pulumi's mock monitor, keeping every request as the engine would get it."""

    def __init__(self) -> None:
        super().__init__(Answers())
        self.requests: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        self.requests[request.name] = request
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.outputs[request.urn.split("::")[-1]] = request.outputs
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]

    def dependencies(self, name: str) -> set[str]:
        return {urn.split("::")[-1] for urn in self.requests[name].dependencies}


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, stack: str = "acme") -> Recorder:
    """Run the program of the repository on the settings files of a folder."""
    monkeypatch.setenv("SUPABASE_ORG_SLUG", "agency")
    monkeypatch.chdir(folder)
    recorder = Recorder()
    mocks.set_mocks(recorder.mocks, project="client-environments", stack=stack, preview=False, monitor=recorder)
    mocks.test(declare)()  # type: ignore[no-untyped-call]
    return recorder


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


def test_children_are_named_after_their_role_and_belong_to_the_client(recorder: Recorder) -> None:
    assert recorder.requests.keys() >= ROLES
    parents = {name: request.parent.split("::")[-1] for name, request in recorder.requests.items()}
    assert {parent for name, parent in parents.items() if name in ROLES} == {"client"}


def test_the_stack_outputs_are_the_contracts(recorder: Recorder) -> None:
    assert set(recorder.outputs["client"]) == STACK_OUTPUTS


def test_what_a_provider_computes_and_nobody_may_read_is_secret(recorder: Recorder) -> None:
    secret = {name: set(request.additionalSecretOutputs) for name, request in recorder.requests.items()}
    assert secret["secret-key"] == {"value"}
    assert secret["endpoints"] == {"legacy_anon_key", "legacy_service_role_key"}
    assert "result" in secret["db-password"]


def test_only_project_repository_and_site_are_protected(recorder: Recorder) -> None:
    protected = {name for name, request in recorder.requests.items() if request.protect}
    assert protected == {"project", "repository", "site"}


def test_the_schema_waits_for_the_database_and_not_for_the_api(recorder: Recorder) -> None:
    assert recorder.dependencies("schema") == {"project", "db-password"}
    assert "schema" not in recorder.dependencies("endpoints")


def test_the_repository_waits_for_nothing(recorder: Recorder) -> None:
    assert recorder.dependencies("repository") == set()


def test_the_schema_is_not_deleted_one_by_one_when_the_project_goes(recorder: Recorder) -> None:
    assert recorder.requests["schema"].deletedWith.endswith("::project")


def test_one_changed_line_of_the_environment_reaches_the_client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = run(folder, monkeypatch).requests["project"].object["region"]
    path = folder / "Pulumi.prod.yaml"
    path.write_text(path.read_text().replace("region: eu-west-2", "region: eu-central-1"))
    assert (before, run(folder, monkeypatch).requests["project"].object["region"]) == ("eu-west-2", "eu-central-1")


def test_wrong_settings_end_the_program_in_one_line_before_anything_is_declared(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text(path.read_text().replace("tier: starter", "tier: platinum"))
    with pytest.raises(pulumi.RunError, match=r"^Pulumi\.acme\.yaml: tier 'platinum' must be one of"):
        run(folder, monkeypatch)
