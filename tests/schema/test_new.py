"""The file that `make migration` writes."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from common.errors import OperatorError
from pgschema.apply import apply
from pgschema.isolation import check
from pgschema.migrations import read_migrations
from pgschema.new_migration import LONGEST, main, write_migration
from tests.schema.conftest import Connection

LATER = datetime(2099, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    """A folder that holds our migrations."""
    folder = tmp_path / "sql/migrations"
    folder.mkdir(parents=True)
    for each in read_migrations():
        (folder / Path(each.file).name).write_text(each.text)
    return folder


@pytest.mark.parametrize("name", ["invoices", "a" * LONGEST], ids=["short", "longest"])
def test_the_file_as_it_is_makes_a_table_that_passes_the_isolation_check(
    migrations: Path, empty: Connection, name: str
) -> None:
    path = write_migration(name, migrations, LATER)
    assert path.name == f"20990102030405_{name}.sql"
    files = read_migrations(migrations)
    applied = apply(empty, files)
    reviewed = applied.live.catalog
    assert f"table public.{name}" in reviewed
    assert apply(empty, files, snapshot=reviewed).warnings == ()
    report = check(empty)
    assert report.passed, str(report)
    names = empty.execute("select relname from pg_class where relname like %s", (f"{name}%",)).fetchall()
    assert max(len(each) for (each,) in names) <= 63
    assert (f"{name}_organization_id_created_at_idx",) in names


def test_a_row_of_the_new_table_belongs_to_its_organization_alone(migrations: Path, empty: Connection) -> None:
    write_migration("invoices", migrations, LATER)
    apply(empty, read_migrations(migrations))
    empty.execute(
        "insert into public.organizations (name, slug) values ('A', 'a'), ('B', 'b');"
        "insert into public.users (organization_id, auth_user_id, email, full_name, status)"
        " select id, null, slug || '@example.org', name, 'active' from public.organizations;"
        "insert into public.invoices (organization_id, name) select id, name from public.organizations"
    )
    assert empty.execute("select count(*) from public.invoices").fetchone() == (2,)
    empty.execute("set local role authenticated")
    assert empty.execute("select count(*) from public.invoices").fetchone() == (0,)
    empty.execute("set local role anon")
    with pytest.raises(Exception, match="permission denied"):
        empty.execute("select count(*) from public.invoices")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "is no name for a table"),
        ("Invoices", "'Invoices' is no name for a table"),
        ("1_invoices", "is no name for a table"),
        ("in-voices", "is no name for a table"),
        ("../invoices", "is no name for a table"),
        ("in__voices", "is no name for a table"),
        ("invoices;", "is no name for a table"),
        ("a" * (LONGEST + 1), "is no name for a table"),
        ("contacts", "table public.contacts is there already"),
        ("foundation", "_foundation.sql: has this name already"),
    ],
)
def test_a_bad_or_taken_name_is_refused_and_nothing_written(migrations: Path, name: str, expected: str) -> None:
    before = sorted(migrations.iterdir())
    with pytest.raises(OperatorError) as refused:
        write_migration(name, migrations, LATER)
    assert expected in str(refused.value)
    assert sorted(migrations.iterdir()) == before


def test_a_clock_that_is_behind_the_newest_file_is_refused(migrations: Path) -> None:
    with pytest.raises(OperatorError, match="is newer than the time now, 20200101000000"):
        write_migration("invoices", migrations, datetime(2020, 1, 1, tzinfo=UTC))


def test_the_same_name_twice_is_refused(migrations: Path) -> None:
    write_migration("invoices", migrations, LATER)
    with pytest.raises(OperatorError, match=r"20990102030405_invoices\.sql: has this name already"):
        write_migration("invoices", migrations, LATER)


def test_without_a_name_the_usage_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err == "usage: make migration NAME=invoices\n"


def test_the_command_refuses_in_one_line() -> None:
    command = [sys.executable, "-m", "pgschema.new_migration", "Contacts"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "is no name for a table" in done.stderr
