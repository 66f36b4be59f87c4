"""The organization and its owner: the real provider process, a real database with our schema, emulated sign-in."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg.types.json import Json

from components.supabase.owner import RULES, OwnerProvider
from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.migrations import read_migrations
from supabase_management import pooler
from supabase_management.client import Client
from tests.conftest import Local
from tests.dynamic_server import DynamicProvider, ProviderError, dynamic_server

PASSWORD = "Abcdefghijklmnop"
SITE = "https://acme.example"


@pytest.fixture(scope="module")
def owner(local: Local) -> Iterator[DynamicProvider]:
    with dynamic_server(local.exports) as server:
        yield server.provider(OwnerProvider)


@dataclass
class Home:
    """A project with our schema."""

    local: Local
    ref: str
    address: pooler.DatabaseAddress

    def sql(self, text: str, *values: Any) -> list[tuple[Any, ...]]:
        with pooler.connect(self.address, PASSWORD) as connection:
            cursor = connection.execute(text.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def manage(self, method: str, path: str, **kwargs: Any) -> Any:
        answer = self.local.supabase(method, path.replace("{}", f"/v1/projects/{self.ref}"), **kwargs)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def mail_to(self, email: str) -> list[str]:
        sent = self.manage("GET", f"/_local/projects/{self.ref}/mail")
        return [each["link"] for each in sent if each["to"] == email]

    def use_mailer(self, host: str | None) -> None:
        self.manage("PATCH", "{}/config/auth", json={"smtp_host": host})

    def session(self, link: str) -> dict[str, str]:
        """Follow a link as a browser does; what is in the fragment of the site's address."""
        answer = self.local.http.get(link)
        assert answer.status_code == 303
        site, _, fragment = answer.headers["location"].partition("#")
        assert site == SITE
        return {name: values[0] for name, values in parse_qs(fragment).items()}

    def signed_in(self, session: dict[str, str]) -> Any:
        keys = self.manage("GET", "{}/api-keys?reveal=true")
        publishable = next(key["api_key"] for key in keys if key["type"] == "publishable")
        headers = {"apikey": publishable, "authorization": f"Bearer {session['access_token']}"}
        url = f"{self.local.urls['supabase']}/projects/{self.ref}/auth/v1/user"
        return self.local.http.get(url, headers=headers).json()

    def visible(self, account: str) -> list[str]:
        """The organizations that row-level security shows an account."""
        with pooler.connect(self.address, PASSWORD) as connection:
            claims = Json({"sub": account, "role": "authenticated"})
            connection.execute("select set_config('request.jwt.claims', %s::jsonb::text, true)", (claims,))
            connection.execute("set local role authenticated")
            return [row[0] for row in connection.execute("select name from public.organizations").fetchall()]

    def members(self, slug: str) -> list[tuple[str, str, str, bool]]:
        return self.sql(
            "select u.email, u.role, u.status, a.email is not distinct from u.email from users u"
            " join organizations o on o.id = u.organization_id left join auth.users a on a.id = u.auth_user_id"
            " where o.slug = %s order by u.created_at",
            slug,
        )


def make_home(local: Local) -> Home:
    body = {"name": f"t-{uuid4().hex[:12]}", "organization_slug": "local-agency", "db_pass": PASSWORD}
    ref = local.supabase("POST", "/v1/projects", json=body).json()["ref"]
    with Client(local.urls["supabase"], local.exports["SUPABASE_ACCESS_TOKEN"]) as client:
        address = pooler.wait_for_database(client, ref, PASSWORD, timeout=30)
    with pooler.connect(address, PASSWORD) as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
    local.supabase("PATCH", f"/v1/projects/{ref}/config/auth", json={"site_url": SITE}).raise_for_status()
    return Home(local, ref, address)


@pytest.fixture(scope="module")
def shared(local: Local) -> Home:
    return make_home(local)


@pytest.fixture
def home(shared: Home, emulators: Local) -> Iterator[Home]:
    yield shared
    shared.use_mailer(None)


@pytest.fixture
def wanted(home: Home) -> dict[str, Any]:
    """Inputs of an organization of a name of its own."""
    name = f"t-{uuid4().hex[:12]}"
    return {
        "project_ref": home.ref,
        "timeout": 20,
        "db_password": PASSWORD,
        "name": f"Client {name}",
        "slug": name,
        "plan": "starter",
        "contact": f"Owner@{name}.example",
        "email": f"owner@{name}.example",
        "role": "owner",
        "status": "active",
        "by_mail": False,
        "invitation": 1,
    }


