"""What the providers refuse and compare without the network, through the real provider process."""

from collections.abc import Iterator
from typing import Any

import pytest

from components.supabase.api_key import ApiKeyProvider
from components.supabase.endpoints import EndpointsProvider
from components.supabase.project import ProjectProvider
from components.supabase.settings import SettingsProvider
from tests.dynamic_server import UNKNOWN, DynamicServer, ProviderError, dynamic_server
from tests.supabase.management import REF, TOKEN

PASSWORD = "Abcdefghijklmnop"
PROJECT = {
    "project_name": "client-acme-prod",
    "organization": "agency",
    "region": "eu-west-2",
    "instance_size": "micro",
    "db_password": PASSWORD,
    "client_id": "acme",
    "paused": False,
    "adopt": False,
    "timeout": 600,
}
SETTINGS = {
    "project_ref": REF,
    "timeout": 600,
    "site_id": "prj_acme",
    "site_url": "https://acme.example",
    "uri_allow_list": "https://acme.example/**",
}
KEY = {"project_ref": REF, "key_name": "stack", "generation": 1}


@pytest.fixture(scope="module")
def server() -> Iterator[DynamicServer]:
    """A provider process without a token: what is checked and compared offline needs none."""
    variables = {"SUPABASE_ACCESS_TOKEN": "", "SUPABASE_MANAGEMENT_TOKEN": "", "SUPABASE_API_URL": "http://127.0.0.1:9"}
    with dynamic_server(variables) as running:
        yield running


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"project_name": ""}, "project_name '': must be one line of 1 to 256 characters"),
        ({"project_name": "x" * 257}, "must be one line of 1 to 256 characters"),
        ({"organization": "my org"}, "organization 'my org': must be an organization's slug"),
        ({"region": "London"}, "region 'London': must be a region code such as eu-west-2"),
        ({"instance_size": "huge"}, "instance_size 'huge': must be a compute size such as micro, small or 2xlarge"),
        ({"db_password": "short"}, "db_password: must be 16 to 128 URL-safe characters"),
        ({"db_password": "with@colon:and/slash"}, "db_password: must be 16 to 128 URL-safe characters"),
        ({"client_id": None}, "client_id is missing: must be the client's id"),
        ({"timeout": 0}, "timeout '0': must be a whole number of seconds, 1 or more"),
        ({"timeout": 1.5}, "timeout '1.5': must be a whole number of seconds, 1 or more"),
        ({"adopt": "yes"}, "adopt 'yes': must be true or false"),
        ({"paused": True}, "paused 'True': must be false until the project exists"),
        ({"unknown_schemas": ["crm"]}, "dataApiSchemas 'crm': neither Supabase nor sql/migrations makes such a schema"),
        ({"needed_variables": "X"}, "needed_variables 'X': must be a list of environment variables"),
    ],
)
def test_a_project_refuses_by_property_value_and_rule(
    server: DynamicServer, change: dict[str, Any], reason: str
) -> None:
    news = {name: value for name, value in {**PROJECT, **change}.items() if value is not None}
    (told,) = server.provider(ProjectProvider).check({}, news)
    assert told.endswith(reason)
    assert "short" not in told
    assert "with@colon" not in told


def test_good_inputs_and_unknown_ones_pass(server: DynamicServer) -> None:
    project = server.provider(ProjectProvider)
    assert project.check({}, PROJECT) == []
    assert project.check({}, {**PROJECT, "db_password": UNKNOWN}) == []
    assert project.check({}, {name: PROJECT[name] for name in PROJECT if name != "instance_size"}) == []
    assert server.provider(ApiKeyProvider).check({}, {**KEY, "project_ref": UNKNOWN}) == []


@pytest.mark.parametrize(("name", "value"), [("region", "eu-west-1"), ("organization", "other")])
def test_a_move_is_refused_and_not_a_replacement(server: DynamicServer, name: str, value: str) -> None:
    project = server.provider(ProjectProvider)
    (reason,) = project.check(PROJECT, {**PROJECT, name: value})
    assert reason == (
        f"{name} '{value}' (was '{PROJECT[name]}') cannot change: make a new client, move the data, destroy the old one"
    )
    assert project.diff({**PROJECT, "ref": REF}, {**PROJECT, name: value})[1] == []


def test_a_project_cannot_shrink_to_nano(server: DynamicServer) -> None:
    (reason,) = server.provider(ProjectProvider).check(PROJECT, {**PROJECT, "instance_size": "nano"})
    assert "cannot shrink" in reason


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "DIFF_NONE"),
        ({"timeout": 60, "adopt": True}, "DIFF_NONE"),
        ({"project_name": "other"}, "DIFF_UNKNOWN"),
        ({"db_password": UNKNOWN}, "DIFF_UNKNOWN"),
        ({"paused": True}, "DIFF_UNKNOWN"),
        ({"instance_size": "small"}, "DIFF_UNKNOWN"),
    ],
)
def test_a_project_differs_only_by_what_the_service_holds(
    server: DynamicServer, change: dict[str, Any], expected: str
) -> None:
    provider = server.provider(ProjectProvider)
    assert provider.diff({**PROJECT, "ref": REF}, {**PROJECT, **change}) == (expected, [])


