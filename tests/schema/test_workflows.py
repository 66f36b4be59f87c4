"""The role of the workflow engine: it works for every organization, on its tables, and reaches nothing else."""

import psycopg
import pytest

from tests.schema.conftest import Connection
from tests.schema.test_catalog import TABLES

READS = {"companies", "deals", "email_templates", "email_sequences", "social_accounts", "content_templates"}
UPDATES = {"email_campaigns", "social_posts"}
ADDS = {"email_unsubscribes", "notifications"}
WORKS = {"contacts", "activities", "email_sends", "content_queue"}
ROWS = """
insert into public.organizations (id, name, slug) values
  ('00000000-0000-4000-8000-000000000001', 'One', 'one'), ('00000000-0000-4000-8000-000000000002', 'Two', 'two');
insert into public.contacts (organization_id, email) select id, 'a@example.com' from public.organizations;
grant workflows to current_user
"""


@pytest.fixture
def workflows(schema: Connection) -> Connection:
    """A session as that role, over contacts of two organizations."""
    for statement in ROWS.strip().split(";\n"):
        schema.execute(statement.encode())
    schema.execute("set role workflows")
    return schema


def test_its_rights_are_these_and_it_deletes_nothing(schema: Connection) -> None:
    query = """
    select t, array(select p from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES',
      'TRIGGER']) p where has_table_privilege('workflows', 'public.' || t, p)) from unnest(%s::text[]) t
    """
    rights = {table: set(found) for table, found in schema.execute(query, (sorted(TABLES),)).fetchall()}
    expected = {
        **{key: {"SELECT"} for key in READS},
        **{key: {"SELECT", "UPDATE"} for key in UPDATES},
        **{key: {"SELECT", "INSERT"} for key in ADDS},
        **{key: {"SELECT", "INSERT", "UPDATE"} for key in WORKS},
    }
    assert {table: found for table, found in rights.items() if found} == expected
    functions = "select count(*) from pg_proc where pronamespace = 'private'::regnamespace"
    assert schema.execute(f"{functions} and has_function_privilege('workflows', oid, 'execute')").fetchone() == (0,)
    usable = schema.execute("select has_schema_privilege('workflows', 'private', 'usage')")
    assert usable.fetchone() == (False,)


def test_it_works_for_every_organization(workflows: Connection) -> None:
    assert workflows.execute("update public.contacts set lead_score = 7").rowcount == 2
    assert workflows.execute("select count(*) from public.organizations where slug in ('one', 'two')").fetchone() == (
        2,
    )


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from public.users",
        "select billing_email from public.organizations",
        "select 1 from public.audit_log",
        "select 1 from public.subscription_history",
        "delete from public.contacts",
        "select 1 from private.environment_mark",
        "select private.export_contact(gen_random_uuid())",
        "select 1 from supabase_migrations.schema_migrations",
        "select 1 from auth.users",
        "create table public.own ()",
    ],
)
def test_what_is_not_its_own_is_refused(workflows: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        workflows.execute(statement.encode())


def test_it_cannot_log_in_before_it_is_given_a_password(schema: Connection) -> None:
    query = "select rolcanlogin, rolsuper, rolcreaterole, rolinherit from pg_roles where rolname = 'workflows'"
    assert schema.execute(query).fetchone() == (False, False, False, False)
