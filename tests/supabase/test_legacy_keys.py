"""Legacy keys: who uses them is told, and they are switched off only when nobody does."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from automation.preflight import supabase as doctor
from automation.preflight.finding import Finding
from common.errors import OperatorError
from components.settings import load_settings
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.legacy_keys import legacy_users
from supabase_management.project_config import apply_settings, live_settings
from tests.conftest import Local

ROOT = Path(__file__).parents[2]
OFF = {"legacy_keys": False}


class Project:
    """A project whose keys a program may use."""

    def __init__(self, local: Local) -> None:
        self.local, self.name = local, f"t-{uuid4().hex[:12]}"
        body = {"name": self.name, "organization_slug": "local-agency", "db_pass": "Abcdefghijklmnop"}
        made = local.supabase("POST", "/v1/projects", json={**body, "region": "eu-west-2"}).json()
        self.ref = str(made["ref"])
        self.client = Client(local.exports["SUPABASE_API_URL"], local.exports["SUPABASE_ACCESS_TOKEN"])

    def ask(self, key: str, agent: str) -> None:
        """A program asks the project's API with one of its keys."""
        keys = self.local.supabase("GET", f"/v1/projects/{self.ref}/api-keys?reveal=true").json()
        (value,) = [each["api_key"] for each in keys if key in (each["id"], each["type"])]
        url = f"{self.local.urls['supabase']}/projects/{self.ref}/auth/v1/health"
        self.local.http.get(url, headers={"apikey": value, "user-agent": agent}).raise_for_status()

    def switch_off(self) -> None:
        apply_settings(self.client, self.ref, OFF, new_mailer=False, timeout=20)

    def examined(self) -> Finding:
        settings = replace(load_settings("acme", ROOT, "local", self.local.exports), project_name=self.name)
        found = {one.name: one for one in doctor.examine(self.client, settings, fresh=None)}
        return found["Supabase legacy keys"]


@pytest.fixture
def project(emulators: Local) -> Iterator[Project]:
    made = Project(emulators)
    with made.client:
        yield made
    emulators.supabase("DELETE", f"/v1/projects/{made.ref}")


def test_keys_that_nobody_uses_are_switched_off(project: Project) -> None:
    project.ask("publishable", "browser")
    assert legacy_users(project.client, project.ref) == []
    assert (project.examined().state, project.examined().remedy) == (
        "warning",
        "`legacyKeys: false` switches them off.",
    )
    project.switch_off()
    assert live_settings(project.client, project.ref, OFF) == OFF
    assert (project.examined().state, project.examined().says) == ("ok", "off")


def test_keys_that_are_used_stay_on_and_their_users_are_named(project: Project) -> None:
    project.ask("anon", "an-old-site/1.0")
    for _ in range(2):
        project.ask("service_role", "n8n/2.41")
    told = "service_role by n8n/2.41 (2), anon by an-old-site/1.0 (1)"
    with pytest.raises(OperatorError, match="are still used") as refusal:
        project.switch_off()
    assert told in str(refusal.value)
    assert told in project.examined().says
    assert live_settings(project.client, project.ref, OFF) == {"legacy_keys": True}


LOG = r"/v1/projects/\w+/analytics/endpoints/logs"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"status": 403, "body": '{"message": "no", "missing_permissions": ["analytics_logs_read"]}'}, "403"),
        ({"status": 410, "body": '{"message": "Gone"}'}, "410"),
        ({"status": 200, "body": '{"error": "Backend error! Retry your query."}'}, "Backend error"),
        ({"status": 200, "body": '{"result": [{"role": "anon"}]}'}, "unexpected shape"),
        ({"status": 200, "body": "[]"}, "unexpected shape"),
    ],
)
def test_a_log_that_cannot_be_asked_is_no_proof_that_nobody_uses_them(
    project: Project, emulators: Local, fault: dict[str, Any], told: str
) -> None:
    answer = {**fault, "headers": {"content-type": "application/json"}}
    for act in (project.switch_off, lambda: legacy_users(project.client, project.ref)):
        emulators.fault("supabase", method="GET", path=LOG, **answer)
        with pytest.raises(ApiError, match=told):
            act()
    emulators.fault("supabase", method="GET", path=LOG, **answer)
    assert project.examined().says.startswith("on; who uses them is not told")
    assert live_settings(project.client, project.ref, OFF) == {"legacy_keys": True}


def test_the_emulator_answers_no_other_query(project: Project) -> None:
    now = {"iso_timestamp_start": "2026-01-01T00:00:00Z", "iso_timestamp_end": "2026-01-01T01:00:00Z"}
    path = f"/v1/projects/{project.ref}/analytics/endpoints/logs"
    assert "ClickHouse" in project.client.transport.get(path, {"sql": "select 1", **now})["error"]
    with pytest.raises(ApiError, match="24 hours"):
        project.client.transport.get(path, {**now, "iso_timestamp_end": "2026-01-03T00:00:00Z"})
