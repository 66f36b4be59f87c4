from collections.abc import Callable
from pathlib import Path

import pytest

from components.errors import OperatorError
from components.schema.migrations import ALONE, Migration, code_start, position, read_migrations

Folder = Callable[..., tuple[Migration, ...]]
INDEX = "create index concurrently if not exists a on public.b (c)"


def test_statements_are_split_as_written_without_semicolon(folder: Folder) -> None:
    text = "-- why\ncreate table a (b text default ';');\ndo $$ begin perform 1; end $$;\n"
    (migration,) = folder({"20260101000000_a.sql": text}, ours=False)
    assert [each.text for each in migration.statements] == [
        "-- why\ncreate table a (b text default ';')",
        "do $$ begin perform 1; end $$",
    ]
    assert [position(text, code_start(each)) for each in migration.statements] == [(2, 1), (3, 1)]


def test_a_digest_follows_the_statements_and_nothing_else(folder: Folder) -> None:
    names = ("20260101000000_a.sql", "20260101000001_b.sql", "20260101000002_c.sql")
    a, b, c = folder(dict(zip(names, ("select 1;", "select 1;\n\n", "select 2;"), strict=True)), ours=False)
    assert a.digest == b.digest != c.digest


def test_our_own_files_are_in_order_and_survive_the_way_through_the_supabase_cli() -> None:
    migrations = read_migrations()
    assert [each.version for each in migrations] == sorted({each.version for each in migrations})
    for migration in migrations:
        # What `supabase migration fetch` writes back is the file, byte for byte.
        assert ";\n".join([*(each.text for each in migration.statements), ""]) == migration.text


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "holds no migration"),
        ({"1_a.sql": "select 1"}, "is not named <UTC timestamp"),
        ({"20260101000000-a.sql": "select 1"}, "is not named <UTC timestamp"),
        ({"notes.txt": "hi"}, "is not named <UTC timestamp"),
        ({"20260101000000_a.sql": "-- nothing\n"}, "holds no statement"),
        ({"20260101000000_a.sql": "select 1", "20260101000000_b.sql": "select 2"}, "has the same version"),
        ({"20260101000000_a.sql": "select 1;\n COMMIT;\n"}, "20260101000000_a.sql:2:2: COMMIT does not belong"),
        ({"20260101000000_a.sql": "begin; select 1;"}, "begin does not belong"),
        ({"20260101000000_a.sql": "-- x\n\\i other.sql"}, "\\i does not belong"),
        ({"20260101000000_a.sql": "lock table x;"}, "lock does not belong"),
        ({"20260101000000_a.sql": "set  local x = 1;"}, "set  local does not belong"),
        ({"20260101000000_a.sql": "\ufeffselect 1;"}, "begins with a byte order mark"),
        ({"20260101000000_a.sql": "select 1;\r\n"}, "has carriage returns"),
        ({"20260101000000_a.sql": "select 1;" * 600_000}, "is 5.4 MB, more than a migration may be"),
        (
            {"20260101000000_a.sql": "create index\nconcurrently a on b (c);"},
            "a file of its own whose first line is --",
        ),
        ({"20260101000000_a.sql": "select 1;\n vacuum;"}, "20260101000000_a.sql:2:2: vacuum does not belong"),
        ({"20260101000000_a.sql": f"{ALONE}\nvacuum;"}, "must be one statement that can be repeated"),
        ({"20260101000000_a.sql": f"{ALONE}\ncreate index concurrently a on b (c);"}, "one statement that can be rep"),
        ({"20260101000000_a.sql": f"{ALONE}\n{INDEX};\n{INDEX};"}, "must be one statement that can be repeated"),
    ],
)
def test_what_is_no_migration_is_refused_by_name(folder: Folder, files: dict[str, str], expected: str) -> None:
    with pytest.raises(OperatorError) as refused:
        folder(files, ours=False)
    assert " ".join(expected.split()) in str(refused.value)


def test_a_missing_folder_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no such folder"):
        read_migrations(tmp_path / "sql" / "migrations")


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "20260101000000_a.sql").write_bytes(b"select '\xff'")
    with pytest.raises(OperatorError, match="UnicodeDecodeError"):
        read_migrations(tmp_path)


def test_a_statement_of_its_own_can_run_inside_a_transaction_too_with_each_character_in_its_place(
    folder: Folder,
) -> None:
    text = f"{ALONE}\n-- concurrently, so that nobody waits\n{INDEX};\n"
    (migration,) = folder({"20260101000000_a.sql": text}, ours=False)
    (statement,) = migration.statements
    assert migration.alone
    assert statement.text == text.rstrip(";\n")
    assert statement.in_transaction == text.rstrip(";\n").replace("index concurrently", "index             ")
