"""Migrations that run outside a transaction: alone, in their turn, and again after an interruption."""

import re
import threading
import time
from collections.abc import Callable

import psycopg
import pytest

from common.errors import OperatorError
from pgschema.apply import MigrationError, apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.ledger import LOCK_KEY
from pgschema.migrations import ALONE, Migration, Statement, read_migrations
from pgschema.non_transactional import run_alone
from tests.conftest import Local
from tests.schema.conftest import Connection, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
CITY = "20990101000001_city.sql"
BUILD = "create unique index concurrently if not exists companies_city on public.companies (organization_id, city)"
INDEX = {CITY: f"{ALONE}\n{BUILD};\n"}
STATE = "select indisvalid from pg_index where indexrelid = to_regclass('public.companies_city')"
VERSIONS = "select version from supabase_migrations.schema_migrations where version like '2099%' order by version"
WAITING = """
select pid from pg_stat_activity
where datname = %s and query like '%%create unique index%%' and wait_event_type = 'Lock'
"""
ROWS = """
with made as (insert into public.organizations (name, slug) values ('One', 'one') returning id)
insert into public.companies (organization_id, name, city) select id, 'A', 'Ulm' from made, generate_series(1, %s)
"""


@pytest.fixture
def upgraded(current: Connection) -> Connection:
    """A client's database with our schema and one row."""
    current.execute(ROWS, (1,))
    current.commit()
    return current


def test_files_before_and_after_it_are_transactions_of_their_own(upgraded: Connection, folder: Folder) -> None:
    files = {
        "20990101000000_a.sql": "create table public.before_it ();",
        **INDEX,
        "20990101000002_b.sql": "alter table public.companies add constraint c unique using index companies_city;",
        "20990101000003_c.sql": "creat table public.after_it ();",
    }
    with pytest.raises(MigrationError, match=r"_c\.sql:1:1: syntax error"):
        apply(upgraded, folder(files))
    # The second transaction left nothing, what was before it stays, and the next apply goes on from there.
    assert upgraded.execute(VERSIONS).fetchall() == [("20990101000000",), ("20990101000001",)]
    assert upgraded.execute(STATE).fetchone() == (True,)
    upgraded.rollback()
    files["20990101000003_c.sql"] = "create table public.after_it ();"
    assert apply(upgraded, folder(files)).files == tuple(f"sql/migrations/{name}" for name in list(files)[2:])


def test_a_new_database_takes_it_in_its_one_transaction(empty: Connection, folder: Folder) -> None:
    files = {**INDEX, "20990101000002_bad.sql": "creat table public.b ();"}
    before = read_live(empty).catalog
    with pytest.raises(MigrationError):
        apply(empty, folder(files))
    assert read_live(empty).catalog == before
    applied = apply(empty, folder(INDEX))
    assert applied.files[-1] == f"sql/migrations/{CITY}"
    (text,) = empty.execute(
        "select statements[1] from supabase_migrations.schema_migrations where version = %s", (CITY[:14],)
    ).fetchone() or ("",)
    assert text == f"{ALONE}\n{BUILD}"


def test_a_failed_one_names_its_place_and_leaves_no_invalid_index(upgraded: Connection, folder: Folder) -> None:
    upgraded.execute(
        "insert into public.companies (organization_id, name, city) select id, 'B', 'Ulm' from organizations"
    )
    upgraded.commit()
    with pytest.raises(
        MigrationError, match=r"_city\.sql:2:1: unique violation \(SQLSTATE 23505\), constraint companies_city"
    ):
        apply(upgraded, folder(INDEX))
    assert upgraded.execute(STATE).fetchall() == upgraded.execute(VERSIONS).fetchall() == []
    upgraded.execute("delete from public.companies where name = 'B'")
    upgraded.commit()
    assert apply(upgraded, folder(INDEX)).files == (f"sql/migrations/{CITY}",)


def test_an_invalid_index_that_an_interruption_left_is_built_again(upgraded: Connection, folder: Folder) -> None:
    upgraded.execute(
        "insert into public.companies (organization_id, name, city) select id, 'B', 'Ulm' from organizations"
    )
    upgraded.commit()
    upgraded.autocommit = True
    with pytest.raises(psycopg.errors.UniqueViolation):
        upgraded.execute(BUILD)
    upgraded.execute("delete from public.companies where name = 'B'")
    assert upgraded.execute(STATE).fetchone() == (False,)
    upgraded.autocommit = False
    apply(upgraded, folder(INDEX))
    assert upgraded.execute(STATE).fetchone() == (True,)


