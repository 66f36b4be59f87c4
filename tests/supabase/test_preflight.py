"""What a new client would be refused for is known before anything of it is created."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.errors import OperatorError
from components.settings import ClientSettings, load_settings
from components.supabase.client import Client
from components.supabase.preflight import preflight
from tests.conftest import Local

ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(emulators: Local) -> Iterator[Client]:
    with Client(emulators.exports["SUPABASE_API_URL"], emulators.exports["SUPABASE_ACCESS_TOKEN"]) as opened:
        yield opened


@pytest.fixture
def settings(emulators: Local) -> ClientSettings:
    return load_settings("acme", ROOT, "local", emulators.exports)


def test_a_new_client_is_told_where_it_will_be_and_on_which_plan(client: Client, settings: ClientSettings) -> None:
    fresh = dataclasses.replace(settings, project_name="client-fresh-local")
    assert preflight(client, fresh, fresh=True) == (
        "Supabase: organization local-agency (plan pro), region eu-west-2, project client-fresh-local is new"
    )


def test_a_region_that_is_not_offered_is_refused_with_what_there_is(client: Client, settings: ClientSettings) -> None:
    africa = dataclasses.replace(settings, project_name="client-africa-local", region="af-south-1")
    with pytest.raises(OperatorError, match=r"'af-south-1' is not offered .*; there is .*eu-west-2.* Change `region`"):
        preflight(client, africa, fresh=True)


def test_an_organization_the_token_does_not_see_is_refused(client: Client, settings: ClientSettings) -> None:
    with pytest.raises(OperatorError, match="does not see organization 'elsewhere'"):
        preflight(client, dataclasses.replace(settings, organization="elsewhere"), fresh=True)


def test_the_command_asks_nothing_but_reads_and_fails_in_one_line(emulators: Local) -> None:
    emulators.requests("supabase")
    variables = {**os.environ, **emulators.exports, "CLIENT_ENVIRONMENT": "local"}
    command = [sys.executable, "-m", "components.supabase.preflight", "acme"]
    passed = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert passed.returncode == 0, passed.stderr
    assert {entry["method"] for entry in emulators.requests("supabase")} == {"GET"}
    variables["SUPABASE_ACCESS_TOKEN"] = "sbp_wrong"
    refused = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "sbp_wrong" not in refused.stderr


def test_a_project_of_that_name_that_is_not_ours_is_refused_while_nothing_exists(
    emulators: Local, client: Client, settings: ClientSettings
) -> None:
    taken = dataclasses.replace(settings, project_name="client-taken-local")
    body = {"name": taken.project_name, "organization_slug": "local-agency", "db_pass": "somebody-elses-password"}
    body["region"] = "eu-west-2"
    assert emulators.supabase("POST", "/v1/projects", json=body).status_code == 201
    with pytest.raises(OperatorError, match=r"nothing proves that it is ours.*adopt: true"):
        preflight(client, taken, fresh=True)
    assert preflight(client, taken, fresh=False).endswith("exists")
    assert preflight(client, dataclasses.replace(taken, adopt=True), fresh=True).endswith("exists")
    with pytest.raises(OperatorError, match="exists in region eu-west-2, not in eu-west-1"):
        preflight(client, dataclasses.replace(taken, region="eu-west-1"), fresh=True)
