"""A project's settings: the real provider process against the emulated Management API."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from components.supabase.settings import RULES, STEERING, SettingsProvider
from local.emulators.supabase import organizations
from tests.conftest import Local
from tests.dynamic_server import DynamicProvider, ProviderError, dynamic_server

SMTP_PASSWORD = "made-up-for-the-mailer"
WRITES = {"POST", "PUT", "PATCH", "DELETE"}
EVERYTHING: dict[str, Any] = {
    "timeout": 20,
    "site_id": "prj_acme",
    "site_url": "https://acme.example",
    "uri_allow_list": "https://acme.example/**",
    "smtp_host": "mail.agency.example",
    "smtp_port": "587",
    "smtp_user": "agency",
    "smtp_admin_email": "no-reply@agency.example",
    "smtp_sender_name": "Acme Outdoor",
    "smtp_generation": 1,
    "legacy_keys": False,
    "data_api_schemas": ["public"],
    "allowed_addresses": ["2001:db8::/32", "203.0.113.0/24"],
    "operator_addresses": ["203.0.113.7/32"],
    "point_in_time_recovery": 7,
    "ipv4": True,
    "ssl_enforcement": True,
}
# Setting -> who changes it by hand: method, path under the project's, body; and what is seen then.
HANDS: dict[str, tuple[str, str, Any, Any]] = {
    "site_url": ("PATCH", "/config/auth", {"site_url": "https://evil.example"}, "https://evil.example"),
    "uri_allow_list": ("PATCH", "/config/auth", {"uri_allow_list": "https://evil.example"}, "https://evil.example"),
    "smtp_host": ("PATCH", "/config/auth", {"smtp_host": "evil.example"}, "evil.example"),
    "smtp_port": ("PATCH", "/config/auth", {"smtp_port": "25"}, "25"),
    "smtp_user": ("PATCH", "/config/auth", {"smtp_user": "evil"}, "evil"),
    "smtp_admin_email": ("PATCH", "/config/auth", {"smtp_admin_email": "a@evil.example"}, "a@evil.example"),
    "smtp_sender_name": ("PATCH", "/config/auth", {"smtp_sender_name": "Evil"}, "Evil"),
    "legacy_keys": ("PUT", "/api-keys/legacy?enabled=true", None, True),
    "data_api_schemas": ("PATCH", "/postgrest", {"db_schema": "public, private"}, ["public", "private"]),
    "allowed_addresses": ("POST", "/network-restrictions/apply", {"dbAllowedCidrs": ["0.0.0.0/0"]}, ["0.0.0.0/0"]),
    "point_in_time_recovery": ("DELETE", "/billing/addons/pitr_7", None, 0),
    "ipv4": ("DELETE", "/billing/addons/ipv4_default", None, False),
    "ssl_enforcement": ("PUT", "/ssl-enforcement", {"requestedConfig": {"database": False}}, False),
}
UNSEEN = {"project_ref", "site_id", "smtp_generation"} | STEERING


@pytest.fixture(scope="module")
def settings(local: Local) -> Iterator[DynamicProvider]:
    with dynamic_server({**local.exports, "SMTP_PASSWORD": SMTP_PASSWORD}) as server:
        yield server.provider(SettingsProvider)


def make_project(local: Local) -> str:
    body = {"name": f"t-{uuid4().hex[:12]}", "organization_slug": "local-agency", "db_pass": "Abcdefghijklmnop"}
    return str(local.supabase("POST", "/v1/projects", json=body | {"desired_instance_size": "small"}).json()["ref"])


@pytest.fixture
def ref(emulators: Local) -> Iterator[str]:
    made = make_project(emulators)
    emulators.requests("supabase")
    yield made
    emulators.supabase("DELETE", f"/v1/projects/{made}")


@pytest.fixture(scope="module")
def shared(local: Local, settings: DynamicProvider) -> dict[str, Any]:
    """A project with every setting, for tests that put back what they change."""
    _, outputs = settings.create({**EVERYTHING, "project_ref": make_project(local)})
    return outputs


def writes(local: Local) -> list[str]:
    """The writes since this was last asked, without the project's path."""
    log = local.requests("supabase")
    return [f"{each['method']} {str(each['path'])[33:]}" for each in log if each["method"] in WRITES]