def test_an_owner_lives_through_the_six_operations_and_signs_in_by_the_link(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    assert owner.check({}, wanted) == []
    organization, outputs = owner.create(wanted)
    assert outputs == {**wanted, "link": outputs["link"]}
    assert owner.diff(outputs, wanted) == ("DIFF_NONE", [])
    assert owner.read(organization, outputs) == (organization, outputs, wanted)
    assert home.members(wanted["slug"]) == [(wanted["email"], "owner", "active", True)]

    person = home.signed_in(home.session(outputs["link"]))
    assert person["email"] == wanted["email"]
    assert home.visible(person["id"]) == [wanted["name"]]
    assert "access_token" not in home.session(outputs["link"])

    changed = {**wanted, "name": "Another Name", "plan": "growth"}
    assert owner.diff(outputs, changed) == ("DIFF_UNKNOWN", [])
    assert owner.update(organization, outputs, changed) == {**changed, "link": outputs["link"]}
    assert home.sql(
        "select id::text, name, plan, billing_email from organizations where slug = %s", wanted["slug"]
    ) == [(organization, "Another Name", "growth", wanted["contact"])]
    owner.delete(organization, outputs)
    assert len(home.members(wanted["slug"])) == 1


def test_a_create_is_repeated_without_a_second_row_or_account(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    first, outputs = owner.create(wanted)
    again, newer = owner.create(wanted)
    assert first == again
    assert home.members(wanted["slug"]) == [(wanted["email"], "owner", "active", True)]
    assert "access_token" not in home.session(outputs["link"])  # nobody had it: the next one stands for it
    assert "access_token" in home.session(newer["link"])
    assert owner.create(wanted)[1]["link"] == ""  # who has come in needs none


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"drop": "before"}, {"status": 500}], ids=str)
@pytest.mark.parametrize("by_mail", [False, True])
def test_a_create_that_breaks_off_at_the_invitation_is_one_line_and_continued(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any], fault: dict[str, Any], by_mail: bool
) -> None:
    home.use_mailer("mail.agency.example")
    home.local.fault("supabase", method="POST", path=f"/projects/{home.ref}/auth/.*", **fault)
    with pytest.raises(ProviderError, match="/auth/v1/") as raised:
        owner.create({**wanted, "by_mail": by_mail})
    assert str(raised.value).count("\n") == 1
    _, outputs = owner.create({**wanted, "by_mail": by_mail})
    assert home.members(wanted["slug"]) == [(wanted["email"], "owner", "active", True)]
    assert len(home.mail_to(wanted["email"])) == by_mail
    assert "access_token" in home.session(home.mail_to(wanted["email"])[0] if by_mail else outputs["link"])


