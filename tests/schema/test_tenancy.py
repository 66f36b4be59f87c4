"""What members can do, through the same roles and claims as the API."""

import json
from collections.abc import Callable, Iterator
from uuid import uuid4

import psycopg
import pytest

from pgschema.stage import Organization
from tests.schema.conftest import POPULATE, Connection

Member = Callable[..., Connection]


@pytest.fixture
def organization(schema: Connection) -> str:
    row = schema.execute("insert into organizations (name, slug) values ('One', 'one') returning id::text").fetchone()
    assert row
    return str(row[0])


@pytest.fixture
def member(schema: Connection, organization: str) -> Iterator[Member]:
    """Turns the connection into a signed-in member of the organization, made with these columns."""

    def sign_in(role: str = "member", status: str = "active") -> Connection:
        account = str(uuid4())
        schema.execute("reset role")
        schema.execute(
            "insert into users (organization_id, auth_user_id, email, full_name, role, status)"
            " values (%s, %s, %s, 'Someone', %s, %s)",
            (organization, account, f"{account}@example.test", role, status),
        )
        claims = json.dumps({"sub": account, "role": "authenticated"})
        schema.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        schema.execute("set local role authenticated")
        return schema

    yield sign_in
    schema.rollback()


def test_a_member_works_with_the_customers_of_its_organization(member: Member, organization: str) -> None:
    signed_in = member()
    company = signed_in.execute(
        "insert into companies (organization_id, name) values (%s, 'Acme') returning id", (organization,)
    ).fetchone()
    assert company
    signed_in.execute(
        "insert into contacts (organization_id, company_id, email) values (%s, %s, 'a@b.test')",
        (organization, company[0]),
    )
    assert signed_in.execute("update contacts set status = 'customer'").rowcount == 1
    assert signed_in.execute("delete from companies").rowcount == 1
    assert signed_in.execute("select company_id from contacts").fetchall() == [(None,)]


def test_an_admin_invites_a_member_and_edits_the_organization(member: Member, organization: str) -> None:
    signed_in = member("admin")
    signed_in.execute(
        "insert into users (organization_id, email, full_name) values (%s, 'new@b.test', 'New')", (organization,)
    )
    assert signed_in.execute("update organizations set name = 'Two'").rowcount == 1
    assert signed_in.execute("select role, status from users where email = 'new@b.test'").fetchone() == (
        "member",
        "invited",
    )


def test_an_owner_deletes_the_organization_only_once_it_is_closed(
    member: Member, organization: str, schema: Connection
) -> None:
    signed_in = member("owner")
    assert signed_in.execute("delete from organizations").rowcount == 0
    schema.execute("reset role")
    schema.execute("update organizations set status = 'closed' where id = %s", (organization,))
    schema.execute("set local role authenticated")
    assert signed_in.execute("delete from organizations").rowcount == 1


def test_members_append_to_the_history_in_their_own_name(member: Member, organization: str) -> None:
    signed_in = member()
    signed_in.execute(
        "insert into audit_log (organization_id, user_id, action, entity_type)"
        " select organization_id, id, 'exported', 'contact' from users"
    )
    assert signed_in.execute("select action from audit_log where not by_database").fetchall() == [("exported",)]


def test_invited_and_disabled_members_see_nothing(member: Member) -> None:
    for status in ("invited", "disabled"):
        assert member(status=status).execute("select from organizations").rowcount == 0


def test_the_server_works_across_organizations_but_cannot_truncate(schema: Connection, organization: str) -> None:
    schema.execute("set local role service_role")
    assert schema.execute("update organizations set plan = 'growth'").rowcount == 1
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        schema.execute("truncate audit_log")


def test_the_server_adds_to_the_history_and_cannot_rewrite_it_yet_removes_it_with_its_organization(
    schema: Connection, organization: str
) -> None:
    schema.execute("set local role service_role")
    schema.execute(
        "insert into audit_log (organization_id, action, entity_type) values (%s, 'imported', 'contact')",
        (organization,),
    )
    for rewriting in ("update audit_log set action = 'nothing'", "delete from audit_log"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), schema.transaction():
            schema.execute(rewriting)
    schema.execute("delete from organizations where id = %s", (organization,))
    assert schema.execute("select from audit_log").rowcount == 0


def test_a_change_moves_updated_at_and_never_created_at(schema: Connection, organization: str) -> None:
    schema.execute("update organizations set created_at = '2000-01-01', updated_at = '2000-01-01'")
    assert schema.execute("select created_at = now(), updated_at > created_at from organizations").fetchone() == (
        True,
        True,
    )


def test_deleting_an_organization_takes_everything_of_it_along(schema: Connection) -> None:

    schema.execute(POPULATE)
    for each in (Organization.of("owner", "member"), Organization.of("owner", "member")):
        schema.execute("select pg_temp.populate(%s, %s)", (each.id, json.dumps(each.accounts)))
    assert schema.execute("delete from organizations where id = %s", (each.id,)).rowcount == 1
    tables = schema.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    for (table,) in tables:
        assert schema.execute(f"select 1 from {table} limit 1").fetchone() == (1,)
        if table != "organizations":
            left = f"select from {table} where organization_id = '{each.id}'"
            assert schema.execute(left).rowcount == 0


def test_an_account_must_exist_by_the_end_of_the_transaction(schema: Connection, organization: str) -> None:
    schema.execute(
        "insert into users (organization_id, auth_user_id, email, full_name) values (%s, %s, 'x@y.test', 'X')",
        (organization, str(uuid4())),
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        schema.execute("set constraints all immediate")