@pytest.mark.parametrize("change", [{"key_name": ""}, {"key_name": "Stack"}, {"generation": 0}, {"project_ref": "x"}])
def test_a_key_refuses_what_the_service_would(server: DynamicServer, change: dict[str, Any]) -> None:
    (reason,) = server.provider(ApiKeyProvider).check({}, {**KEY, **change})
    assert reason.startswith(next(iter(change)))


def test_a_new_generation_is_a_new_key(server: DynamicServer) -> None:
    provider = server.provider(ApiKeyProvider)
    recorded = {**KEY, "value": "sb_secret_x"}
    assert provider.diff(recorded, KEY) == ("DIFF_NONE", [])
    assert provider.diff(recorded, {**KEY, "generation": 2}) == ("DIFF_UNKNOWN", ["generation"])


def test_a_project_that_a_preview_does_not_know_yet_is_another_project(server: DynamicServer) -> None:
    for provider, inputs in ((ApiKeyProvider, KEY), (EndpointsProvider, {"project_ref": REF, "timeout": 600})):
        changes = server.provider(provider).diff(inputs, {**inputs, "project_ref": UNKNOWN})
        assert changes == ("DIFF_UNKNOWN", ["project_ref"])
        moved = server.provider(provider).diff(inputs, {**inputs, "project_ref": REF[::-1]})
        assert moved == ("DIFF_UNKNOWN", ["project_ref"])


@pytest.mark.parametrize(
    ("recorded", "desired", "changes"),
    [
        ({}, {"site_url": UNKNOWN, "uri_allow_list": UNKNOWN}, "DIFF_NONE"),
        ({}, {"site_url": UNKNOWN, "site_id": UNKNOWN}, "DIFF_UNKNOWN"),
        ({}, {"site_url": UNKNOWN, "site_id": "prj_other"}, "DIFF_UNKNOWN"),
        ({"site_id": None}, {"site_url": UNKNOWN}, "DIFF_UNKNOWN"),  # recorded before there was a site_id
        ({}, {"site_url": "https://other.example"}, "DIFF_UNKNOWN"),
    ],
)
def test_an_address_that_a_preview_does_not_know_is_unchanged_while_the_site_is_the_same(
    server: DynamicServer, recorded: dict[str, Any], desired: dict[str, Any], changes: str
) -> None:
    olds = {name: value for name, value in {**SETTINGS, **recorded}.items() if value is not None}
    assert server.provider(SettingsProvider).diff(olds, {**SETTINGS, **desired}) == (changes, [])


def test_without_a_token_nothing_is_read_or_written(server: DynamicServer) -> None:
    project = server.provider(ProjectProvider)
    recorded = {**PROJECT, "ref": REF}
    for attempt in (
        lambda: project.create(PROJECT),
        lambda: project.read(REF, recorded),
        lambda: project.update(REF, recorded, PROJECT),
        lambda: project.delete(REF, recorded),
    ):
        with pytest.raises(ProviderError, match=r"^OperatorError: SUPABASE_ACCESS_TOKEN: is not set\. .*\n$"):
            attempt()


def test_an_unreachable_api_is_one_line() -> None:
    variables = {"SUPABASE_ACCESS_TOKEN": TOKEN, "SUPABASE_API_URL": "http://127.0.0.1:9"}
    with dynamic_server(variables) as server, pytest.raises(ProviderError) as raised:
        server.provider(ProjectProvider).create(PROJECT)
    assert str(raised.value) == (
        "OperatorError: GET /v1/organizations/agency: no answer from 127.0.0.1 (ConnectError)."
        " Check the network and SUPABASE_API_URL, then run again.\n"
    )


def test_what_steers_a_new_project_is_no_change_of_one_that_exists(server: DynamicServer) -> None:
    project, more = server.provider(ProjectProvider), {"needed_variables": ["X"], "unknown_schemas": ["crm"]}
    assert project.check(PROJECT, {**PROJECT, **more}) == []
    assert project.diff({**PROJECT, "ref": REF}, {**PROJECT, **more}) == ("DIFF_NONE", [])


def test_a_variable_that_a_later_step_needs_is_asked_for_before_anything_is_made(server: DynamicServer) -> None:
    with pytest.raises(ProviderError, match=r"X_NEEDED: is not set\. Nothing was made"):
        server.provider(ProjectProvider).create({**PROJECT, "needed_variables": ["X_NEEDED"]})