@pytest.mark.parametrize(
    ("written", "name"),
    [('"Companies City"', "Companies City"), ("COMPANIES_CITY", "companies_city"), ("long_" * 15, ("long_" * 15)[:63])],
)
def test_an_invalid_index_is_found_however_the_file_writes_its_name(
    upgraded: Connection, monkeypatch: pytest.MonkeyPatch, written: str, name: str
) -> None:
    build = f'create unique index concurrently if not exists {written} on public."companies" (organization_id, city)'
    text = f"{ALONE}\n{build}"
    named = re.compile(r"create unique index concurrently if not exists (?P<index>.+) on (?P<table>\S+) ")
    monkeypatch.setattr(Statement, "repeatable", property(lambda self: named.search(self.text)))
    upgraded.execute(
        "insert into public.companies (organization_id, name, city) select organization_id, 'B', 'Ulm' from companies"
    )
    upgraded.commit()
    upgraded.autocommit = True
    with pytest.raises(psycopg.errors.UniqueViolation):
        upgraded.execute(build.encode())
    upgraded.execute("delete from public.companies where name = 'B'")
    upgraded.autocommit = False
    run_alone(upgraded_in_autocommit(upgraded), Migration("20990101000009", "x", text, (Statement(text, 0),)))
    state = "select indisvalid from pg_index join pg_class on pg_class.oid = indexrelid where relname = %s"
    assert upgraded.execute(state, (name,)).fetchall() == [(True,)]


def upgraded_in_autocommit(connection: Connection) -> Connection:
    """The connection as an apply hands it over: no transaction, and the lock held for the session."""
    connection.rollback()
    connection.autocommit = True
    connection.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
    return connection


def test_one_that_was_built_but_not_recorded_is_recorded(upgraded: Connection, folder: Folder) -> None:
    upgraded.execute(BUILD.replace("concurrently", ""))
    upgraded.commit()
    assert apply(upgraded, folder(INDEX)).files == (f"sql/migrations/{CITY}",)
    assert upgraded.execute(VERSIONS).fetchall() == [(CITY[:14],)]


def test_two_applies_at_once_build_it_once_and_do_not_wait_for_each_other_in_a_circle(
    new_current: NewDatabase, folder: Folder, local: Local
) -> None:
    database, counts = new_current(), list[int]()
    with database.connect() as connection:
        connection.execute(ROWS, (1,))
    migrations = folder(INDEX)

    def run() -> None:
        with database.connect() as connection:
            counts.append(len(apply(connection, migrations).files))

    threads = [threading.Thread(target=run) for _ in range(3)]
    with database.connect() as writer:
        # Its open transaction keeps the build waiting, so that the others come to the lock meanwhile.
        writer.execute("update public.companies set name = 'B'")
        for thread in threads:
            thread.start()
        with local.postgres.admin() as watcher:
            while not watcher.execute(WAITING, (database.ref,)).fetchone() and any(each.is_alive() for each in threads):
                time.sleep(0.02)
        assert counts == []
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 1]


def test_security_is_verified_although_an_index_is_still_to_come(upgraded: Connection, folder: Folder) -> None:
    files = {"20990101000000_open.sql": "alter policy contacts_member on public.contacts using (true);", **INDEX}
    with pytest.raises(OperatorError, match=r"policy public\.contacts\.contacts_member"):
        apply(upgraded, folder(files), snapshot=read_snapshot())
    assert upgraded.execute(VERSIONS).fetchall() == []


def test_another_apply_that_does_not_end_is_told(new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgschema.apply.LONGEST_WAIT", 0)
    database = new_database()
    with database.connect() as busy, database.connect() as connection:
        busy.execute("select pg_advisory_lock(%s)", (0x636C69656E74,))
        with pytest.raises(OperatorError, match="another apply is still running"):
            apply(connection, read_migrations())
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_a_value_of_an_enum_is_added_alone_and_used_by_the_next_file(upgraded: Connection, folder: Folder) -> None:
    files = {"20990101000000_type.sql": 'create type public."Kind" as enum (\'a\'); create table public.t (k "Kind");'}
    apply(upgraded, folder(files))
    files |= {
        "20990101000001_value.sql": f"{ALONE}\nalter type public.\"Kind\" add value 'b';",
        "20990101000002_use.sql": "alter table public.t alter column k set default 'b';",
    }
    # As an interrupted run leaves it: added, and not recorded.
    upgraded.execute("alter type public.\"Kind\" add value 'b'")
    upgraded.commit()
    assert len(apply(upgraded, folder(files)).files) == 2
    assert apply(upgraded, folder(files)).files == ()


def test_a_half_built_index_with_a_quoted_name_is_built_again(upgraded: Connection, folder: Folder) -> None:
    upgraded.execute('create schema "S 1"; create table "S 1"."T 1" ("A" int); insert into "S 1"."T 1" values (1), (1)')
    upgraded.commit()
    build = 'create unique index concurrently if not exists "I 1" on "S 1"."T 1" ("A")'
    upgraded.autocommit = True
    with pytest.raises(psycopg.errors.UniqueViolation):
        upgraded.execute(build)
    upgraded.execute('truncate "S 1"."T 1"')
    upgraded.autocommit = False
    apply(upgraded, folder({"20990101000001_i.sql": f"{ALONE}\n{build};"}))
    valid = 'select indisvalid from pg_index where indexrelid = to_regclass(\'"S 1"."I 1"\')'
    assert upgraded.execute(valid).fetchone() == (True,)
