"""Every change of customers and members leaves an entry that the database writes and nobody forges."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.schema.conftest import Connection
from tests.schema.crm import Crm, act_as

ENTRIES = (
    "select array[action, entity_type] from public.audit_log where organization_id = %s and by_database"
    " and entity_type <> 'user' order by created_at, action, entity_type"
)
ROWS: dict[str, dict[str, Any]] = {
    "contacts": {"email": "a@x.test"},
    "companies": {"name": "Acme"},
    "deals": {"title": "Deal"},
    "users": {"email": "m@x.test", "full_name": "Member"},
}
CHANGES = {"contacts": "job_title", "companies": "industry", "deals": "title", "users": "job_title"}
NAMES = {"contacts": "contact", "companies": "company", "deals": "deal", "users": "user"}


@pytest.fixture
def crm(schema: Connection) -> Crm:
    return Crm.new(schema)


def sign_in(crm: Crm) -> str:
    """Become a member of the organization; its id."""
    account = str(uuid4())
    member = crm.add("users", auth_user_id=account, email=f"{account}@x.test", full_name="Me", status="active")
    act_as(crm.connection, "authenticated", account)
    return member


@pytest.mark.parametrize("table", ROWS)
def test_each_insert_update_and_delete_leaves_an_entry_with_the_names_of_the_columns_only(crm: Crm, table: str) -> None:
    row = crm.add(table, **ROWS[table])
    crm.connection.execute(f"update public.{table} set {CHANGES[table]} = 'secret words' where id = %s", (row,))
    crm.connection.execute(f"update public.{table} set {CHANGES[table]} = 'secret words' where id = %s", (row,))
    crm.connection.execute(f"delete from public.{table} where id = %s", (row,))
    entries = crm.connection.execute(
        "select action, entity_type, changed_columns, by_database, user_id, old_values, new_values"
        " from public.audit_log where entity_id = %s order by ctid", (row,)
    ).fetchall()  # fmt: skip
    kind = NAMES[table]
    assert entries == [
        ("created", kind, None, True, None, None, None),
        ("updated", kind, [CHANGES[table]], True, None, None, None),
        ("updated", kind, [], True, None, None, None),
        ("deleted", kind, None, True, None, None, None),
    ]


def test_an_entry_names_the_member_who_made_the_change(crm: Crm) -> None:
    member = sign_in(crm)
    contact = crm.contact("a@x.test")
    assert crm.values("select user_id::text from public.audit_log where organization_id = %s and entity_id = %s",
        contact) == [member]  # fmt: skip


def test_many_rows_of_one_statement_leave_as_many_entries(crm: Crm) -> None:
    crm.values(
        "with made as (insert into public.contacts (organization_id, email) select %s, n || '@x.test'"
        " from generate_series(1, 100) n returning id) select id from made"
    )
    crm.connection.execute("update public.contacts set lead_score = 1 where organization_id = %s", (crm.organization,))
    assert crm.values(ENTRIES) == [["created", "contact"]] * 100 + [["updated", "contact"]] * 100


def test_a_changed_id_leaves_an_entry_too(crm: Crm) -> None:
    contact, new = crm.contact("a@x.test"), str(uuid4())
    crm.connection.execute("update public.contacts set id = %s where id = %s", (new, contact))
    assert crm.values(
        "select 'id' = any (changed_columns) from public.audit_log where organization_id = %s and entity_id = %s", new
    ) == [True]


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
@pytest.mark.parametrize("column", ["by_database", "changed_columns"])
def test_nobody_of_the_api_writes_an_entry_as_the_database(crm: Crm, role: str, column: str) -> None:
    member = sign_in(crm)
    act_as(crm.connection, role, None)
    values: dict[str, Any] = {"user_id": member, "action": "updated", "entity_type": "contact"}
    with pytest.raises(psycopg.errors.InsufficientPrivilege), crm.connection.transaction():
        crm.add("audit_log", **values, **{column: True if column == "by_database" else ["email"]})


@pytest.mark.parametrize("role", ["authenticated", "service_role"])
def test_what_members_and_the_server_add_themselves_is_marked_as_theirs(crm: Crm, role: str) -> None:
    member = sign_in(crm)
    if role == "service_role":
        act_as(crm.connection, role)
    crm.connection.execute(
        "insert into public.audit_log (organization_id, user_id, action, entity_type) values (%s, %s, 'exported', 'x')",
        (crm.organization, member),
    )
    assert crm.values(
        "select by_database from public.audit_log where organization_id = %s and action = 'exported'"
    ) == [False]


def test_a_role_outside_the_api_cannot_pose_as_a_member(crm: Crm) -> None:
    account = str(uuid4())
    crm.add("users", auth_user_id=account, email="m@x.test", full_name="Me", status="active")
    crm.connection.execute("grant workflows to current_user")
    act_as(crm.connection, "workflows", account)
    crm.contact("a@x.test")
    crm.connection.execute("reset role")
    entries = "select user_id from public.audit_log where organization_id = %s and entity_type = 'contact'"
    assert crm.values(entries) == [None]


def test_an_upsert_and_a_company_that_goes_are_in_the_history(crm: Crm) -> None:
    company = crm.add("companies", name="Acme")
    crm.contact("a@x.test", company_id=company)
    crm.connection.execute(
        "insert into public.contacts (organization_id, email) values (%s, 'a@x.test')"
        " on conflict (organization_id, email) do update set lead_score = 5", (crm.organization,)
    )  # fmt: skip
    crm.connection.execute("delete from public.companies where id = %s", (company,))
    changed = (
        "select changed_columns from public.audit_log where organization_id = %s and action = 'updated' order by ctid"
    )
    assert crm.values(changed) == [["lead_score"], ["company_id"]]


def test_an_organization_goes_with_its_history(crm: Crm) -> None:
    crm.contact("a@x.test")
    crm.connection.execute("delete from public.organizations where id = %s", (crm.organization,))
    assert crm.values("select 1 from public.audit_log where organization_id = %s") == []


def test_an_erased_contact_leaves_entries_without_its_id(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    crm.erase(contact)
    entries = "select array[action, entity_id::text] from public.audit_log where organization_id = %s order by ctid"
    assert sorted(crm.values(entries)) == [["created", None], ["deleted", None]]
