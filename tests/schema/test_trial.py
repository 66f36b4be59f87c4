"""Trying pending migrations: what they would do is told exactly, and nothing stays."""

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from components.errors import OperatorError
from components.schema.apply import MigrationError, apply, read_live
from components.schema.migrations import Migration, read_migrations
from components.schema.trial import attempt, clone
from emulators import postgres
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
    new_database: NewDatabase, folder: Folder, copy: str
) -> None:
    with new_database().connect() as live:
        apply(live, read_migrations())
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


def test_a_catalog_that_cannot_be_cloned_is_one_line(new_database: NewDatabase, copy: str) -> None:
    with new_database().connect() as live:
        live.execute("create schema theirs; create type theirs.kind as enum ('a'); create table t (k theirs.kind)")
        live.commit()
        with (
            pytest.raises(OperatorError, match=r'psql: the catalog cannot be cloned: .*schema "theirs" does not exist'),
            clone(live, copy),
        ):
            pass
