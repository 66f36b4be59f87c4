"""Every declared setting has a row, and what a plan, an account or the environment lacks fails there."""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from automation.preflight import declared
from automation.preflight.finding import Finding
from components.offline_checks import unknown_schemas
from components.project_settings import Mailer, ServiceSettings
from components.settings import EVERY_SETTING, PROJECT, ClientSettings, declared_settings, load_settings
from local.emulators.supabase import organizations
from tests.automation.test_orphans import Accounts
from tests.conftest import Local
from tests.supabase.management import contract_faults

ROOT = Path(__file__).parents[2]
MAILER = Mailer("mail.agency.example", 587, "agency-login", "no-reply@agency.example", 1)
EVERYTHING = ServiceSettings(
    mailer=MAILER,
    allowed_addresses=("127.0.0.0/8",),
    operator_addresses=("127.0.0.1/32",),
    ssl_enforcement=True,
    data_api_schemas=("public", "storage"),
    point_in_time_recovery=7,
    ipv4=True,
    legacy_keys=False,
)
Row = Callable[..., Finding]


@pytest.fixture
def settings(emulators: Local, monkeypatch: pytest.MonkeyPatch) -> ClientSettings:
    for name, value in emulators.exports.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SMTP_PASSWORD", "made-up")
    found = load_settings("acme", ROOT, "local")
    return replace(found, project_name=f"client-{uuid4().hex[:8]}-local", service=EVERYTHING, instance_size="small")


@pytest.fixture
def row(settings: ClientSettings) -> Row:
    """The row of one setting; settings, or those of the service, can be changed."""

    def found(name: str, fresh: bool | None = True, **changes: Any) -> Finding:
        own = {each.name for each in fields(ServiceSettings)}
        service = replace(settings.service, **{key: value for key, value in changes.items() if key in own})
        rest = {key: value for key, value in changes.items() if key not in own}
        (only,) = declared.examine(replace(settings, service=service, **rest), fresh, [name], [])
        assert only.name == f"setting {name}"
        return only

    return found


def test_every_setting_of_the_model_has_a_row() -> None:
    assert declared.ROWS.keys() == EVERY_SETTING


def test_the_declared_settings_are_those_of_the_files_with_where_they_stand(tmp_path: Path) -> None:
    own = {"clientId": "acme", "clientName": "A", "orgEmail": "o@a.example", "tier": "starter", "domain": "a.example"}
    write(tmp_path / "Pulumi.acme.yaml", own)
    mailer = {"host": "h.example", "user": "u", "sender": "s@a.example"}
    tiers = {"starter": {"instanceSize": "small", "ipv4": "true"}, "scale": {"pointInTimeRecovery": "7"}}
    write(tmp_path / "Pulumi.prod.yaml", {"organization": "agency", "tiers": tiers, "mailer": mailer})
    found = declared_settings(load_settings("acme", tmp_path, "prod", {}), tmp_path)
    inside = ["mailer", "mailer.host", "mailer.sender", "mailer.user", "tiers", "tiers.instanceSize", "tiers.ipv4"]
    assert found == sorted([*own, "organization", *inside])


def write(path: Path, config: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump({"config": {f"{PROJECT}:{key}": value for key, value in config.items()}}))


def test_where_all_is_well_every_row_says_so_without_an_address_or_a_login(settings: ClientSettings) -> None:
    known = ("Supabase project", "Supabase organization", "GitHub template", "GitHub plan", "GitHub token")
    accounts = [Finding(name, "ok") for name in (*known, "Vercel team")]
    found = declared.examine(replace(settings, domain="www.a.example"), True, sorted(EVERY_SETTING), accounts)
    assert {one.name: one.says for one in found if one.state != "ok"} == {}
    told = " ".join(one.says for one in found)
    assert "@" not in told
    assert "agency-login" not in told


@pytest.mark.parametrize("name", ["organization", "ruleset", "vercelTeam", "repositoryTemplate", "region", "adopt"])
def test_what_another_row_could_not_look_at_is_no_success(row: Row, name: str) -> None:
    assert (row(name).state, "not looked at" in row(name).says) == ("warning", True)


@pytest.mark.parametrize(("fresh", "state"), [(True, "failed"), (False, "failed"), (None, "warning")])
def test_a_mailer_without_its_password_stops_a_new_client(
    row: Row, monkeypatch: pytest.MonkeyPatch, fresh: bool | None, state: str
) -> None:
    monkeypatch.delenv("SMTP_PASSWORD")
    assert (row("mailer", fresh).state, row("mailer", fresh).says) == (state, "SMTP_PASSWORD is not set")


