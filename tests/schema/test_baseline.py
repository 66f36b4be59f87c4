"""Taking over a database of the script before: nothing lost, our catalog exactly, in steps."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from common.errors import OperatorError
from pgschema.apply import MigrationError, apply, read_live
from pgschema.baseline import read_columns, tables, take_over
from pgschema.catalog import read_snapshot
from pgschema.isolation import check
from pgschema.migrations import read_migrations
from tests.conftest import Local
from tests.schema.conftest import PASSWORD, Connection, Database, NewDatabase

HERE = Path(__file__).parent
COLUMNS = HERE / "old_script.json"
ACCOUNTS = "insert into auth.users (id) values (%s), (%s)"
ANN, BOB = (f"00000000-0000-4000-8000-0000000000{end}" for end in ("a1", "b1"))
ACME, BOLT = (f"00000000-0000-4000-8000-00000000000{end}" for end in (1, 2))
EVE, GUS = (f"00000000-0000-4000-8000-000000000{end}" for end in ("d01", "d04"))
FIRST_NAME = "select first_name from public.contacts where id = %s"
LEFT = "select relation, right(id, 3), whole, subject from before_baseline.left_behind order by 1, 2, 4"


@pytest.fixture
def old(new_database: NewDatabase, local: Local) -> Database:
    """A database as the script before left it, with dirty rows."""
    made = new_database()
    with local.postgres.admin(made.ref) as admin:
        admin.execute(ACCOUNTS, (ANN, BOB))
    with made.connect() as connection:
        connection.execute((HERE / "old_script.sql").read_text())
    return made


def command(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "automation", "db", "baseline", *arguments],
        env={**os.environ, **database.environment},
        capture_output=True,
        text=True,
        check=False,
    )


def content(connection: Connection, schema: str, names: list[str]) -> dict[str, list[Any]]:
    rows = f"select coalesce(jsonb_agg(to_jsonb(t) order by t.id), '[]') from {schema}."
    return {name: connection.execute(f"{rows}{name} t").fetchone()[0] for name in names}  # type: ignore[index]


def test_an_apply_refuses_it_and_names_the_way(old: Database) -> None:
    with old.connect() as connection, pytest.raises(MigrationError, match=r"taken over by: clients db baseline"):
        apply(connection, read_migrations())


def test_it_tells_first_what_differs_and_changes_nothing(old: Database) -> None:
    with old.connect() as connection:
        before = read_live(connection), content(connection, "public", tables())
        connection.rollback()  # a reader's lock would stop the trial
        told = command(old)
        assert (told.returncode, told.stderr) == (0, "")
        for line in (
            "security: policy public.contacts.Users can manage contacts (added ",
            "security: policy public.contacts.contacts_member (missing)",
            "security: rls public.deals (",
            "tables: column public.contacts.firstName (added ",
            "tables: column public.contacts.first_name (missing)",
            "not ours: function public.update_updated_at_column()",
        ):
            assert any(each.startswith(line) for each in told.stdout.splitlines()), line
        tried = command(old, "--try", "--columns", str(COLUMNS))
        assert (tried.returncode, tried.stderr) == (0, "")
        assert (read_live(connection), content(connection, "public", tables())) == before
    written = command(old, "--write", "--columns", str(COLUMNS))
    assert written.stdout == tried.stdout


def test_it_becomes_our_database_and_loses_nothing(old: Database) -> None:
    with old.connect() as connection:
        before = content(connection, "public", tables())
        connection.commit()
        report = take_over(connection, read_columns(COLUMNS))
        connection.commit()
        assert content(connection, "before_baseline", tables()) == before
        assert connection.execute(LEFT).fetchall() == [
            ("activities", "e02", False, "contact_id"),
            ("activities", "e02", False, "user_id"),
            ("contacts", "d02", False, "company_id"),
            ("contacts", "d03", True, "idx_contacts_organization_email"),
            ("contacts", "d04", True, "contacts_email_check"),
            ("notifications", connection.execute("select right(id::text, 3) from before_baseline.notifications"
             " where title = 'Not yours'").fetchone()[0], True, "notifications_organization_id_user_id_fkey"),
        ]  # fmt: skip
        assert {
            "contacts: 502 of 504 rows copied",
            "contacts: 1 rows left behind: contacts_email_check",
            "contacts: 1 rows copied without their company_id",
            "organizations: old column stripe_customer_id is not carried (1 values)",
            "social_accounts: old column access_token is not carried (1 values)",
            "function public.update_updated_at_column(), owner postgres: PUBLIC may execute."
            " Not ours, may rely on the old tables",
        } <= set(report)
        assert connection.execute(
            "select first_name, status, tags, created_at::text, custom_fields from public.contacts where id = %s",
            (EVE,),
        ).fetchone() == ("Eve", "lead", [], "2025-01-02 03:04:00+00", {"notes": "Likes tea"})
        assert connection.execute(
            "select auth_user_id::text, email, role, last_seen_at::text from public.users order by email"
        ).fetchall() == [
            (ANN, "ann@acme.example", "owner", "2025-06-01 12:00:00+00"),
            (BOB, "bob@bolt.example", "owner", None),
        ]
        connection.rollback()
        # From here on it is a client like any other.
        applied = apply(connection, read_migrations(), snapshot=read_snapshot())
        assert applied.files == ()
        # The archive is closed, so it is not told; what the script left in the schemas of the API is.
        assert [line.partition(",")[0] for line in applied.warnings] == [
            "function public.update_updated_at_column()",
            "type public.user_role",
        ]
        assert check(connection).passed


def test_what_stayed_behind_is_carried_once_it_was_corrected_there(old: Database) -> None:
    with old.connect() as connection:
        take_over(connection, read_columns(COLUMNS))
        connection.execute("delete from public.contacts where first_name = 'P1'")
        connection.execute("update before_baseline.contacts set email = null where email = 'n/a'")
        connection.commit()
        report = take_over(connection, read_columns(COLUMNS))
        connection.commit()
        assert "contacts: 1 of 2 rows copied" in report
        assert connection.execute(FIRST_NAME, (GUS,)).fetchone() == ("Gus",)
        # What somebody deleted since is not brought back.
        assert connection.execute("select from public.contacts where first_name = 'P1'").fetchone() is None


def test_the_api_reaches_nothing_old(old: Database) -> None:
    with old.connect() as connection:
        take_over(connection, read_columns(COLUMNS))
        for role in ("anon", "authenticated", "service_role"):
            usage = "select has_schema_privilege(%s, 'before_baseline', 'usage')"
            assert connection.execute(usage, (role,)).fetchone() == (False,)


def test_a_ledger_of_other_migrations_moves_aside_too(old: Database) -> None:
    with old.connect() as connection:
        connection.execute("create schema supabase_migrations")
        connection.execute(
            "create table supabase_migrations.schema_migrations"
            " (version text primary key, statements text[], name text)"
        )
        connection.execute(
            "insert into supabase_migrations.schema_migrations values ('20240101000000', '{}', 'theirs')"
        )
        connection.commit()
        with pytest.raises(OperatorError, match=r"migration 20240101000000 theirs: .*clients db baseline"):
            apply(connection, read_migrations())
        take_over(connection, read_columns(COLUMNS))
        connection.commit()
        assert apply(connection, read_migrations()).files == ()
        assert connection.execute("select name from before_baseline.schema_migrations").fetchall() == [("theirs",)]


def test_what_hangs_on_the_old_tables_stops_it_by_name(old: Database) -> None:
    with old.connect() as connection:
        connection.execute(
            "create table public.visits (id int, contact_id uuid constraint visitor references contacts)"
        )
        connection.execute("create view public.people as select email from contacts")
        connection.commit()
        with pytest.raises(OperatorError, match=r"public\.visits|visits \(foreign key visitor\)") as refused:
            take_over(connection, {})
    assert "people (view)" in str(refused.value)


def test_an_expression_that_does_not_fit_is_told_and_changes_nothing(old: Database, tmp_path: Path) -> None:
    with old.connect() as connection:
        before = read_live(connection)
        with pytest.raises(OperatorError, match=r"column o\.stage does not exist \(SQLSTATE 42703\)"):
            take_over(connection, {"contacts": {"status": "o.stage"}})
        connection.rollback()
        assert read_live(connection) == before
    wrong = tmp_path / "columns.json"
    for text, expected in (
        (json.dumps({"contacts": {"mail": "o.email"}}), "contacts.mail is no column of ours"),
        ("[]", "cannot be read: AttributeError"),
    ):
        wrong.write_text(text)
        with pytest.raises(OperatorError, match=expected):
            read_columns(wrong)


def test_a_database_of_ours_is_not_taken_over(ready: Database) -> None:
    refused = command(ready, "--try")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "database: was made by our migrations. There is nothing to take over: run up.\n"
    assert PASSWORD not in refused.stderr
