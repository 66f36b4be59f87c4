"""Trying pending migrations: what they would do is told exactly, and nothing stays."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from common.errors import OperatorError
from local.emulators import postgres
from pgschema.apply import MigrationError, apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.clone import clone
from pgschema.dry_run import attempt
from pgschema.gate import GateError
from pgschema.migrations import Migration
from tests.conftest import Local
from tests.schema.conftest import Connection, Database, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
CHANGES = {
    "20990101000000_a.sql": "alter table public.contacts add column ticket uuid default gen_random_uuid();",
    "20990101000100_b.sql": "create table public.visits (contact uuid references public.contacts (id));",
    "20990101000200_c.sql": "-- transaction: none\n"
    "create index concurrently if not exists x on public.deals (created_at);",
}


@pytest.fixture
def copy(new_database: NewDatabase, local: Local, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The connection string, as superuser, of a database that becomes the clone."""
    monkeypatch.setenv("PATH", os.pathsep.join((str(postgres.programs()), os.environ["PATH"])))
    return local.postgres.url(new_database().ref)


def test_a_clone_holds_the_live_catalog_and_ledger_without_a_row(schema: Connection, copy: str) -> None:
    schema.execute("insert into public.organizations (name, slug) values ('Acme', 'acme')")
    live = read_live(schema)
    with clone(schema, copy) as cloned:
        assert read_live(cloned) == live
        assert cloned.execute("select count(*) from public.organizations").fetchone() == (0,)


def test_what_is_changed_by_hand_is_in_the_clone_and_decides(
    new_current: NewDatabase, folder: Folder, copy: str
) -> None:
    with new_current().connect() as live:
        live.execute("alter table public.contacts add column nickname text")
        live.commit()
        pending = folder({"20990101000000_a.sql": "select 1;\nalter table public.contacts add column nickname text;"})
        with clone(live, copy) as cloned, pytest.raises(MigrationError, match=r"_a\.sql:2:1: .*already exists"):
            attempt(cloned, pending)


def test_rewritten_tables_and_locks_are_told_and_nothing_stays(ready: Database, folder: Folder) -> None:
    with ready.connect() as connection:
        before = read_live(connection)
        found = attempt(connection, folder(CHANGES))
        assert len(found.files) == 3
        assert found.rewritten == ("public.contacts",)
        assert found.locks == {"public.contacts": "reads and writes"}
        assert read_live(connection) == before


def test_a_foreign_key_makes_writers_of_its_target_wait(ready: Database, folder: Folder) -> None:
    with ready.connect() as connection:
        found = attempt(connection, folder(dict([list(CHANGES.items())[1]])))
    assert (found.rewritten, found.locks) == ((), {"public.contacts": "writes"})


def test_on_the_live_database_it_leaves_index_builds_out(ready: Database, folder: Folder) -> None:
    with ready.connect() as connection:
        found = attempt(connection, folder(CHANGES), live=True)
    assert [file.rsplit("_", 1)[1] for file in found.files] == ["a.sql", "b.sql"]


def test_on_the_live_database_it_gives_up_soon_on_a_table_in_use(ready: Database, folder: Folder) -> None:
    with ready.connect() as user, ready.connect() as connection:
        user.execute("select from public.contacts")
        answered: list[str] = []

        def run() -> None:
            with pytest.raises(MigrationError) as refused:
                attempt(connection, folder(CHANGES), live=True)
            answered.append(str(refused.value))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(timeout=4)  # the clone's patience is longer
        user.rollback()
        thread.join()
    assert "lock timeout (SQLSTATE 55P03)" in answered[0]


def test_a_catalog_that_cannot_be_cloned_is_one_line_that_names_the_other_way(
    new_database: NewDatabase, copy: str, local: Local
) -> None:
    made = new_database()
    with local.postgres.admin(made.ref) as admin:
        admin.execute(
            "create table auth.of_a_newer_version (id int); grant select on auth.of_a_newer_version to public"
        )
    with made.connect() as live:
        live.execute("create view public.copies as select * from auth.of_a_newer_version")
        live.commit()
        said = r'psql: the catalog cannot be cloned: .*"auth.of_a_newer_version" does not exist.* --try-sql --on-live'
        with pytest.raises(OperatorError, match=said), clone(live, copy):
            pass


