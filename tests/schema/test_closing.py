"""Foreign objects are closed to anon, authenticated and PUBLIC, and to nobody else; what is ours stays as it is."""

import json
import os
import subprocess
import sys

import pytest

from pgschema import catalog
from pgschema.apply import read_live
from pgschema.close_foreign import close, openings
from tests.conftest import Local
from tests.schema.conftest import Database, NewDatabase

FOREIGN = """
create table public.leads_import (mail text, note text);
grant select, insert on public.leads_import to anon;
grant select (note) on public.leads_import to authenticated;
grant select, delete on public.leads_import to service_role;
alter table public.leads_import enable row level security;
create policy everybody on public.leads_import to anon using (true);
create view public.all_contacts as select * from public.contacts;
grant select on public.all_contacts to anon;
create function public.all_users() returns setof public.users language sql security definer
  as 'select * from public.users';
grant execute on function public.all_users() to anon;
create schema api;
grant usage on schema api to authenticated;
create sequence api.numbers;
grant usage on sequence api.numbers to public
"""
LINES = [
    "routine public.all_users(), owner postgres: PUBLIC may execute",
    "routine public.all_users(), owner postgres: anon may execute",
    "schema api, owner postgres: authenticated may usage",
    "sequence api.numbers, owner postgres: PUBLIC may usage",
    "table public.all_contacts, owner postgres: anon may select",
    "table public.leads_import, owner postgres: anon may insert",
    "table public.leads_import, owner postgres: anon may select",
    "table public.leads_import, owner postgres: authenticated may select (note)",
]


@pytest.fixture
def made(new_current: NewDatabase) -> Database:
    """A database with our schema and foreign objects that are open."""
    database = new_current()
    with database.connect() as connection:
        connection.execute(FOREIGN)
    return database


def test_nothing_is_closed_that_was_not_shown(made: Database) -> None:
    with made.connect() as connection:
        before = read_live(connection)
        assert sorted(close(connection).open) == LINES
        assert read_live(connection) == before
        closed = close(connection, shown=LINES[4:5])
        assert closed.closed == LINES[4:5]
        assert sorted(close(connection).open) == [*LINES[:4], *LINES[5:]]


def test_all_of_it_is_closed_and_the_grants_that_undo_it_do(made: Database) -> None:
    with made.connect() as connection:
        before = read_live(connection)
        done = close(connection, shown=LINES)
        assert (sorted(done.closed), done.left) == (LINES, [])
        after = read_live(connection).catalog
        assert openings(after, catalog.read_snapshot()) == []
        # Neither row-level security, nor policies, nor another role, nor anything of ours.
        changed = {name for name in before.catalog if before.catalog[name] != after.get(name)}
        assert changed == {
            "function public.all_users()",
            "grants api.numbers",
            "grants public.all_contacts",
            "grants public.leads_import",
            "schema api",
        }
        assert after["grants public.leads_import"] == "service_role: DELETE, SELECT"
        assert close(connection, shown=LINES).closed == []
        for statement in done.undo:
            connection.execute(statement.encode())
        connection.commit()
        assert read_live(connection) == before


def test_what_another_owner_has_is_left_by_name_and_the_rest_is_closed(made: Database, local: Local) -> None:
    with local.postgres.admin(made.ref) as admin:
        admin.execute("create table public.theirs (id int); grant select on public.theirs to anon")
    with made.connect() as connection:
        done = close(connection, shown=close(connection).open)
        assert sorted(done.closed) == LINES
        (left,) = done.left
        assert left.startswith("table public.theirs, owner supabase_admin: anon may select (")
        assert read_live(connection).catalog["grants public.theirs"] == "anon: SELECT; supabase_admin: OWNER"


def test_a_right_that_was_passed_on_is_left_and_others_keep_theirs(made: Database) -> None:
    with made.connect() as connection:
        connection.execute(
            "grant delete on public.leads_import to authenticated with grant option; set role authenticated;"
            " grant delete on public.leads_import to service_role; reset role; set role none"
        )
        connection.execute("revoke delete on public.leads_import from service_role")
        connection.commit()
        done = close(connection, shown=close(connection).open)
        assert sorted(done.closed) == LINES
        (left,) = done.left
        assert left.endswith("may delete (authenticated passed it on to others; revoke that first)")
        assert "service_role: DELETE" in read_live(connection).catalog["grants public.leads_import"]


def test_what_is_allowed_is_neither_foreign_nor_closed(made: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = {("public.leads_import", "anon", "insert"), ("public.all_users", "anon", "execute")}
    with made.connect() as connection:
        live = read_live(connection).catalog
        found = [str(each) for each in openings(live, catalog.read_snapshot(), allowed)]
    assert "table public.leads_import, owner postgres: anon may select" in found
    assert "routine public.all_users(), owner postgres: PUBLIC may execute" in found
    assert "routine public.all_users(), owner postgres: anon may execute" not in found
    every = {
        ("public.all_contacts", "anon", "select"),
        *(("public.all_users", role, "execute") for role in ("anon", "authenticated")),
    }
    named = catalog.compare(live, catalog.read_snapshot(), every).foreign
    assert "table public.leads_import" in named
    assert not {"view public.all_contacts", "function public.all_users()"} & set(named)


def test_objects_that_the_state_knows_are_not_foreign(made: Database) -> None:
    with made.connect() as connection:
        opened = close(connection, recorded=["view public.all_contacts", "grants public.all_contacts"]).open
    assert sorted(opened) == [line for line in LINES if "all_contacts" not in line]


def test_the_command_lists_and_closes_and_fails_in_one_line(made: Database) -> None:
    listed = command(made, {})
    assert (listed.returncode, listed.stderr) == (0, "")
    shown = json.loads(listed.stdout)["open"]
    assert sorted(shown) == LINES
    closed = command(made, {"shown": shown}, "--write")
    assert sorted(json.loads(closed.stdout)["closed"]) == LINES
    broken = subprocess.run(
        [sys.executable, "-m", "components.schema.closing"],
        env={**os.environ, **made.environment, "PGPASSWORD": "wrong"},
        input="{}",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (broken.returncode, len(broken.stderr.splitlines())) == (2, 1)


def command(database: Database, given: dict[str, object], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "components.schema.closing", *words],
        env={**os.environ, **database.environment},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
