"""The whole database in sight: whatever somebody makes, changes or drops by hand is named, and nothing else is."""

import sys

import pytest

from pgschema.apply import apply, read_live
from pgschema.catalog import read_snapshot, readable
from pgschema.migrations import read_migrations
from tests.conftest import Local
from tests.schema.by_hand import changed, lines, read, unnamed
from tests.schema.conftest import Connection, Database, NewDatabase
from tests.schema.edits import EDITS, Edit

# What is said shows neither.
SECRETS = ("secret", "Bearer", "password=")


@pytest.fixture(scope="module")
def owner(ready: Database) -> str:
    """The role that deploys."""
    with ready.connect() as connection:
        return str(connection.execute("select current_user").fetchone()[0])  # type: ignore[index]


@pytest.fixture
def admin(ready: Database, local: Local) -> Connection:
    """A superuser's connection to the shared database."""
    with local.postgres.admin(ready.ref) as connection:
        yield connection  # type: ignore[misc]


def test_an_unchanged_database_names_nothing(ready: Database) -> None:
    with ready.connect() as connection:
        assert lines(read_live(connection).catalog) == {}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.kind)
def test_each_kind_of_edit_is_named_with_its_change_and_forgotten_with_its_end(
    admin: Connection, owner: str, edit: Edit
) -> None:
    with changed(admin, owner, edit.make, as_admin=edit.as_admin):
        made = lines(read(admin))
        assert any(line.startswith(edit.named) for line in made), sorted(made)
        if edit.change:
            admin.execute("reset role" if edit.as_admin else "select 1")
            admin.execute(edit.change.encode())
            admin.execute(f"set local role {owner}")
            after = lines(read(admin))
            assert after != made
            assert any(line.startswith(edit.named.partition(":")[0]) for line in after), sorted(after)
            made |= after
    assert not [line for line in made if any(secret in line for secret in SECRETS)]
    with changed(admin, owner, "select 1", as_admin=False):
        assert lines(read(admin)) == {}


def test_the_edits_are_many() -> None:
    assert len(EDITS) >= 56
    sys.stdout.write(f"{len(EDITS)} edits by hand, all named\n")


@pytest.mark.long
def test_every_hole_that_is_opened_is_named(admin: Connection, owner: str) -> None:
    holes = pytest.importorskip("tests.schema.holes")
    more = pytest.importorskip("tests.schema.more_holes")
    every = (*holes.LISTED, *more.MORE)
    missed = unnamed(admin, owner, every)
    sys.stdout.write(f"drift names {len(every) - len(missed)} of {len(every)} holes\n")
    assert missed == []


def test_a_closed_archive_of_a_taken_over_database_is_not_named_and_an_opened_one_is(
    admin: Connection, owner: str
) -> None:
    archive = "create schema before_baseline; create table before_baseline.contacts (id int)"
    with changed(admin, owner, archive, as_admin=False):
        assert lines(read(admin)) == {}
        admin.execute("grant usage on schema before_baseline to anon")
        assert set(lines(read(admin))) == {
            "schema before_baseline, owner postgres: anon may use",
            "table before_baseline.contacts, owner postgres: nobody else may use it",
        }


def test_an_older_projects_default_grants_end_as_reviewed(new_database: NewDatabase) -> None:
    with new_database().connect() as connection:
        connection.execute(
            "alter default privileges in schema public grant all on tables to anon, authenticated, service_role;"
            "alter default privileges in schema public grant all on functions to anon, authenticated, service_role"
        )
        connection.commit()
        apply(connection, read_migrations(), snapshot=read_snapshot())
        assert lines(read_live(connection).catalog) == {}
        connection.execute("create table public.x (id int); create function public.f() returns int language sql"
                           " as 'select 1'")  # fmt: skip
        live = read_live(connection).catalog
    assert (live["grants public.x"], live["function public.f()"].rpartition("rights: ")[2]) == (
        "none",
        "PUBLIC: EXECUTE",
    )


def test_with_migrations_pending_foreign_objects_are_named_and_older_objects_of_ours_are_not(
    schema: Connection,
) -> None:
    from pgschema.catalog import found

    schema.execute("create table public.x (id int); create table public.dropped_soon (id int)")
    live = read_live_open(schema)
    said = found(live, read_snapshot(), pending=True, recorded=["table public.dropped_soon"])
    assert "table public.x, owner postgres: nobody else may use it" in said
    assert not any("dropped_soon" in line for line in said)
    assert found(live, read_snapshot(), pending=False, recorded=()) == readable(live, read_snapshot())


def read_live_open(connection: Connection) -> dict[str, str]:
    """The catalog without ending the transaction."""
    return read(connection)
