"""The doctor against the emulators: each thing that would stop an `up` is found, in one line, by reading alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from automation.preflight import __main__ as doctor
from automation.preflight.finding import Finding
from components.settings import ClientSettings, load_settings
from tests.conftest import Local

ROOT = Path(__file__).parents[2]
JSON = {"content-type": "application/json"}
Look = Callable[..., dict[str, Finding]]


@pytest.fixture
def settings(emulators: Local, monkeypatch: pytest.MonkeyPatch) -> ClientSettings:
    """A client without a project, in an environment that leads to the emulators."""
    for name, value in emulators.exports.items():
        monkeypatch.setenv(name, value)
    return replace(load_settings("acme", ROOT, "local"), project_name="client-examined-local")


@pytest.fixture
def look(settings: ClientSettings) -> Look:
    """What the doctor finds, by name; settings can be changed."""

    def examined(fresh: bool | None = True, pooler: str | None = None, **changes: Any) -> dict[str, Finding]:
        findings = doctor.examine(replace(settings, **changes), fresh, pooler)
        assert len({one.name for one in findings}) == len(findings)
        assert all("\n" not in one.says + one.remedy for one in findings)
        return {one.name: one for one in findings}

    return examined


def answer(emulators: Local, service: str, path: str, body: Any, status: int = 200, **headers: str) -> None:
    """The next answer of a route."""
    told = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    emulators.fault(service, path=path, method="GET", status=status, headers=told, body=json.dumps(body))


def account(emulators: Local, **switches: Any) -> None:
    emulators.http.patch(f"{emulators.urls['github']}/_account/", json=switches).raise_for_status()


def test_where_all_is_well_each_account_is_told_and_nothing_but_read(emulators: Local, look: Look) -> None:
    for service in emulators.urls:
        emulators.requests(service)
    found = look(pooler=f"127.0.0.1:{emulators.urls['github'].rpartition(':')[2]}")
    assert {one.state for one in found.values()} == {"ok"}, found
    assert list(found) == [
        "Supabase token",
        "Supabase organization",
        "Supabase project",
        "GitHub token",
        "GitHub scopes",
        "GitHub owner",
        "GitHub plan",
        "Vercel token",
        "Vercel GitHub app",
        "Supabase pooler",
    ]
    assert found["Supabase organization"].says == "local-agency, plan pro"
    assert found["Supabase project"].says == "client-examined-local is new, region eu-west-2"
    asked = [entry["method"] for service in emulators.urls for entry in emulators.requests(service)]
    assert set(asked) == {"GET"}


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("SUPABASE_ACCESS_TOKEN", "Supabase token"),
        ("GITHUB_TOKEN", "GitHub token"),
        ("VERCEL_API_TOKEN", "Vercel token"),
    ],
)
@pytest.mark.parametrize("value", ["", "a-token-that-is-no-longer-valid"])
def test_a_token_that_is_missing_or_wrong_is_found_and_not_shown(
    look: Look, monkeypatch: pytest.MonkeyPatch, variable: str, name: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    found = look()
    assert (found[name].state, {one.name for one in found.values() if one.state == "failed"}) == ("failed", {name})
    assert not value or value not in str(found)


@pytest.mark.parametrize(("days", "state"), [(13, "warning"), (15, "ok")])
def test_a_token_that_expires_within_two_weeks_is_a_warning(
    emulators: Local, look: Look, days: int, state: str
) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    told = f"{ends:%Y-%m-%d %H:%M:%S} UTC"
    user = {"login": "local-user"}
    answer(emulators, "github", "/api/v3/user", user, github_authentication_token_expiration=told)
    answer(emulators, "vercel", ".*/user/tokens/current", {"token": {"expiresAt": ends.timestamp() * 1000}})
    found = look()
    assert (found["GitHub token"].state, found["Vercel token"].state) == (state, state)
    assert f"until {ends:%Y-%m-%d}" in found["GitHub token"].says


def test_an_organization_that_the_supabase_token_does_not_see_is_found(look: Look) -> None:
    found = look(organization="elsewhere")
    assert "does not see organization 'elsewhere'" in found["Supabase organization"].says
    assert "Supabase project" not in found


def test_a_region_that_is_not_offered_is_found_with_what_there_is(look: Look) -> None:
    assert "'af-south-1' is not offered" in look(region="af-south-1")["Supabase project"].says
    assert "eu-west-2" in look(region="af-south-1")["Supabase project"].says


@pytest.mark.parametrize(("active", "state"), [(1, "ok"), (2, "failed")])
def test_a_free_plan_that_is_full_is_found(emulators: Local, look: Look, active: int, state: str) -> None:
    answer(emulators, "supabase", r"/v1/organizations/[\w-]+", {"id": "x", "name": "x", "plan": "free"})
    one = {"region": "eu-west-2", "cloud_provider": "AWS", "is_branch": False, "inserted_at": "", "databases": []}
    projects = [{**one, "ref": f"{n:020}", "name": f"p{n}", "status": "ACTIVE_HEALTHY"} for n in range(active)]
    projects.append({**one, "ref": "paused".ljust(20, "x"), "name": "paused", "status": "INACTIVE"})
    listed = {"projects": projects, "pagination": {"count": len(projects), "limit": 100, "offset": 0}}
    answer(emulators, "supabase", r"/v1/organizations/[\w-]+/projects", listed)
    found = look()["Supabase organization"]
    assert (found.state, f"{active} of 2 active projects" in found.says) == (state, True)


def test_a_foreign_project_of_that_name_is_found_and_one_that_may_be_ours_is_not(emulators: Local, look: Look) -> None:
    body = {"name": "client-taken-local", "organization_slug": "local-agency", "db_pass": "somebody-elses-password"}
    assert emulators.supabase("POST", "/v1/projects", json={**body, "region": "eu-west-2"}).status_code == 201
    name = "client-taken-local"
    assert "nothing proves that it is ours" in look(project_name=name)["Supabase project"].says
    assert look(False, project_name=name)["Supabase project"].state == "ok"
    assert look(project_name=name, adopt=True)["Supabase project"].state == "ok"
    assert "exists in region eu-west-2" in look(project_name=name, region="eu-west-1")["Supabase project"].says
    assert "Supabase project" not in look(None, project_name=name)


def test_an_owner_that_the_github_token_does_not_see_is_found(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_OWNER", "another-agency")
    found = look()
    assert found["GitHub owner"].says == "the token does not see an organization 'another-agency' (404)"
    assert found["Vercel GitHub app"].state == "warning"


def test_what_the_github_plan_and_the_tokens_scopes_lack_is_found(emulators: Local, look: Look) -> None:
    account(emulators, plan="free", scopes=["repo"])
    try:
        found = look(ruleset=True, archive_on_destroy=False)
        assert (found["GitHub scopes"].state, found["GitHub scopes"].says) == ("failed", "lacks delete_repo, workflow")
        assert (found["GitHub plan"].state, "ruleset: false" in found["GitHub plan"].remedy) == ("failed", True)
        assert look(ruleset=False)["GitHub plan"].state == "ok"
    finally:
        account(emulators, plan="team", scopes=["repo", "workflow", "delete_repo", "read:org"])


def test_a_template_that_cannot_be_used_is_found(emulators: Local, look: Look) -> None:
    assert look(repository_template="local-agency/none")["GitHub template"].state == "failed"
    answer(emulators, "github", ".*/repos/local-agency/plain", {"is_template": False})
    assert "is not a template" in look(repository_template="local-agency/plain")["GitHub template"].says
    answer(emulators, "github", ".*/repos/local-agency/good", {"is_template": True})
    assert look(repository_template="local-agency/good")["GitHub template"].state == "ok"


def test_a_vercel_team_that_the_token_does_not_see_is_found(look: Look) -> None:
    assert look(vercel_team="team_local")["Vercel team"].says == "local-agency"
    assert look(vercel_team="team_other")["Vercel team"].state == "failed"


def test_a_pooler_that_takes_no_connections_is_found(look: Look) -> None:
    assert look(pooler="127.0.0.1:9")["Supabase pooler"].state == "failed"


def test_a_service_that_does_not_answer_is_found(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_BASE_URL", "http://127.0.0.1:9")
    assert look()["GitHub"].says == "does not answer (ConnectError)"


def test_the_command_prints_findings_as_json_even_for_wrong_settings(emulators: Local, tmp_path: Path) -> None:
    def run(folder: Path) -> list[Mapping[str, str]]:
        variables = {**os.environ, **emulators.exports, "CLIENT_ENVIRONMENT": "local", "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "automation.preflight", "acme"]
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=True)
        found: list[Mapping[str, str]] = json.loads(done.stdout)
        return found

    assert {one["state"] for one in run(ROOT)} == {"ok"}
    (refused,) = run(tmp_path)
    assert (refused["name"], refused["state"]) == ("settings", "failed")