# Shapes of real clients' catalogs that a dump of some schemas only cannot load, made as superuser or as the owner.
AS_ADMIN = "create extension pg_trgm schema extensions; create extension citext schema extensions"
SHAPES = {
    "an extension in an index": "create index on public.contacts using gin (first_name extensions.gin_trgm_ops)",
    "an extension in a column": "alter table public.contacts add column handle extensions.citext",
    "an extension in a function": (
        "create function private.near(a text, b text) returns real language sql as 'select extensions.similarity(a, b)'"
    ),
    "a schema of its own": (
        "create schema billing; create table billing.plans (id int primary key);"
        " alter table public.deals add column plan int references billing.plans (id)"
    ),
    "a type of that schema": (
        'create schema "Their Types"; create type "Their Types".kind as enum (\'a\');'
        ' create table public.kinds (kind "Their Types".kind)'
    ),
    "a trigger on auth.users": (
        "create function private.on_sign_up() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger on_sign_up after insert on auth.users for each row execute function private.on_sign_up()"
    ),
    "a publication": "create publication theirs for table public.contacts",
    "the publication of every project": "alter publication supabase_realtime add table public.deals",
    "a foreign key to accounts": "create table public.profiles (id uuid primary key references auth.users (id))",
    "a role that owns": "create role clone_owner nologin; create table public.owned (id int)",
    "a default privilege": "alter default privileges in schema public grant select on tables to anon",
    "a right taken away": "revoke usage on schema public from anon",
}
TRIGGERS = "select tgname from pg_trigger where tgrelid = 'auth.users'::regclass and not tgisinternal"
PUBLISHED = "select pubname, tablename from pg_publication_tables order by 1, 2"


@pytest.mark.parametrize("shape", SHAPES, ids=list(SHAPES))
def test_a_clone_takes_the_shapes_of_real_clients_and_tries_there(
    new_current: NewDatabase, folder: Folder, copy: str, local: Local, shape: str
) -> None:
    made = new_current()
    with local.postgres.admin(made.ref) as admin:
        admin.execute(AS_ADMIN)
    with made.connect() as live:
        live.execute(SHAPES[shape].encode())
        live.commit()
        catalog, triggers = read_live(live), live.execute(TRIGGERS).fetchall()
        published = live.execute(PUBLISHED).fetchall()
        with clone(live, copy) as cloned:
            assert read_live(cloned) == catalog
            assert cloned.execute(TRIGGERS).fetchall() == triggers
            assert cloned.execute(PUBLISHED).fetchall() == published
            assert cloned.execute("select current_user").fetchone() == ("postgres",)
            cloned.rollback()
            pending = folder({"20990101000000_a.sql": "reset role; alter table public.contacts add column x text;"})
            assert attempt(cloned, pending).files == ("sql/migrations/20990101000000_a.sql",)


def test_a_clone_cannot_reach_the_servers_that_the_live_database_reaches(
    new_database: NewDatabase, copy: str, local: Local
) -> None:
    made = new_database()
    with local.postgres.admin(made.ref) as admin:
        admin.execute(
            "create extension postgres_fdw schema extensions;"
            " grant usage on foreign data wrapper postgres_fdw to postgres; set role postgres;"
            " create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1');"
            " create user mapping for postgres server elsewhere options (user 'them', password 'theirs');"
            " create foreign table public.remote (id int) server elsewhere"
        )
    with made.connect() as live, clone(live, copy) as cloned:
        assert "foreign-table public.remote" in read_live(cloned).catalog
        assert cloned.execute("select usename, umoptions from pg_user_mappings").fetchall() == []


def test_a_trial_says_what_the_apply_would_refuse(ready: Database, folder: Folder) -> None:
    text = "create table public.price_list (id int); grant select on public.price_list to anon;"
    pending = folder({"20990101000000_a.sql": text})
    with ready.connect() as connection:
        tried = attempt(connection, pending, snapshot=read_snapshot())
        with pytest.raises(GateError) as refused:
            apply(connection, pending, snapshot=read_snapshot())
    assert tried.refused == refused.value.lines
    assert any(line.startswith("price_list: select as anon") for line in tried.refused)
    assert any("table public.price_list is not in sql/snapshot.json" in line for line in tried.refused)


def test_a_trial_of_what_is_as_reviewed_refuses_nothing(ready: Database, folder: Folder) -> None:
    with ready.connect() as connection:
        pending = folder({"20990101000000_a.sql": "comment on table public.deals is 'd';"})
        assert attempt(connection, pending, snapshot=read_snapshot()).refused == ()


ENUM = {
    "20990101000000_a.sql": "alter type public.lead_source add value 'phone';",
    "20990101000100_b.sql": "alter table public.leads alter column source set default 'phone';",
}


@pytest.mark.parametrize("live", [False, True], ids=["on a clone", "on the live database"])
def test_a_file_that_needs_an_enum_value_of_an_earlier_one_is_tried_or_named(
    new_current: NewDatabase, folder: Folder, *, live: bool
) -> None:
    with new_current().connect() as connection:
        connection.execute(
            "create type public.lead_source as enum ('web'); create table public.leads (source public.lead_source)"
        )
        connection.commit()
        tried = attempt(connection, folder(ENUM), live=live)
    assert len(tried.files) == (1 if live else 2)
    assert tried.notes[0].startswith("sql/migrations/20990101000100_b.sql uses an enum value")
