"""The command that shows and corrects the ledger, as an operator runs it."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from common.errors import OperatorError
from pgschema.apply import apply, read_live
from pgschema.history import correct, history
from pgschema.migrations import Migration, read_migrations
from tests.schema.conftest import PASSWORD, Connection, Database, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
LATE = "20250101000000_late.sql"


def command(database: Database, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "automation", "db", *arguments],
        env={**os.environ, **database.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_shows_files_and_ledger_side_by_side(current: Connection, folder: Folder) -> None:
    first, *_, last = read_migrations()
    files = folder({first.file.rsplit("/", 1)[1]: "select 1;", "20990101000000_new.sql": "select 1;"})
    current.execute("update supabase_migrations.schema_migrations set statements = null where name = 'crm'")
    current.commit()
    lines = history([each for each in files if each != last], read_live(current).migrations)
    assert [state for _, state, _ in lines].count("applied") == len(read_migrations()) - 3
    assert lines[0] == (first.version, "edited", first.name)
    assert lines[1][1:] == ("no SQL", "crm")
    assert lines[-2:] == [(last.version, "no file", ""), ("20990101000000", "pending", "new")]


def test_each_refusal_names_the_command_that_ends_it(current: Connection, folder: Folder) -> None:
    first, *_, last = read_migrations()
    stories = [
        (folder({first.file.rsplit("/", 1)[1]: "select 1;"}), "applied", first.version),
        (folder({LATE: "select 1;"}), "applied", LATE[:14]),
        (read_migrations()[:-1], "reverted", last.version),
    ]
    for files, verb, version in stories:
        with pytest.raises(OperatorError) as refused:
            apply(current, files)
        assert f"clients db repair {version} --status {verb}." in str(refused.value)
        correct(current, files, verb, [version])
        assert apply(current, files).files == ()
        correct(current, read_migrations(), "applied", [each.version for each in read_migrations()])
        if version == LATE[:14]:
            correct(current, files, "reverted", [version])


def test_it_touches_the_ledger_alone_and_all_versions_or_none(current: Connection) -> None:
    before = read_live(current)
    for verb, wrong in (("applied", "has no file in sql/migrations"), ("reverted", "is not in the ledger")):
        with pytest.raises(OperatorError, match=f"migration 20990101000000: {wrong}"):
            correct(current, read_migrations(), verb, [read_migrations()[0].version, "20990101000000"])
        assert read_live(current) == before
    correct(current, read_migrations(), "reverted", [read_migrations()[0].version])
    assert read_live(current).catalog == before.catalog
    assert len(read_live(current).migrations) == len(before.migrations) - 1


def test_the_command_corrects_and_prints_the_history(new_database: NewDatabase) -> None:
    database, version = new_database(), read_migrations()[0].version
    done = command(database, "repair", version, "--status", "applied")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"{version} applied foundation", f"{read_migrations()[1].version} pending crm"]


def test_a_wrong_password_is_one_line_without_it(ready: Database) -> None:
    refused = command(ready, "history", PGPASSWORD="wrong-0123456789")
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "password authentication failed" in line
    assert line.endswith("Check DATABASE_URL and PGPASSWORD.")
    assert "wrong-0123456789" not in line
    assert PASSWORD not in line


def test_what_it_does_not_understand_is_answered_with_its_usage(ready: Database) -> None:
    for arguments in (("--status", "applied"), ("20261123080000", "--status", "undo"), ("20261123080000",)):
        refused = command(ready, "repair", *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith("Usage: python -m automation db repair")
