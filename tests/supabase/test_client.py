"""The Management API client against recorded answers, the OpenAPI contract and failures."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stamina

from common.errors import OperatorError
from local.emulators.supabase import scopes
from supabase_management import transport
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.models import OwnershipMark
from tests.supabase.management import BASE, REF, TOKEN, Script, contract_faults, recorded

# What `settings` looks at and changes beside the requests below.
SETTINGS = ("auth_config", "data_api_config", "infra_add_ons", "database_network_restrictions", "database_ssl_config")
TRUNCATED = httpx.RemoteProtocolError("peer closed connection without sending complete message body")
PASSWORD = "correct-horse-battery-staple"
KEY_ID = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(autouse=True)
def _no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=transport.ATTEMPTS):
        yield


def client(answers: dict[str, Any]) -> tuple[Client, Script]:
    script = Script(answers)
    return Client(BASE, TOKEN, http=script), script


ANSWER_PROJECT = {"ref": REF, "name": "n", "region": "eu-west-2", "status": "COMING_UP"}
REQUESTS: dict[str, tuple[Callable[[Client], Any], Any]] = {
    "GET /v1/organizations": (lambda c: c.organizations(), []),
    "GET /v1/organizations/acme": (lambda c: c.organization("acme"), {"slug": "acme", "name": "A"}),
    "GET /v1/organizations/acme/projects": (lambda c: c.projects("acme", "client-"), {"projects": []}),
    "GET /v1/projects/available-regions": (lambda c: c.regions("acme", "micro"), {"all": {"specific": []}}),
    "POST /v1/projects": (
        lambda c: c.create_project(
            name="n", organization="acme", region="eu-west-2", password=PASSWORD, instance_size="micro"
        ),
        ANSWER_PROJECT,
    ),
    f"GET /v1/projects/{REF}": (lambda c: c.project(REF), ANSWER_PROJECT),
    f"PATCH /v1/projects/{REF}": (lambda c: c.rename_project(REF, "m"), {}),
    f"DELETE /v1/projects/{REF}": (lambda c: c.delete_project(REF), {}),
    f"POST /v1/projects/{REF}/pause": (lambda c: c.pause_project(REF), None),
    f"POST /v1/projects/{REF}/restore": (lambda c: c.restore_project(REF), None),
    f"PATCH /v1/projects/{REF}/database/password": (lambda c: c.set_password(REF, PASSWORD), {}),
    f"GET /v1/projects/{REF}/health": (lambda c: c.health(REF, ("auth", "db")), []),
    f"GET /v1/projects/{REF}/billing/addons": (lambda c: c.instance_size(REF), {"selected_addons": []}),
    f"PATCH /v1/projects/{REF}/billing/addons": (lambda c: c.set_instance_size(REF, "small"), None),
    f"GET /v1/projects/{REF}/postgrest": (lambda c: c.data_api_enabled(REF), {"db_schema": ""}),
    f"GET /v1/projects/{REF}/api-keys": (lambda c: c.keys(REF), []),
    f"POST /v1/projects/{REF}/api-keys": (lambda c: c.create_key(REF, "secret", "stack_g1"), {"name": "stack_g1"}),
    f"DELETE /v1/projects/{REF}/api-keys/{KEY_ID}": (lambda c: c.delete_key(REF, KEY_ID), {}),
    f"GET /v1/projects/{REF}/config/database/pooler": (lambda c: c.poolers(REF), []),
    f"POST /v1/projects/{REF}/database/query": (lambda c: c.ownership_mark(REF), []),
    f"POST /v1/projects/{REF}/cli/login-role": (
        lambda c: c.temporary_login(REF),
        {"role": "cli_login_postgres", "password": "x1", "ttl_seconds": 300},
    ),
}


@pytest.mark.parametrize("route", REQUESTS)
def test_every_request_keeps_the_contract(route: str) -> None:
    call, answer = REQUESTS[route]
    session, script = client({route: (200, answer)})
    call(session)
    (sent,) = script.requests
    refusal = json.dumps({"message": "only the request is judged"}).encode()
    assert contract_faults(sent.method, sent.url.raw_path.decode(), sent.content, 400, refusal) == []
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["User-Agent"].startswith("client-environments/")
    assert "plan" not in (json.loads(sent.content) if sent.content else {})


def test_the_readme_names_every_permission_that_a_scoped_token_needs() -> None:
    named = set(re.findall(r"`(\w+_(?:read|write|create))`", (Path(__file__).parents[2] / "README.md").read_text()))
    needed = {scopes.needed(*route.split(" ")) for route in REQUESTS} - {""}
    settings = {f"{area}_{verb}" for area in SETTINGS for verb in ("read", "write")}
    assert named == needed | settings | {"analytics_logs_read"}


def test_recorded_answers_are_read_with_their_unknown_fields() -> None:
    session, _ = client(
        {
            "GET /v1/organizations": recorded("GET_v1_organizations"),
            f"GET /v1/projects/{REF}": recorded("GET_v1_projects___PROJECT_REF__"),
            "POST /v1/projects": recorded("POST_v1_projects"),
            f"GET /v1/projects/{REF}/api-keys": recorded("GET_v1_projects___PROJECT_REF___api_keys"),
            f"GET /v1/projects/{REF}/config/database/pooler": recorded(
                "GET_v1_projects___PROJECT_REF___config_database_pooler"
            ),
        }
    )
    assert session.organizations()[0].slug == REF
    project = session.project(REF)
    assert (project.status, project.database_host) == ("ACTIVE_HEALTHY", f"db.{REF}.supabase.red")
    created = session.create_project(
        name="n", organization="acme", region="us-east-1", password=PASSWORD, instance_size=None
    )
    assert (created.ref, created.status) == (REF, "UNKNOWN")
    assert [(key.type, key.name) for key in session.keys(REF)] == [
        ("legacy", "anon"),
        ("legacy", "service_role"),
        ("publishable", "default"),
        ("secret", "default"),
    ]
    assert session.poolers(REF)[0].db_port == 6543


def test_values_of_later_days_are_survived() -> None:
    later = {"name": "auth", "status": "DREAMING", "healthy": None}
    session, _ = client(
        {
            f"GET /v1/projects/{REF}/health": (200, [later]),
            f"GET /v1/projects/{REF}/api-keys": (200, [{"name": "new", "type": "ephemeral", "api_key": None}]),
            "GET /v1/organizations/acme": (200, {"slug": "acme", "plan": "galactic", "planet": {}}),
        }
    )
    assert session.health(REF, ("auth",))[0].status == "DREAMING"
    assert session.keys(REF)[0].type == "ephemeral"
    assert session.organization("acme").plan == "galactic"


@pytest.mark.parametrize("answer", [None, [], "text", {"ref": None}])
def test_an_answer_of_another_shape_is_an_error_that_names_the_request(answer: Any) -> None:
    session, _ = client({f"GET /v1/projects/{REF}": (200, answer)})
    with pytest.raises(ApiError, match=f"^GET /v1/projects/{REF}: Supabase answered 200: the answer has an unexpected"):
        session.project(REF)


def test_a_status_of_later_days_is_kept_as_it_is() -> None:
    session, _ = client({f"GET /v1/projects/{REF}": (200, {**ANSWER_PROJECT, "status": "HIBERNATING", "mood": "new"})})
    assert session.project(REF).status == "HIBERNATING"


def test_an_answer_without_a_needed_field_is_an_error_that_names_it() -> None:
    session, _ = client({f"GET /v1/projects/{REF}": (200, {"name": "n", "region": "eu-west-2"})})
    with pytest.raises(ApiError, match="lacks 'ref'"):
        session.project(REF)


@pytest.mark.parametrize("failure", [(408, {}), (429, {}), (500, {}), (544, {}), httpx.ReadTimeout("slow"), TRUNCATED])
def test_a_read_is_repeated_until_it_succeeds(failure: Any) -> None:
    session, script = client({"GET /v1/organizations": [failure, failure, (200, [])]})
    assert session.organizations() == []
    assert len(script.requests) == 3


def test_a_read_is_given_up_after_a_few_attempts() -> None:
    session, script = client({"GET /v1/organizations": (503, {"message": "down"})})
    with pytest.raises(ApiError, match=r"GET /v1/organizations: Supabase answered 503: down\. Run again"):
        session.organizations()
    assert len(script.requests) == transport.ATTEMPTS


@pytest.mark.parametrize(
    "failure", [(500, {}), (408, {}), httpx.ReadTimeout("slow"), httpx.ConnectError("refused"), TRUNCATED]
)
def test_a_write_whose_effect_is_unknown_is_not_repeated(failure: Any) -> None:
    session, script = client({f"PATCH /v1/projects/{REF}": [failure, (200, {})]})
    with pytest.raises(ApiError) as raised:
        session.rename_project(REF, "m")
    assert len(script.requests) == 1
    assert raised.value.ambiguous


def test_a_write_refused_by_the_rate_limit_is_repeated() -> None:
    session, script = client({f"PATCH /v1/projects/{REF}": [(429, {}), (200, {})]})
    session.rename_project(REF, "m")
    assert len(script.requests) == 2


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"X-RateLimit-Reset": "12"}, 12.0),
        ({"Retry-After": "86400"}, transport.LONGEST_PAUSE),
        ({"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, True),
        ({}, True),
    ],
)
def test_the_service_sets_the_pace_within_limits(headers: dict[str, str], pause: float | bool) -> None:
    session, _ = client({f"PATCH /v1/projects/{REF}": httpx.Response(429, headers=headers, json={})})
    with pytest.raises(ApiError) as raised:
        session.rename_project(REF, "m")
    assert transport._pause_of_write(raised.value) == pause


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((401, {"message": "Unauthorized"}), "Check SUPABASE_ACCESS_TOKEN: it is wrong, expired or revoked."),
        (
            (403, {"message": "Forbidden", "missing_permissions": ["organization_projects_create", "projects_read"]}),
            "Give the access token: organization_projects_create, projects_read.",
        ),
        ((403, {"message": "Forbidden"}), "may not do this"),
        ((402, {"message": "Upgrade to Pro"}), "Upgrade to Pro. The organization's plan does not include this"),
        ((400, {"message": ["name is too long", "region is odd"]}), "name is too long; region is odd"),
        (httpx.Response(502, text="<html><body>" + "x" * 5000), "Supabase answered 502: Bad Gateway."),
        ((400, {"message": "y" * 5000}), "yyy…"),
        (httpx.ConnectError("[Errno 111] refused"), "no answer from api.supabase.com (ConnectError)."),
    ],
)
def test_a_failure_is_one_line_with_the_services_reason(answer: Any, message: str) -> None:
    session, _ = client({"POST /v1/projects": answer})
    with pytest.raises(ApiError) as raised:
        session.create_project(name="n", organization="acme", region="x", password=PASSWORD, instance_size=None)
    text = str(raised.value)
    assert message in text
    assert "\n" not in text
    assert "<" not in text
    assert len(text) < 450


def test_an_answer_that_is_not_json_is_told_and_not_repeated() -> None:
    session, script = client({"GET /v1/organizations": httpx.Response(200, text="<html>Sign in to the Wi-Fi")})
    with pytest.raises(ApiError, match=r"Supabase answered 200: the answer is not JSON\. Check the network"):
        session.organizations()
    assert len(script.requests) == 1


def test_no_secret_comes_back_in_a_message() -> None:
    secrets = [TOKEN, PASSWORD, "sb_secret_" + "a1" * 12, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln", "postgres:hunter22"]
    echoed = f"bad {secrets[0]} {secrets[1]} {secrets[2]} {secrets[3]} postgresql://{secrets[4]}@host"
    session, _ = client({f"PATCH /v1/projects/{REF}/database/password": (400, {"message": echoed})})
    with pytest.raises(ApiError) as raised:
        session.set_password(REF, PASSWORD)
    assert not [secret for secret in secrets if secret in str(raised.value)]


def test_no_write_is_sent_without_leave_and_reads_need_none() -> None:
    def refuse() -> None:
        raise OperatorError("the engine is gone")

    script = Script({"GET /v1/organizations": (200, []), f"DELETE /v1/projects/{REF}": (200, {})})
    session = Client(BASE, TOKEN, before_write=refuse, http=script)
    session.organizations()
    with pytest.raises(OperatorError, match="the engine is gone"):
        session.delete_project(REF)
    assert script.calls == ["GET /v1/organizations"]


def test_a_long_list_of_projects_is_read_to_its_end() -> None:
    many = [{**ANSWER_PROJECT, "name": f"p{n}"} for n in range(100)]
    rest = [{**ANSWER_PROJECT, "name": "last"}, {**ANSWER_PROJECT, "name": "branch", "is_branch": True}]
    route = "GET /v1/organizations/acme/projects"
    session, script = client({route: [(200, {"projects": many}), (200, {"projects": rest})]})
    assert [project.name for project in session.projects("acme", "p")][100:] == ["last"]
    assert [request.url.params["offset"] for request in script.requests] == ["0", "100"]


@pytest.mark.parametrize("code", ['42P01: relation "private.environment_mark" does not exist', "3F000: schema"])
def test_a_database_without_the_table_has_no_mark(code: str) -> None:
    answer = (400, {"message": f"Failed to run sql query: ERROR:  {code}"})
    session, _ = client({f"POST /v1/projects/{REF}/database/query": answer})
    assert session.ownership_mark(REF) is None


def test_a_database_that_cannot_be_asked_is_an_error_and_not_a_missing_mark() -> None:
    answer = (400, {"message": "Failed to run sql query: connect ECONNREFUSED fd00::1:5432"})
    session, _ = client({f"POST /v1/projects/{REF}/database/query": answer})
    with pytest.raises(ApiError, match="ECONNREFUSED"):
        session.ownership_mark(REF)


def test_a_mark_is_read() -> None:
    row = {"client_id": "acme", "project_name": "client-acme-prod"}
    session, _ = client({f"POST /v1/projects/{REF}/database/query": (201, [row])})
    assert session.ownership_mark(REF) == OwnershipMark("acme", "client-acme-prod")


@pytest.mark.parametrize("token", [None, "", "two words", "line\nbreak"])
def test_a_missing_or_impossible_token_is_refused_by_the_variables_name(
    token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SUPABASE_MANAGEMENT_TOKEN", raising=False)
    monkeypatch.delenv("SUPABASE_ACCESS_TOKEN", raising=False)
    if token is not None:
        monkeypatch.setenv("SUPABASE_ACCESS_TOKEN", token)
    with pytest.raises(OperatorError, match=r"^SUPABASE_ACCESS_TOKEN: is not") as raised:
        Client.from_environment()
    assert not token or token not in str(raised.value)


def test_the_older_token_variable_still_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUPABASE_ACCESS_TOKEN", raising=False)
    monkeypatch.setenv("SUPABASE_MANAGEMENT_TOKEN", TOKEN)
    monkeypatch.setenv("SUPABASE_API_URL", "http://127.0.0.1:9/")
    with Client.from_environment() as session:
        assert session.base_url == "http://127.0.0.1:9"


@pytest.mark.parametrize("url", ["api.supabase.com", "ftp://x", "https://u:p@x", "https://x/v1", "https://x?y"])
def test_a_base_url_must_be_scheme_and_host(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("SUPABASE_API_URL", url)
    with pytest.raises(OperatorError, match=r"^SUPABASE_API_URL"):
        Client.from_environment()
