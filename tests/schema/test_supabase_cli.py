"""Our ledger and the official Supabase CLI's agree in both directions, and its advisors find nothing to say."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pgschema.apply import apply, read_live
from pgschema.catalog import compare, read_snapshot
from pgschema.migrations import SQL, Migration, read_migrations
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


LEDGER = "select version, statements from supabase_migrations.schema_migrations where version like '2099%' order by 1"
# Shapes that were cut wrong before: comments behind semicolons, nested comments, names, bodies.
SHAPES = {
    "20990101000000_comments.sql": "-- head\nselect 1; -- one\nselect 2; /* two */ ;\n-- the end;",
    "20990101000001_only.sql": "select 1;\n-- the end\n",
    "20990101000002_nested.sql": "/* outer /* inner; */ still outer; */ select 1;\nselect 2;",
    "20990101000003_names.sql": "create table public.shifts (id int primary key, begin date, finish date);"
    "\nalter table public.shifts add column declare int, add column atomic int;"
    "\ncreate index on public.shifts (begin);\nselect 5 # 3, '{}'::jsonb -> 'a', 1 - -1;",
    "20990101000004_quotes.sql": "select E'it\\'s; x', U&'\\0041;', 'a''b;', $$;$$, $a$ $$;$b$ $a$;"
    "do $do$ begin -- it's;\n perform 1; end $do$;\n\n\n-- end\n\n",
    "20990101000005_body.sql": "create function public.two(n int) returns int begin atomic select 1;"
    " select case when n > 1 then 2 end as end; end;\ncomment on function public.two is ';';",
}


def test_any_shape_of_file_is_recorded_as_the_cli_records_it_and_found_unchanged(
    cli: SupabaseCli, new_database: NewDatabase, folder: Callable[..., tuple[Migration, ...]]
) -> None:
    migrations, pushed, ours = folder(SHAPES, ours=False), new_database(), new_database()
    for name, text in SHAPES.items():
        (cli.migrations / name).write_text(text)
    cli(pushed, "db", "push", "--yes")
    with ours.connect() as connection:
        assert len(apply(connection, migrations).files) == len(SHAPES)
        recorded = connection.execute(LEDGER).fetchall()
    with pushed.connect() as connection:
        assert apply(connection, migrations).files == ()
        assert connection.execute(LEDGER).fetchall() == recorded
    assert cli(ours, "db", "push", "--dry-run")["upToDate"] is True


def test_the_advisors_of_supabase_have_nothing_to_say(cli: SupabaseCli, new_current: NewDatabase) -> None:
    database = new_current()
    with database.connect() as connection:
        found = cli(database, "db", "advisors", "--level", "info")["results"]
        assert {one["name"]: one["detail"] for one in found if one["name"] not in EXEMPT} == {}
        connection.execute("create table public.open (id int)")
        connection.commit()
    told = {one["name"] for one in cli(database, "db", "advisors", "--level", "info")["results"]}
    assert told > EXEMPT, "a table without a primary key is told"