@pytest.mark.parametrize(("fresh", "state"), [(True, "failed"), (None, "warning")])
def test_a_schema_that_nothing_makes_stops_a_new_client(row: Row, fresh: bool | None, state: str) -> None:
    found = row("dataApiSchemas", fresh, data_api_schemas=("public", "crm", "private"))
    assert (found.state, found.says.endswith("neither Supabase nor sql/migrations makes crm")) == (state, True)


def test_a_schema_counts_when_supabase_or_a_migration_makes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 'create schema if not exists "Odd ""one"; CREATE SCHEMA Plain; create schema authorization postgres;'
    made += "-- create schema remark\ncomment on schema plain is 'create schema said';"
    made += "do $$ begin create schema body; end $$"
    migration = type("M", (), {"statements": [type("S", (), {"text": made})]})
    monkeypatch.setattr("components.offline_checks.read_migrations", lambda: [migration])
    known, unknown = ("graphql_public", 'Odd "one', "plain", "body"), ("Plain", "authorization", "postgres")
    wanted = (*known, *unknown, "remark", "said")
    assert unknown_schemas(replace(EVERYTHING, data_api_schemas=wanted)) == [*unknown, "remark", "said"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("tiers.instanceSize", {"instance_size": "micro"}),
        ("tiers.pointInTimeRecovery", {}),
        ("tiers.ipv4", {}),
    ],
)
def test_what_the_plan_lacks_is_found(
    row: Row, monkeypatch: pytest.MonkeyPatch, name: str, changes: dict[str, Any]
) -> None:
    assert row(name, **changes).state == "ok"
    monkeypatch.setattr(organizations, "PLAN", "free")
    assert row(name, **changes).state == "failed"


def test_a_plan_that_is_not_told_is_no_success(emulators: Local, row: Row) -> None:
    path = "/v1/organizations/local-agency/entitlements"
    for status in (403, 404):
        emulators.fault("supabase", path=path, method="GET", status=status)
        found = row("tiers.ipv4")
        assert (found.state, found.says.startswith("cannot tell: ")) == ("warning", True)
    emulators.fault("supabase", path=path, method="GET", status=200, body='{"entitlements": []}')
    assert row("tiers.instanceSize").state == "warning"


def test_a_domain_of_another_site_and_a_name_that_is_taken_are_found(
    emulators: Local, settings: ClientSettings, row: Row
) -> None:
    accounts, domain = Accounts(emulators), f"www.{uuid4().hex[:8]}.example"
    other = f"another-{uuid4().hex[:8]}"
    accounts.site(other)
    url = f"{emulators.urls['vercel']}/v10/projects/{other}/domains"
    headers = {"Authorization": f"Bearer {emulators.exports['VERCEL_API_TOKEN']}"}
    emulators.http.post(url, json={"name": domain}, headers=headers).raise_for_status()
    found = row("domain", domain=domain)
    assert (found.state, found.says) == ("failed", f"{domain} belongs to the Vercel project {other}")
    assert row("domain", domain=domain, project_name=other).state == "ok"

    assert row("projectName").state == "ok"
    accounts.repository(settings.project_name, "Somebody's own")
    accounts.site(settings.project_name)
    found = row("projectName")
    assert (found.state, "GitHub repository" in found.says, "Vercel project" in found.says) == ("failed", True, True)
    assert row("projectName", False).state == "ok"


def test_a_name_that_the_token_may_not_see_is_not_called_free(emulators: Local, row: Row) -> None:
    switch = f"{emulators.urls['github']}/_account"
    emulators.http.patch(switch, json={"scopes": None}).raise_for_status()
    try:
        found = row("projectName")
    finally:
        every = ["repo", "workflow", "delete_repo", "read:org"]
        emulators.http.patch(switch, json={"scopes": every}).raise_for_status()
    assert (found.state, found.says.startswith("cannot tell whether ")) == ("warning", True)


def test_a_repository_that_is_described_as_the_clients_is_not_taken_by_somebody(
    emulators: Local, settings: ClientSettings, row: Row
) -> None:
    accounts = Accounts(emulators)
    accounts.repository(settings.project_name, f"Site of {settings.client_name}")
    accounts.site(settings.project_name, settings.project_name)
    assert row("projectName").state == "ok"


def test_a_client_that_is_paused_before_it_exists_is_refused(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    assert row("paused", True, paused=True).state == "failed"
    assert row("paused", None, paused=True).state == "ok"
    monkeypatch.setattr(organizations, "PAUSABLE", False)
    assert row("paused", None, paused=True).state == "failed"


def test_the_emulators_entitlements_are_as_the_contract_says(emulators: Local) -> None:
    path = "/v1/organizations/local-agency/entitlements"
    answer = emulators.supabase("GET", path)
    assert contract_faults("GET", path, b"", answer.status_code, answer.content) == []