def test_with_a_mailer_the_owner_is_invited_once_and_again_when_told(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    home.use_mailer("mail.agency.example")
    wanted["by_mail"] = True
    organization, outputs = owner.create(wanted)
    owner.create(wanted)
    assert (outputs["link"], len(home.mail_to(wanted["email"]))) == ("", 1)
    second = owner.update(organization, outputs, {**wanted, "invitation": 2})
    assert len(home.mail_to(wanted["email"])) == 2
    assert home.signed_in(home.session(home.mail_to(wanted["email"])[1]))["email"] == wanted["email"]
    owner.update(organization, second, {**wanted, "invitation": 3})
    assert len(home.mail_to(wanted["email"])) == 2  # the owner has come


def test_supabases_own_mailer_refuses_the_owner_and_nothing_is_left_behind(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    with pytest.raises(ProviderError, match="cannot be used as it is not authorized") as raised:
        owner.create({**wanted, "by_mail": True})
    assert str(raised.value).count("\n") == 1
    assert home.members(wanted["slug"]) == []
    assert home.sql("select from auth.users where email = %s", wanted["email"]) == []


def test_another_address_brings_in_another_owner_and_removes_nobody(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    organization, outputs = owner.create(wanted)
    successor = {**wanted, "email": f"next-{wanted['email']}", "contact": f"next-{wanted['email']}"}
    changed = owner.update(organization, outputs, successor)
    assert changed["link"] != outputs["link"]
    assert home.members(wanted["slug"]) == [
        (wanted["email"], "owner", "active", True),
        (successor["email"], "owner", "active", True),
    ]
    assert home.signed_in(home.session(changed["link"]))["email"] == successor["email"]
    assert owner.read(organization, changed) == (organization, changed, successor)


# What somebody changes by hand (%(slug)s is the organization) -> the property that a preview names, and its new value.
OF = "where organization_id = (select id from organizations where slug = %s)"
HANDS = {
    "name": ("update organizations set name = 'By Hand' where slug = %s", "By Hand"),
    "slug": ("update organizations set slug = 'by-hand' where slug = %s", "by-hand"),
    "plan": ("update organizations set plan = 'scale' where slug = %s", "scale"),
    "contact": ("update organizations set billing_email = 'by@hand.example' where slug = %s", "by@hand.example"),
    "role": (f"update users set role = 'member' {OF}", "member"),
    "status": (f"update users set status = 'disabled' {OF}", "disabled"),
    "email": (f"update users set email = 'by@hand.example' {OF}", "by@hand.example"),
    "email, no row": (f"delete from users {OF}", ""),
    "email, no account": (f"update users set auth_user_id = null {OF}", ""),
}


@pytest.mark.parametrize("case", HANDS)
def test_what_was_changed_by_hand_is_named_and_repaired_in_place(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any], case: str
) -> None:
    organization, outputs = owner.create(wanted)
    statement, seen = HANDS[case]
    home.sql(statement, wanted["slug"])
    _, live, inputs = owner.read(organization, outputs)
    assert {name: value for name, value in inputs.items() if value != wanted[name]} == {case.partition(",")[0]: seen}
    assert owner.diff(live, wanted) == ("DIFF_UNKNOWN", [])
    repaired = owner.update(organization, live, wanted)
    assert owner.read(organization, repaired)[2] == wanted
    assert home.members(wanted["slug"]) == [(wanted["email"], "owner", "active", True)]


def test_a_deleted_organization_is_gone_and_made_again_for_the_same_account(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    organization, outputs = owner.create(wanted)
    home.sql("delete from organizations where slug = %s", wanted["slug"])
    assert owner.read(organization, outputs) == ("", {}, {})
    assert owner.create(wanted)[0] != organization
    assert home.members(wanted["slug"]) == [(wanted["email"], "owner", "active", True)]


def test_an_account_of_another_organization_is_refused_and_not_moved(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    owner.create(wanted)
    with pytest.raises(ProviderError, match=f"belongs to organization '{wanted['name']}'. Change orgEmail"):
        owner.create({**wanted, "slug": f"{wanted['slug']}-2"})
    assert home.members(f"{wanted['slug']}-2") == []


def test_an_owner_who_changed_the_address_is_not_replaced_by_a_new_account(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    organization, outputs = owner.create(wanted)
    moved = f"moved-{wanted['email']}"
    with home.local.postgres.admin(home.ref) as admin:
        admin.execute("update auth.users set email = %s where email = %s", (moved, wanted["email"]))
    assert owner.read(organization, outputs)[2]["email"] == moved
    with pytest.raises(ProviderError, match=f"signs in as {moved} now. Set orgEmail to {moved}"):
        owner.update(organization, outputs, wanted)
    followed = {**wanted, "email": moved}
    owner.update(organization, outputs, followed)
    assert home.members(wanted["slug"]) == [(moved, "owner", "active", True)]


def test_a_project_without_our_schema_is_one_line_and_nobody_is_invited(
    owner: DynamicProvider, wanted: dict[str, Any], emulators: Local
) -> None:
    body = {"name": wanted["slug"], "organization_slug": "local-agency", "db_pass": PASSWORD}
    ref = emulators.supabase("POST", "/v1/projects", json=body).json()["ref"]
    emulators.requests("supabase")
    with pytest.raises(ProviderError, match=r'the database refused: relation "public\.\w+" does not exist') as raised:
        owner.create({**wanted, "project_ref": ref})
    assert str(raised.value).count("\n") == 1
    assert not [each for each in emulators.requests("supabase") if "/auth/v1" in str(each["path"])]


def test_a_refused_login_a_paused_and_a_deleted_project_are_told_apart(
    owner: DynamicProvider, wanted: dict[str, Any], emulators: Local
) -> None:
    home = make_home(emulators)
    wanted["project_ref"] = home.ref
    organization, outputs = owner.create(wanted)
    assert owner.read(organization, {**outputs, "db_password": "another"})[2] == {**wanted, "db_password": ""}
    home.manage("POST", "{}/pause")
    assert owner.read(organization, outputs) == (organization, outputs, wanted)
    home.manage("DELETE", "{}")
    assert owner.read(organization, outputs) == ("", {}, {})


def test_the_secret_key_travels_in_its_own_header_and_reaches_no_output(
    owner: DynamicProvider, home: Home, wanted: dict[str, Any]
) -> None:
    _, outputs = owner.create(wanted)
    keys = home.manage("GET", "{}/api-keys?reveal=true")
    assert not [key for key in keys if key["api_key"] in str(outputs)]
    assert urlsplit(outputs["link"]).path.endswith("/auth/v1/verify")


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(sorted(RULES)),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20)
        | st.lists(st.text()),
    )
)
def test_whatever_is_given_is_taken_or_refused_by_property(news: dict[str, Any]) -> None:
    failures = OwnerProvider().check({}, {name: value for name, value in news.items() if value is not None}).failures
    assert all(failure.reason.startswith(failure.property) for failure in failures)
    assert "db_password '" not in str([failure.reason for failure in failures])
