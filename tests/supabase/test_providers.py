"""The six operations of each provider: the real provider process against the emulated Management API and Postgres."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import stamina

from components.supabase.api_key import ApiKeyProvider
from components.supabase.endpoints import EndpointsProvider
from components.supabase.pause import PauseProvider
from components.supabase.project import ProjectProvider
from supabase_management.client import Client
from supabase_management.models import OwnershipMark
from supabase_management.pooler import DatabaseAddress, Login, connect, find_address, login, wait_for_database
from supabase_management.project_lifecycle import CHANGED_BY_HAND
from tests.conftest import Local
from tests.dynamic_server import DynamicProvider, DynamicServer, ProviderError, dynamic_server

HALF = {"status": 201, "body": '{"id": "', "drop": "after"}
PASSWORD, OTHER = "Abcdefghijklmnop", "Zyxwvutsrqponmlk"


@pytest.fixture(scope="module")
def server(local: Local) -> Iterator[DynamicServer]:
    with dynamic_server(local.exports) as running:
        yield running


@pytest.fixture
def project(server: DynamicServer) -> DynamicProvider:
    return server.provider(ProjectProvider)


@pytest.fixture
def client(emulators: Local) -> Iterator[Client]:
    with Client(emulators.urls["supabase"], emulators.exports["SUPABASE_ACCESS_TOKEN"]) as session:
        yield session


@pytest.fixture
def wanted(emulators: Local) -> dict[str, Any]:
    """Inputs of a project of a name of its own."""
    return {
        "project_name": f"client-{uuid4().hex[:12]}-test",
        "organization": emulators.exports["SUPABASE_ORG_SLUG"],
        "region": "eu-west-2",
        "instance_size": "micro",
        "db_password": PASSWORD,
        "client_id": "acme",
        "paused": False,
        "adopt": False,
        "timeout": 30,
    }


def create_by_hand(client: Client, wanted: dict[str, Any], password: str) -> str:
    return client.create_project(
        name=wanted["project_name"],
        organization=wanted["organization"],
        region=wanted["region"],
        password=password,
        instance_size="micro",
    ).ref


def address(client: Client, ref: str) -> DatabaseAddress:
    found = find_address(client, ref)
    assert found
    return found


def test_a_project_lives_through_its_six_operations(
    project: DynamicProvider, wanted: dict[str, Any], client: Client
) -> None:
    assert project.check({}, wanted) == []
    ref, outputs = project.create(wanted)
    assert outputs == {**wanted, "ref": ref}
    assert project.diff(outputs, wanted) == ("DIFF_NONE", [])
    assert project.read(ref, outputs) == (ref, outputs, wanted)

    changed = {**wanted, "project_name": f"{wanted['project_name']}-2", "db_password": OTHER, "instance_size": "small"}
    assert project.diff(outputs, changed) == ("DIFF_UNKNOWN", [])
    updated = project.update(ref, outputs, changed)
    assert updated == {**changed, "ref": ref}
    assert client.project(ref).name == changed["project_name"]
    assert client.instance_size(ref) == "small"
    assert login(address(client, ref), OTHER) is Login.ACCEPTED
    assert login(address(client, ref), PASSWORD) is Login.REFUSED
    assert project.read(ref, updated) == (ref, updated, changed)

    project.delete(ref, updated)
    assert project.read(ref, updated) == ("", {}, {})
    project.delete(ref, updated)


def test_a_temporary_login_acts_as_the_owner_and_changes_no_password(
    wanted: dict[str, Any], client: Client, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in local.exports.items():
        monkeypatch.setenv(name, value)
    ref = create_by_hand(client, wanted, PASSWORD)
    with connect(address(client, ref), PASSWORD) as owner:
        me = owner.execute("select current_user").fetchone()
    lost = wait_for_database(client, ref, OTHER, timeout=30)
    with connect(lost, OTHER) as session:
        session.rollback()
        assert session.execute("select current_user").fetchone() == me
        session.execute("create table public.made ()")
    # Another process asks: the password at hand no longer works, and connecting asks anew.
    client.temporary_login(ref)
    with stamina.set_testing(True, attempts=4), connect(lost, OTHER, autocommit=True) as session:
        assert session.execute("select current_user").fetchone() == me
    assert login(address(client, ref), PASSWORD) is Login.ACCEPTED


def test_a_create_that_lost_its_id_finds_its_project_again(project: DynamicProvider, wanted: dict[str, Any]) -> None:
    assert project.create(wanted)[0] == project.create(wanted)[0]


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"drop": "before"}, {"status": 503}, HALF])
def test_an_interrupted_create_is_continued_and_never_doubled(
    project: DynamicProvider, wanted: dict[str, Any], emulators: Local, client: Client, fault: dict[str, Any]
) -> None:
    emulators.fault("supabase", method="POST", path="/v1/projects", **fault)
    try:
        first = project.create(wanted)[0]
    except ProviderError:
        first = project.create(wanted)[0]
    listed = client.projects(wanted["organization"], wanted["project_name"])
    assert [found.ref for found in listed] == [first]


def test_a_change_by_hand_comes_back_as_an_input(
    project: DynamicProvider, wanted: dict[str, Any], client: Client
) -> None:
    ref, outputs = project.create(wanted)
    client.rename_project(ref, f"{wanted['project_name']}-hand")
    client.set_instance_size(ref, "large")
    client.set_password(ref, OTHER)
    drift = {
        "project_name": f"{wanted['project_name']}-hand",
        "instance_size": "large",
        "db_password": CHANGED_BY_HAND,
    }
    _, live, inputs = project.read(ref, outputs)
    assert inputs == wanted | drift
    assert live == outputs | drift
    assert project.diff(live, wanted) == ("DIFF_UNKNOWN", [])
    assert project.update(ref, live, wanted) == outputs
    assert project.read(ref, outputs) == (ref, outputs, wanted)


def test_a_project_is_paused_by_a_resource_of_its_own_and_restored_in_place(
    server: DynamicServer, project: DynamicProvider, wanted: dict[str, Any], client: Client
) -> None:
    ref, outputs = project.create(wanted)
    meant = project.update(ref, outputs, {**wanted, "paused": True})
    assert meant == {**outputs, "paused": True}
    assert client.project(ref).status == "ACTIVE_HEALTHY"
    pause, inputs = server.provider(PauseProvider), {"project_ref": ref, "timeout": 30}
    assert pause.read(ref, inputs) == ("", {}, {})
    assert (pause.create(inputs), pause.create(inputs)) == ((ref, inputs), (ref, inputs))
    assert client.project(ref).status == "INACTIVE"
    assert pause.read(ref, inputs) == (ref, inputs, inputs)
    assert pause.diff(inputs, {**inputs, "timeout": 60}) == ("DIFF_NONE", [])
    assert project.read(ref, meant)[1] == meant
    assert project.update(ref, meant, wanted) == outputs
    pause.delete(ref, inputs)
    assert login(address(client, ref), PASSWORD) is Login.ACCEPTED


def test_the_key_of_a_paused_project_stays_as_recorded_and_that_of_a_deleted_one_is_gone(
    server: DynamicServer, wanted: dict[str, Any], client: Client, emulators: Local
) -> None:
    keys, ref = server.provider(ApiKeyProvider), create_by_hand(client, wanted, PASSWORD)
    inputs = {"project_ref": ref, "key_name": "stack", "generation": 1}
    made, outputs = keys.create(inputs)
    client.pause_project(ref)
    # What the service says about the keys of a paused project is not known: it is not asked.
    emulators.fault("supabase", method="GET", path=f"/v1/projects/{ref}/api-keys", status=404)
    assert keys.read(made, outputs) == (made, outputs, inputs)
    client.delete_project(ref)
    assert keys.read(made, outputs) == ("", {}, {})


def test_a_foreign_project_is_refused_untouched_and_adopted_when_told(
    project: DynamicProvider, wanted: dict[str, Any], client: Client
) -> None:
    ref = create_by_hand(client, wanted, OTHER)
    with pytest.raises(ProviderError) as raised:
        project.create(wanted)
    assert "nothing proves that it is ours" in str(raised.value)
    assert "`adopt: true` in Pulumi.acme.yaml" in str(raised.value)
    assert str(raised.value).count("\n") == 1
    assert login(address(client, ref), OTHER) is Login.ACCEPTED
    adopted = {**wanted, "adopt": True}
    assert project.create(adopted) == (ref, {**adopted, "ref": ref})
    assert login(address(client, ref), PASSWORD) is Login.ACCEPTED


def test_the_mark_is_read_through_the_api(wanted: dict[str, Any], client: Client) -> None:
    ref = create_by_hand(client, wanted, PASSWORD)
    assert client.ownership_mark(ref) is None
    with connect(address(client, ref), PASSWORD) as database:
        database.execute("create schema private")
        assert client.ownership_mark(ref) is None
        database.execute("create table private.environment_mark (client_id text, project_name text)")
        database.commit()
        assert client.ownership_mark(ref) is None
        database.execute("insert into private.environment_mark values ('acme', 'client-acme-prod')")
        database.commit()
    assert client.ownership_mark(ref) == OwnershipMark("acme", "client-acme-prod")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"organization": "elsewhere"}, "organization: the access token does not see organization 'elsewhere'"),
        ({"region": "af-south-1"}, "region: 'af-south-1' is not offered to organization"),
    ],
)
def test_what_the_service_does_not_offer_is_refused_before_anything_is_made(
    project: DynamicProvider, wanted: dict[str, Any], client: Client, change: dict[str, str], message: str
) -> None:
    with pytest.raises(ProviderError) as raised:
        project.create(wanted | change)
    assert str(raised.value).startswith(f"OperatorError: {message}")
    assert str(raised.value).count("\n") == 1
    assert client.projects(wanted["organization"], wanted["project_name"]) == []


def test_a_wrong_token_is_one_line_without_the_token(wanted: dict[str, Any], local: Local) -> None:
    wrong = "sbp_" + "1" * 40
    with (
        dynamic_server({**local.exports, "SUPABASE_ACCESS_TOKEN": wrong}) as server,
        pytest.raises(ProviderError, match="Check SUPABASE_ACCESS_TOKEN: it is wrong, expired or revoked") as raised,
    ):
        server.provider(ProjectProvider).create(wanted)
    assert wrong not in str(raised.value)
    assert str(raised.value).count("\n") == 1
    assert "ApiError" not in str(raised.value)


def test_endpoints_tell_where_the_project_answers(
    server: DynamicServer, wanted: dict[str, Any], client: Client, emulators: Local
) -> None:
    endpoints, ref = server.provider(EndpointsProvider), create_by_hand(client, wanted, PASSWORD)
    inputs = {"project_ref": ref, "timeout": 30}
    assert endpoints.check({}, inputs) == []
    identity, outputs = endpoints.create(inputs)
    keys = {(key.type, key.name): key.api_key for key in client.keys(ref)}
    assert identity == ref
    assert outputs == inputs | {
        "api_url": f"{emulators.urls['supabase']}/projects/{ref}",
        "publishable_key": keys["publishable", "default"],
        "session_dsn": address(client, ref).dsn,
        "transaction_dsn": address(client, ref).transaction_dsn,
        "legacy_anon_key": keys["legacy", "anon"],
        "legacy_service_role_key": keys["legacy", "service_role"],
        "plan": client.organization(wanted["organization"]).plan,
    }
    with psycopg.connect(outputs["session_dsn"], password=PASSWORD) as database:
        assert database.execute("select current_database()").fetchone() == (ref,)
    assert endpoints.read(ref, outputs) == (ref, outputs, inputs)
    assert endpoints.update(ref, outputs, inputs) == outputs
    emulators.supabase("PUT", f"/v1/projects/{ref}/api-keys/legacy?enabled=false").raise_for_status()
    assert endpoints.read(ref, outputs)[1]["legacy_anon_key"] == ""
    endpoints.delete(ref, outputs)
    client.delete_project(ref)
    assert endpoints.read(ref, outputs) == ("", {}, {})


def test_endpoints_of_a_project_that_failed_are_an_error_at_once(
    server: DynamicServer, wanted: dict[str, Any], client: Client, emulators: Local
) -> None:
    ref = create_by_hand(client, wanted, PASSWORD)
    body = f'{{"ref": "{ref}", "name": "n", "region": "eu-west-2", "status": "INIT_FAILED"}}'
    emulators.fault("supabase", path=f"/v1/projects/{ref}", status=200, body=body)
    with pytest.raises(ProviderError, match=f"project {ref}: the project is INIT_FAILED"):
        server.provider(EndpointsProvider).create({"project_ref": ref, "timeout": 600})


def test_a_key_lives_through_its_six_operations(server: DynamicServer, wanted: dict[str, Any], client: Client) -> None:
    keys, ref = server.provider(ApiKeyProvider), create_by_hand(client, wanted, PASSWORD)
    inputs = {"project_ref": ref, "key_name": "stack", "generation": 1}
    assert keys.check({}, inputs) == []
    first, outputs = keys.create(inputs)
    (made,) = [key for key in client.keys(ref) if key.name == "stack_g1"]
    assert (first, outputs["value"]) == (made.id, made.api_key)
    assert keys.create(inputs) == (first, outputs)
    assert keys.read(first, outputs) == (first, outputs, inputs)
    assert keys.update(first, outputs, inputs) == outputs

    route = f"/v1/projects/{ref}/api-keys/{first}"
    for name, seen in {"stack_g7": {"generation": 7}, "theirs": {"key_name": "theirs"}}.items():
        client.transport.write("PATCH", route, {"name": name})
        assert keys.read(first, outputs) == (first, outputs | seen, inputs | seen)
    client.transport.write("PATCH", route, {"name": "stack_g1"})

    following = {**inputs, "generation": 2}
    assert keys.diff(outputs, following, first) == ("DIFF_UNKNOWN", ["generation"])
    second, rotated = keys.create(following)
    assert rotated["value"] != outputs["value"]
    keys.delete(first, outputs)
    assert keys.read(first, outputs) == ("", {}, {})
    assert keys.read(second, rotated) == (second, rotated, following)
    keys.delete(first, outputs)
    client.delete_project(ref)
    assert keys.read(second, rotated) == ("", {}, {})
    keys.delete(second, rotated)


def test_a_key_whose_answer_is_lost_is_found_and_not_doubled(
    server: DynamicServer, wanted: dict[str, Any], client: Client, emulators: Local
) -> None:
    ref = create_by_hand(client, wanted, PASSWORD)
    emulators.fault("supabase", method="POST", path=f"/v1/projects/{ref}/api-keys", drop="after")
    identity, _ = server.provider(ApiKeyProvider).create({"project_ref": ref, "key_name": "stack", "generation": 1})
    assert [key.id for key in client.keys(ref) if key.name == "stack_g1"] == [identity]