def test_settings_live_through_their_six_operations(settings: DynamicProvider, ref: str, emulators: Local) -> None:
    wanted = {**EVERYTHING, "project_ref": ref}
    assert settings.check({}, wanted) == []
    identity, outputs = settings.create(wanted)
    assert (identity, outputs) == (ref, wanted)
    assert len(writes(emulators)) == 7
    assert settings.create(wanted) == (ref, wanted)
    assert writes(emulators) == ["PATCH /config/auth"]  # for the password, which nobody can look at
    assert settings.diff(outputs, wanted) == ("DIFF_NONE", [])
    assert settings.read(ref, outputs) == (ref, wanted, wanted)
    assert settings.update(ref, outputs, wanted) == wanted
    assert writes(emulators) == []

    changed = {**wanted, "ssl_enforcement": False, "point_in_time_recovery": 0, "data_api_schemas": []}
    assert settings.diff(outputs, changed) == ("DIFF_UNKNOWN", [])
    assert settings.update(ref, outputs, changed) == changed
    assert writes(emulators) == ["PATCH /postgrest", "DELETE /billing/addons/pitr_7", "PUT /ssl-enforcement"]
    settings.delete(ref, changed)
    assert writes(emulators) == []
    assert settings.read(ref, changed) == (ref, changed, changed)
    emulators.supabase("DELETE", f"/v1/projects/{ref}")
    assert settings.read(ref, changed) == ("", {}, {})


def test_every_setting_that_can_be_seen_has_a_hand_that_changes_it() -> None:
    assert HANDS.keys() == RULES.keys() - UNSEEN


@pytest.mark.parametrize("name", HANDS)
def test_a_setting_changed_by_hand_is_named_and_put_back_alone(
    settings: DynamicProvider, shared: dict[str, Any], emulators: Local, name: str
) -> None:
    method, path, body, seen = HANDS[name]
    ref = shared["project_ref"]
    emulators.supabase(method, f"/v1/projects/{ref}{path}", json=body).raise_for_status()
    _, live, inputs = settings.read(ref, shared)
    assert {key: value for key, value in inputs.items() if value != shared[key]} == {name: seen}
    assert settings.diff(live, shared) == ("DIFF_UNKNOWN", [])
    emulators.requests("supabase")
    settings.update(ref, live, shared)
    assert len(writes(emulators)) == 1
    assert settings.read(ref, shared)[1] == shared


def test_what_is_not_configured_is_neither_read_nor_written(
    settings: DynamicProvider, ref: str, emulators: Local
) -> None:
    few = {
        "project_ref": ref,
        "timeout": 20,
        "site_id": "prj_acme",
        "site_url": "https://a.example",
        "uri_allow_list": "https://a.example/**",
    }
    _, outputs = settings.create(few)
    settings.read(ref, outputs)
    asked = {str(each["path"])[33:] for each in emulators.requests("supabase")}
    assert asked == {"", "/config/auth"}


def test_a_setting_that_is_no_longer_configured_is_forgotten_and_left_as_it_is(
    settings: DynamicProvider, shared: dict[str, Any], emulators: Local
) -> None:
    fewer = {name: value for name, value in shared.items() if name != "ipv4"}
    assert settings.diff(shared, fewer) == ("DIFF_UNKNOWN", [])
    emulators.requests("supabase")
    assert settings.update(shared["project_ref"], shared, fewer) == fewer
    assert writes(emulators) == []
    assert settings.read(shared["project_ref"], shared)[1]["ipv4"] is True


def test_the_mailers_password_reaches_the_service_and_no_state(
    settings: DynamicProvider, shared: dict[str, Any], emulators: Local
) -> None:
    ref = shared["project_ref"]
    hashed = emulators.supabase("GET", f"/v1/projects/{ref}/config/auth").json()["smtp_pass"]
    assert hashed
    emulators.supabase("PATCH", f"/v1/projects/{ref}/config/auth", json={"smtp_pass": "another"}).raise_for_status()
    assert settings.read(ref, shared)[1] == shared  # nobody can see it
    renewed = settings.update(ref, shared, {**shared, "smtp_generation": 2})
    assert emulators.supabase("GET", f"/v1/projects/{ref}/config/auth").json()["smtp_pass"] == hashed
    assert SMTP_PASSWORD not in str(renewed)
    settings.update(ref, renewed, shared)


