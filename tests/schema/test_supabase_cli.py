"""Our ledger and the official Supabase CLI's agree in both directions, and its advisors find nothing to say."""

import shutil
from pathlib import Path

import pytest

from components.schema.apply import apply, read_live
from components.schema.catalog import compare, read_snapshot
from components.schema.migrations import SQL, read_migrations
from tests.npm import PackageMissingError
from tests.schema.conftest import NewDatabase
from tests.schema.supabase_cli import SupabaseCli, fetched

FILES = sorted((SQL / "migrations").glob("*.sql"))
# It names indexes that no query has used yet, which in a new database is every one.
EXEMPT = {"unused_index"}


@pytest.fixture
def cli(tmp_path: Path) -> SupabaseCli:
    try:
        return SupabaseCli(fetched(), tmp_path)
    except PackageMissingError as missing:
        pytest.skip(str(missing))


def test_what_we_apply_the_cli_takes_for_its_own(cli: SupabaseCli, new_database: NewDatabase) -> None:
    database = new_database()
    with database.connect() as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
    for file in FILES:
        shutil.copy(file, cli.migrations)
    listed = cli(database, "migration", "list")["migrations"]
    assert [(one["local"], one["remote"]) for one in listed] == [(file.name[:14],) * 2 for file in FILES]
    assert cli(database, "db", "push", "--dry-run")["upToDate"] is True
    shutil.rmtree(cli.migrations)
    cli(database, "migration", "fetch")
    assert {file.name: file.read_text() for file in cli.migrations.iterdir()} == {
        file.name: file.read_text() for file in FILES
    }


def test_what_the_cli_pushes_we_recognise(cli: SupabaseCli, new_database: NewDatabase) -> None:
    database = new_database()
    for file in FILES:
        shutil.copy(file, cli.migrations)
    cli(database, "db", "push", "--yes")
    with database.connect() as connection:
        live = read_live(connection)
        applied = apply(connection, read_migrations(), snapshot=read_snapshot())
    assert (applied.files, applied.repaired) == ((), ())
    assert live.migrations == {migration.version: migration.digest for migration in read_migrations()}
    assert not compare(live.catalog, read_snapshot()).security


def test_the_advisors_of_supabase_have_nothing_to_say(cli: SupabaseCli, new_database: NewDatabase) -> None:
    database = new_database()
    with database.connect() as connection:
        apply(connection, read_migrations())
        found = cli(database, "db", "advisors", "--level", "info")["results"]
        assert {one["name"]: one["detail"] for one in found if one["name"] not in EXEMPT} == {}
        connection.execute("create table public.open (id int)")
        connection.commit()
    told = {one["name"] for one in cli(database, "db", "advisors", "--level", "info")["results"]}
    assert told > EXEMPT, "a table without a primary key is told"
