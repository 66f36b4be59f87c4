"""The emulated Management API: what it answers, refuses, hides and remembers."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from local.emulators.supabase import scopes
from tests.conftest import Local
from tests.supabase.management import contract_faults, document, recorded

PASSWORD = "correct-horse-battery-staple"
ORGANIZATION = "/v1/organizations/local-agency"
Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(emulators: Local) -> Ask:
    return emulators.supabase


def wanted(**changes: Any) -> dict[str, Any]:
    return {"name": f"t-{uuid4().hex[:12]}", "organization_slug": "local-agency", "db_pass": PASSWORD, **changes}


@pytest.fixture(scope="module")
def project(local: Local) -> str:
    """A project that the tests of this module share."""
    answer = local.supabase("POST", "/v1/projects", json=wanted(region="eu-west-2"))
    assert answer.status_code == 201
    path = f"/v1/projects/{answer.json()['ref']}"
    ipv4 = {"addon_type": "ipv4", "addon_variant": "ipv4_default"}
    assert local.supabase("PATCH", f"{path}/billing/addons", json=ipv4).status_code == 200
    return path


@pytest.fixture
def own(ask: Ask) -> Iterator[str]:
    """A project for one test alone."""
    path = f"/v1/projects/{ask('POST', '/v1/projects', json=wanted()).json()['ref']}"
    yield path
    ask("DELETE", path)


def run(ask: Ask, project: str, text: str, **more: Any) -> httpx.Response:
    return ask("POST", f"{project}/database/query", json={"query": text, **more})


HEALTH = "/health?services=auth&services=db&services=pooler&services=rest&services=storage&services=realtime"
# Method and path ({} is the project, {key} its secret key) -> the body.
ANSWERS: dict[str, Any] = {
    "GET /v1/organizations": None,
    f"GET {ORGANIZATION}": None,
    f"GET {ORGANIZATION}/projects?limit=2": None,
    "GET /v1/projects/available-regions?organization_slug=local-agency": None,
    "GET /v1/projects": None,
    "POST /v1/projects": wanted(region_selection={"type": "smartGroup", "code": "emea"}),
    "GET {}": None,
    "PATCH {}": {"name": "renamed"},
    f"GET {{}}{HEALTH}": None,
    "GET {}/api-keys": None,
    "GET {}/api-keys?reveal=true": None,
    "GET {}/api-keys/{key}": None,
    "PATCH {}/api-keys/{key}": {"description": "of the site"},
    "POST {}/api-keys?reveal=true": {"type": "secret", "name": "of_the_contract"},
    "GET {}/api-keys/legacy": None,
    "PUT {}/api-keys/legacy?enabled=true": None,
    "GET {}/config/database/pooler": None,
    "PATCH {}/database/password": {"password": PASSWORD},
    "POST {}/database/query": {"query": "select 1"},
    "GET {}/billing/addons": None,
    "PATCH {}/billing/addons": {"addon_type": "compute_instance", "addon_variant": "ci_small"},
    "DELETE {}/billing/addons/ipv4_default": None,
    "GET {}/postgrest": None,
    "PATCH {}/postgrest": {"db_schema": "public", "max_rows": 500, "db_extra_search_path": "public", "db_pool": 5},
    "POST {}/secrets": [{"name": "STRIPE_KEY", "value": "made up"}],
    "GET {}/secrets": None,
    "DELETE {}/secrets": ["STRIPE_KEY"],
    "GET {}/config/database/postgres": None,
    "PUT {}/config/database/postgres": {"statement_timeout": "30s", "max_connections": 90, "restart_database": True},
    "GET {}/branches": None,
    "GET {}/config/auth": None,
    "PATCH {}/config/auth": {"site_url": "https://acme.example", "smtp_port": "587", "smtp_pass": "made up"},
    "GET {}/network-restrictions": None,
    "POST {}/network-restrictions/apply": {"dbAllowedCidrs": ["0.0.0.0/0"], "dbAllowedCidrsV6": ["::/0"]},
    "GET {}/ssl-enforcement": None,
    "PUT {}/ssl-enforcement": {"requestedConfig": {"database": True}},
}


@pytest.mark.parametrize("route", ANSWERS)
def test_requests_and_answers_keep_the_published_contract(ask: Ask, project: str, route: str) -> None:
    method, _, address = route.partition(" ")
    body, key = ANSWERS[route], ask("GET", f"{project}/api-keys").json()[-1]["id"]
    target = address.replace("{}", project).replace("{key}", key)
    answer = ask(method, target, **({"json": body} if body else {}))
    assert answer.is_success
    sent = json.dumps(body).encode() if body else b""
    assert contract_faults(method, target, sent, answer.status_code, answer.content) == []


# A recorded folder and the route that it answers; what the service leaves out on some days may be missing.
RECORDED = {
    "GET_v1_organizations": "GET /v1/organizations",
    "GET_v1_projects": "GET /v1/projects",
    "GET_v1_projects___PROJECT_REF__": "GET {}",
    "GET_v1_projects___PROJECT_REF___api_keys": "GET {}/api-keys",
    "GET_v1_projects___PROJECT_REF___config_database_pooler": "GET {}/config/database/pooler",
    "GET_v1_projects___PROJECT_REF___network_restrictions": "GET {}/network-restrictions",
    "GET_v1_projects___PROJECT_REF___ssl_enforcement": "GET {}/ssl-enforcement",
    "POST_v1_projects": "POST /v1/projects",
    "POST_v1_projects___PROJECT_REF___database_query": "POST {}/database/query",
}


@pytest.mark.parametrize("folder", RECORDED)
def test_answers_have_the_shape_of_recorded_ones(ask: Ask, project: str, folder: str) -> None:
    method, _, address = RECORDED[folder].partition(" ")
    body = {"POST /v1/projects": wanted(), "POST {}/database/query": {"query": "select 1"}}.get(RECORDED[folder])
    real, ours = recorded(folder), ask(method, address.replace("{}", project), **({"json": body} if body else {}))
    assert ours.status_code == real.status_code
    assert _shape(ours.json()) == _shape(real.json())
    assert {name for name in ours.headers if name.startswith("x-ratelimit")} == {
        "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
    }  # fmt: skip


def _shape(value: Any) -> Any:
    """Field names at every depth; of a list, the shapes that it holds."""
    if isinstance(value, dict):
        return {name: _shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(_shape(part), sort_keys=True) for part in value})
    return None


REFUSED = [
    ({"colour": "blue"}, 400, "Unrecognized key(s) in object: 'colour'"),
    ({"name": 5}, 400, "name: Expected string"),
    ({"name": ""}, 400, "name: String must contain 1 to 256 character(s)"),
    ({"db_pass": "abc"}, 400, "password: String must contain at least 4 character(s)"),
    ({"db_pass": "abc\0def"}, 400, "none of them NUL"),
    ({"organization_slug": "somebody-else"}, 404, "Organization not found"),
    ({"region": "af-south-1"}, 400, "region_selection.code: Invalid enum value"),
    ({"region_selection": {"type": "specific", "code": "af-south-1"}}, 400, "Invalid enum value"),
    ({"region_selection": {"type": "smartGroup", "code": "mars"}}, 400, "Invalid enum value"),
    ({"region_selection": "eu-west-2"}, 400, "region_selection: Expected object"),
    ({"region": "eu-west-2", "region_selection": {"type": "specific", "code": "eu-west-2"}}, 400, "mutually exclusive"),
    ({"desired_instance_size": "huge"}, 400, "desired_instance_size: Invalid enum value"),
]


@pytest.mark.parametrize(("change", "status", "message"), REFUSED)
def test_a_project_that_the_service_refuses_is_refused_and_not_made(
    ask: Ask, change: dict[str, Any], status: int, message: str
) -> None:
    before = ask("GET", f"{ORGANIZATION}/projects").json()["pagination"]["count"]
    answer = ask("POST", "/v1/projects", json=wanted() | change)
    assert answer.status_code == status
    assert message in answer.json()["message"]
    assert ask("GET", f"{ORGANIZATION}/projects").json()["pagination"]["count"] == before


BODIES = [b"{", b"[]", b"", b"\xff", b'{"name": "\\ud800"}', b"[" * 100_000, b'{"name": %s}' % (b"1" * 5_000)]


@pytest.mark.parametrize("content", BODIES, ids=range(len(BODIES)))
def test_a_body_that_is_no_object_is_refused(ask: Ask, content: bytes) -> None:
    assert ask("POST", "/v1/projects", content=content).status_code == 400


@pytest.mark.parametrize("path", ["/v1/organizations", "/v1/nowhere"])
@pytest.mark.parametrize("token", [None, "Bearer sbp_" + "0" * 40])
def test_nobody_gets_in_without_the_token(emulators: Local, path: str, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    answer = emulators.http.get(f"{emulators.urls['supabase']}{path}", headers=headers)
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthorized"})


def test_unknown_projects_and_routes_are_not_found(ask: Ask) -> None:
    answer = ask("GET", f"/v1/projects/{'z' * 20}")
    assert (answer.status_code, answer.json()) == (404, {"message": "Project not found"})
    assert ask("GET", "/v1/nowhere").status_code == 404
    assert ask("DELETE", "/v1/organizations").status_code == 404


def test_there_are_eighteen_regions_and_none_in_south_africa(ask: Ask) -> None:
    answer = ask("GET", "/v1/projects/available-regions?organization_slug=local-agency").json()
    codes = {region["code"] for region in answer["all"]["specific"]}
    assert len(codes) == 18
    assert "af-south-1" not in codes


def test_projects_come_in_pages_without_gaps(ask: Ask) -> None:
    mark = uuid4().hex[:8]
    for number in range(3):
        ask("POST", "/v1/projects", json=wanted(name=f"{mark}-{number}"))
    pages = [
        ask("GET", f"{ORGANIZATION}/projects", params={"search": mark, "limit": 2, "offset": offset}).json()
        for offset in (0, 2)
    ]
    assert [project["name"] for page in pages for project in page["projects"]] == [f"{mark}-{n}" for n in range(3)]
    assert [page["pagination"] for page in pages] == [{"count": 3, "limit": 2, "offset": offset} for offset in (0, 2)]
    assert ask("GET", f"{ORGANIZATION}/projects?limit=101").status_code == 400


def test_secret_keys_are_masked_unless_revealed(ask: Ask, own: str) -> None:
    masked, clear = (
        {(key["type"], key["name"]): key["api_key"] for key in ask("GET", f"{own}/api-keys{query}").json()}
        for query in ("", "?reveal=true")
    )
    assert list(clear) == [
        ("legacy", "anon"), ("legacy", "service_role"), ("publishable", "default"), ("secret", "default"),
    ]  # fmt: skip
    secret = ("secret", "default")
    assert re.fullmatch(r"sb_secret_.{5}·+", masked[secret])
    assert "·" not in clear[secret]
    assert clear[secret].startswith(masked[secret].rstrip("·"))
    assert {name: key for name, key in masked.items() if name != secret} == {
        name: key for name, key in clear.items() if name != secret
    }


def test_legacy_keys_are_signed_with_the_project_secret(ask: Ask, project: str) -> None:
    secret = ask("GET", f"{project}/postgrest").json()["jwt_secret"]
    for key in ask("GET", f"{project}/api-keys").json()[:2]:
        signed, _, signature = key["api_key"].rpartition(".")
        expected = base64.urlsafe_b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256"))
        assert signature == expected.decode().rstrip("=")
        claims = signed.partition(".")[2]
        assert json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["role"] == key["name"]


def test_a_key_is_made_once_a_name_changed_and_deleted(ask: Ask, own: str) -> None:
    body = {"type": "secret", "name": "site_1", "secret_jwt_template": {"role": "service_role"}}
    made = ask("POST", f"{own}/api-keys?reveal=true", json=body).json()
    assert ask("POST", f"{own}/api-keys", json=body).status_code == 400
    assert ask("POST", f"{own}/api-keys", json={**body, "name": "Bad Name"}).status_code == 400
    assert ask("POST", f"{own}/api-keys", json={**body, "name": "site_2", "type": "legacy"}).status_code == 400
    path = f"{own}/api-keys/{made['id']}"
    assert ask("PATCH", path, json={"name": "site_3"}).json()["name"] == "site_3"
    assert ask("GET", f"{path}?reveal=true").json()["api_key"] == made["api_key"]
    assert ask("DELETE", path).status_code == 200
    assert ask("DELETE", path).status_code == 404
    assert ask("DELETE", f"{own}/api-keys/anon").status_code == 404


def test_legacy_keys_are_switched_together(ask: Ask, own: str) -> None:
    assert ask("PUT", f"{own}/api-keys/legacy").status_code == 400
    ask("PUT", f"{own}/api-keys/legacy?enabled=false")
    assert ask("GET", f"{own}/api-keys/legacy").json() == {"enabled": False}
    assert "legacy" not in {key["type"] for key in ask("GET", f"{own}/api-keys").json()}


def test_keys_made_at_the_same_time_are_all_kept(ask: Ask, own: str) -> None:
    names = [f"at_once_{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(
            pool.map(lambda name: ask("POST", f"{own}/api-keys", json={"type": "secret", "name": name}), names)
        )
    assert {answer.status_code for answer in statuses} == {201}
    assert set(names) <= {key["name"] for key in ask("GET", f"{own}/api-keys").json()}


def test_sql_gives_the_rows_of_the_last_statement_as_json(ask: Ask, project: str) -> None:
    text = "select 1; select 2 as n, null as nothing, '{\"a\": [1]}'::jsonb as j, array[1.50] as d, '\\x00'::bytea as b"
    answer = run(ask, project, text)
    assert answer.status_code == 201
    assert answer.json() == [{"n": 2, "nothing": None, "j": {"a": [1]}, "d": ["1.50"], "b": "\\x00"}]
    assert run(ask, project, "select $1::int + 1 as n", parameters=[4]).json() == [{"n": 5}]


def test_an_sql_error_is_told_as_postgres_tells_it_and_leaves_nothing(ask: Ask, own: str) -> None:
    answer = run(ask, own, "create table public.half (); select * from nowhere")
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(
        'Failed to run sql query: ERROR:  42P01: relation "nowhere" does not exist\nLINE 1: create table'
    )
    assert run(ask, own, "select to_regclass('public.half') as t").json() == [{"t": None}]


@pytest.mark.parametrize("text", ["", "select 1\0; drop table public.t"])
def test_sql_that_postgres_would_cut_short_is_refused(ask: Ask, project: str, text: str) -> None:
    assert run(ask, project, text).status_code == 400


@pytest.mark.parametrize("escape", ["commit", "reset role", "reset all"])
def test_sql_runs_as_the_owner_and_stays_so(ask: Ask, project: str, escape: str) -> None:
    who = "select current_user::text as me, current_setting('is_superuser') as su"
    before = run(ask, project, who).json()
    assert before[0]["su"] == "off"
    assert run(ask, project, f"{escape}; {who}").json() == before


def test_read_only_sql_writes_nothing(ask: Ask, project: str) -> None:
    answer = run(ask, project, "create table public.forbidden ()", read_only=True)
    assert (answer.status_code, "25006" in answer.json()["message"]) == (400, True)
    assert run(ask, project, "select current_user::text as me", read_only=True).json() == [
        {"me": "supabase_read_only_user"}
    ]


@pytest.mark.parametrize("route", ANSWERS)
def test_a_route_needs_the_permission_that_the_contract_names(ask: Ask, project: str, route: str) -> None:
    method, _, address = route.partition(" ")
    path = re.sub(r"\?.*", "", address.replace("{}", "/v1/projects/ref").replace("{key}", "key"))
    described = next(
        operations[method.lower()]
        for pattern, operations in document()["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", pattern), path)
        and method.lower() in operations
        and (pattern == path or "{" in pattern)
    )
    named = [option["fga_permissions"] for option in described["security"] if "fga_permissions" in option]
    assert scopes.needed(method, path) in (named[0] if named else [""])


def test_a_token_that_lacks_a_permission_is_told_which(ask: Ask, project: str) -> None:
    assert ask("PUT", "/_local/token", json={"permissions": ["api_gateway_keys_read"]}).status_code == 200
    try:
        refused = ask("GET", f"{project}/api-keys")
        assert (refused.status_code, refused.json()["missing_permissions"]) == (403, ["api_gateway_keys_read"])
        assert ask("GET", project).status_code == 200
    finally:
        ask("PUT", "/_local/token", json={"permissions": []})


def test_secrets_of_functions_are_kept_as_digests(ask: Ask, own: str) -> None:
    given = [{"name": "B", "value": "two"}, {"name": "A", "value": "one"}]
    assert ask("POST", f"{own}/secrets", json=given).status_code == 201
    assert ask("POST", f"{own}/secrets", json=[{"name": "B", "value": "three"}]).status_code == 201
    kept = ask("GET", f"{own}/secrets").json()
    assert [(each["name"], each["value"]) for each in kept] == [
        (name, hashlib.sha256(value.encode()).hexdigest()) for name, value in (("A", "one"), ("B", "three"))
    ]
    assert ask("DELETE", f"{own}/secrets", json=["B", "never was"]).status_code == 200
    assert [each["name"] for each in ask("GET", f"{own}/secrets").json()] == ["A"]


def test_postgres_settings_are_kept_and_only_what_was_set_is_told(ask: Ask, own: str) -> None:
    path = f"{own}/config/database/postgres"
    assert ask("GET", path).json() == {}
    ask("PUT", path, json={"statement_timeout": "30s", "restart_database": True})
    assert ask("PUT", path, json={"max_connections": 90}).json() == {"statement_timeout": "30s", "max_connections": 90}
    assert ask("GET", path).json() == {"statement_timeout": "30s", "max_connections": 90}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/secrets", {"name": "A", "value": "one"}),
        ("POST", "/secrets", [{"name": "A"}]),
        ("POST", "/secrets", [{"name": "SUPABASE_URL", "value": "x"}]),
        ("POST", "/secrets", [{"name": "A", "value": "x" * 24577}]),
        ("DELETE", "/secrets", None),
        ("PUT", "/config/database/postgres", {"colour": "blue"}),
        ("PUT", "/config/database/postgres", {"max_connections": 0}),
        ("PUT", "/config/database/postgres", {"statement_timeout": "soon"}),
        ("PUT", "/config/database/postgres", {"session_replication_role": "somebody"}),
        ("PATCH", "/postgrest", {"max_rows": -1}),
        ("PATCH", "/postgrest", {"db_pool": 1001}),
        ("POST", "/branches", {"branch_name": "preview"}),
    ],
)
def test_values_that_the_service_refuses_are_not_kept(ask: Ask, own: str, method: str, path: str, body: Any) -> None:
    assert ask(method, f"{own}{path}", json=body).status_code == 400
    assert ask("GET", f"{own}/secrets").json() == []
    assert ask("GET", f"{own}/config/database/postgres").json() == {}
    assert ask("GET", f"{own}/branches").json() == []
    assert ask("GET", f"{own}/branches/preview").status_code == 404