def test_a_mailer_without_its_password_is_one_line_and_nothing_is_written(
    local: Local, ref: str, emulators: Local
) -> None:
    with dynamic_server({**local.exports, "SMTP_PASSWORD": ""}) as server:
        with pytest.raises(ProviderError, match="SMTP_PASSWORD: is not set") as raised:
            server.provider(SettingsProvider).create({**EVERYTHING, "project_ref": ref})
        assert str(raised.value).count("\n") == 1
    assert writes(emulators) == []


@pytest.mark.parametrize(
    ("allowed", "operators", "refused"),
    [
        (["198.51.100.0/24"], ["203.0.113.7/32"], "must contain 203.0.113.7/32"),
        (["0.0.0.0/0"], ["2001:db8::1/128"], "must contain 2001:db8::1/128"),
        ([], ["203.0.113.7/32"], "'(nobody)': must contain 203.0.113.7/32"),
        (["203.0.113.0/33"], ["203.0.113.7/32"], "must be a network"),
        ("203.0.113.0/24", ["203.0.113.7/32"], "must be a list of networks"),
        (["203.0.113.0/24"], ["203.0.113.7/32"], None),
        (["203.0.113.0/24", "2001:db8::/32"], ["203.0.113.0/28", "2001:db8::/64"], None),
    ],
)
def test_a_network_that_locks_the_operator_out_is_refused_offline(
    settings: DynamicProvider, allowed: Any, operators: Any, refused: str | None
) -> None:
    wanted = {**EVERYTHING, "project_ref": "a" * 20, "allowed_addresses": allowed, "operator_addresses": operators}
    found = settings.check({}, wanted)
    assert len(found) == (refused is not None)
    assert all(reason.startswith("allowed_addresses '") and str(refused) in reason for reason in found)


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"drop": "before"}, {"status": 500}], ids=str)
@pytest.mark.parametrize(
    "name", ["site_url", "legacy_keys", "data_api_schemas", "allowed_addresses", "ipv4", "ssl_enforcement"]
)
def test_a_write_that_goes_wrong_is_looked_after_and_not_done_twice(
    settings: DynamicProvider, shared: dict[str, Any], emulators: Local, name: str, fault: dict[str, Any]
) -> None:
    ref, path = shared["project_ref"], f"/v1/projects/{shared['project_ref']}"
    method, route, body, _ = HANDS[name]
    emulators.supabase(method, f"{path}{route}", json=body).raise_for_status()
    emulators.requests("supabase")
    for each in WRITES:
        emulators.fault("supabase", method=each, path=f"{path}/.*", **fault)
    assert settings.update(ref, shared, shared) == shared
    assert len(writes(emulators)) == (1 if fault.get("drop") == "after" else 2)
    assert settings.read(ref, shared)[1] == shared


def test_an_add_on_that_the_plan_lacks_is_one_line_with_the_services_reason(
    settings: DynamicProvider, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(organizations, "PLAN", "free")
    with pytest.raises(ProviderError, match=r"billing/addons: Supabase answered 402: Upgrade") as raised:
        settings.create({**EVERYTHING, "project_ref": ref})
    assert str(raised.value).count("\n") == 1


def test_a_paused_project_keeps_what_was_recorded_and_takes_no_change(
    settings: DynamicProvider, ref: str, emulators: Local
) -> None:
    few = {
        "project_ref": ref,
        "timeout": 20,
        "site_id": "prj_acme",
        "site_url": "https://a.example",
        "uri_allow_list": "https://a.example/**",
    }
    _, outputs = settings.create(few)
    emulators.supabase("POST", f"/v1/projects/{ref}/pause")
    assert settings.read(ref, outputs) == (ref, few, few)
    with pytest.raises(ProviderError, match=r"the project is INACTIVE\. Set `paused: false`"):
        settings.update(ref, outputs, {**few, "site_url": "https://b.example"})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 99_999) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@hypothesis_settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.sampled_from(sorted(RULES)), VALUES))
def test_whatever_is_given_is_taken_or_refused_by_property(changes: dict[str, Any]) -> None:
    news = {**EVERYTHING, "project_ref": "a" * 20} | changes
    failures = SettingsProvider().check({}, {name: value for name, value in news.items() if value is not None}).failures
    assert all(failure.reason.startswith(failure.property) for failure in failures)
    assert {failure.property for failure in failures} <= RULES.keys()
