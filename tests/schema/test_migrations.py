from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import OperatorError
from pgschema.migrations import ALONE, Migration, code_start, digest, position, read_migrations

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


SAME = (
    "select 1;\nselect 2",
    "select 1;select 2;\n\n",
    "-- head\n\nselect 1 /* a */; -- one\nselect 2;\n-- the end\n",
    "/* a /* b; */ */ select 1; ;; select 2 -- c",
)
OTHER = ("select 1; select 3;", "select 1;", "select 1;\nselect  2;", "select 2; select 1;", "select 1 select 2")


def read(folder: Folder, text: str) -> Migration:
    return folder({"20260101000000_a.sql": text}, ours=False)[0]


def test_a_digest_follows_the_statements_and_not_what_is_around_them(folder: Folder) -> None:
    (same,) = {read(folder, text).digest for text in SAME}
    assert same not in {read(folder, text).digest for text in OTHER}


def test_a_comment_in_the_body_of_a_function_counts(folder: Folder) -> None:
    plain, commented = (read(folder, f"do $$ begin {text} perform 1; end $$;") for text in ("", "/* why */"))
    assert plain.digest != commented.digest


@pytest.mark.parametrize("text", SAME)
def test_a_ledgers_digest_is_the_files_however_it_was_cut(folder: Folder, text: str) -> None:
    migration = read(folder, text)
    # The CLI and we; sqlparse, which kept comments with the statement before; and one whole file as one piece.
    cuts = [list(migration.recorded), ["select 1; -- one", "select 2 -- two"], [text]]
    assert {digest(each) for each in cuts} == {migration.digest}


def test_what_another_tool_recorded_and_is_no_sql_equals_only_itself() -> None:
    assert digest(["select 'a"]) == digest(["select 'a"]) != digest(["select 'b"])


def test_a_file_begins_as_the_ledger_records_it_and_ends_with_its_last_comment(folder: Folder) -> None:
    migration = read(folder, "-- head\nselect 1; -- one\nselect 2;\n-- the end\n")
    assert migration.recorded == ("-- head\nselect 1", "-- one\nselect 2", "-- the end")
    assert [each.text for each in migration.statements] == ["-- head\nselect 1", "-- one\nselect 2"]
    assert [each.code_text for each in migration.statements] == ["select 1", "select 2"]


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
        ({"20260101000000_a.sql": "lock x;"}, "lock does not belong"),
        ({"20260101000000_a.sql": "select 1; /* a */ -- b\nrollback;"}, "_a.sql:2:1: rollback does not belong"),
        ({"20260101000000_a.sql": "start /* a */\ntransaction;"}, "_a.sql:1:1: start transaction does not belong"),
        ({"20260101000000_a.sql": "prepare transaction 'a'"}, "prepare transaction does not belong"),
        ({"20260101000000_a.sql": "savepoint a"}, "savepoint does not belong"),
        ({"20260101000000_a.sql": "set -- a\nlocal x = 1;"}, "set local does not belong"),
        (
            {"20260101000000_a.sql": "select 1;\ncopy public.a (b) from stdin;\nit's\t1\n\\.\n"},
            "_a.sql:2:1: COPY FROM STDIN does not belong into a migration. Write the rows as INSERT",
        ),
        ({"20260101000000_a.sql": "copy (select 1) to stdout"}, "COPY TO STDOUT does not belong"),
        ({"20260101000000_a.sql": "\\restrict k\nselect 1;"}, "_a.sql:1:1: \\restrict does not belong"),
        ({"20260101000000_a.sql": "select 1;\n\\unrestrict k"}, "_a.sql:2:1: \\unrestrict does not belong"),
        ({"20260101000000_a.sql": "select 1; \\connect b"}, "_a.sql:1:11: \\connect does not belong"),
        ({"20260101000000_a.sql": "select 1;\nselect 'a"}, "_a.sql:2:8: a quote is never closed"),
        ({"20260101000000_a.sql": "select 1; /* /* */"}, "_a.sql:1:11: a comment is never closed"),
        ({"20260101000000_a.sql": "select '\0'"}, "has a null character"),
        ({"20260101000000_a.sql": "set  local x = 1;"}, "set  local does not belong"),
        ({"20260101000000_a.sql": "\ufeffselect 1;"}, "begins with a byte order mark"),
        ({"20260101000000_a.sql": "select 1;\r\n"}, "has carriage returns"),
        (
            {"20260101000000_a.sql": "create index\nconcurrently a on b (c);"},
            "a file of its own whose first line is --",
        ),
        ({"20260101000000_a.sql": "select 1;\n vacuum;"}, "20260101000000_a.sql:2:2: vacuum does not belong"),
        ({"20260101000000_a.sql": "alter system set a = 1"}, "alter system does not belong"),
        ({"20260101000000_a.sql": "reindex table concurrently a"}, "REINDEX CONCURRENTLY does not belong"),
        (
            {"20260101000000_a.sql": "alter table a detach partition b concurrently"},
            "DETACH PARTITION CONCURRENTLY does not belong",
        ),
        (
            {"20260101000000_a.sql": "-- Transaction: none\nselect 1;"},
            "_a.sql:1:1: is not how a file is kept out of a transaction. Make its first line -- transaction: none",
        ),
        (
            {"20260101000000_a.sql": f"-- why\n{ALONE}\nalter type a add value 'b';"},
            "_a.sql:2:1: is not how a file is kept out of a transaction",
        ),
        ({"20260101000000_a.sql": f"{ALONE}\nvacuum;"}, "must be one statement that can be repeated"),
        ({"20260101000000_a.sql": f"{ALONE}\ncreate index concurrently a on b (c);"}, "one statement that can be rep"),
        ({"20260101000000_a.sql": f"{ALONE}\n{INDEX};\n{INDEX};"}, "must be one statement that can be repeated"),
    ],
)
def test_what_is_no_migration_is_refused_by_name(folder: Folder, files: dict[str, str], expected: str) -> None:
    with pytest.raises(OperatorError) as refused:
        folder(files, ours=False)
    assert " ".join(expected.split()) in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        'create table public.shifts (begin date, "end" date, local int, lock text, copy int);',
        "select 'begin'; select $$ commit; $$; -- rollback\n",
        "prepare a as select 1; set search_path = ''; select 1 as lock;",
        "create index a on public.b (concurrently); refresh materialized view concurrently public.c;",
        "comment on table a is 'copy b from stdin'; copy a from '/tmp/from stdin';",
        "alter type public.a add value 'b'; alter table a validate constraint b, add column c int;",
        "-- A transaction: none of these rows is new.\nselect 1;",
    ],
)
def test_what_only_looks_like_a_refused_statement_is_taken(folder: Folder, text: str) -> None:
    assert folder({"20260101000000_a.sql": text}, ours=False)


def test_a_file_of_many_megabytes_is_split(folder: Folder) -> None:
    text = "insert into public.a values (1, 'b;c', E'it\\'s', $$;$$);\n" * 40_000
    (migration,) = folder({"20260101000000_a.sql": text}, ours=False)
    assert len(text) > 2_000_000
    assert len(migration.statements) == 40_000


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


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (INDEX, {"index": "a", "table": "public . b"}),
        (
            'CREATE UNIQUE INDEX /* x */ CONCURRENTLY IF NOT EXISTS "My ""Index" ON ONLY "S 1"."My Table" '
            "USING btree (a)",
            {"index": '"My ""Index"', "table": '"S 1" . "My Table"'},
        ),
        (
            "create index concurrently if not exists Idx on Contacts(begin)",
            {"index": "idx", "table": "contacts"},
        ),
        ('drop index concurrently if exists public."A"', {}),
        ('alter table if exists only public."B c" validate constraint "d e"', {}),
        ("alter type public.\"T\" add value if not exists 'it''s' before 'b'", {}),
        ("alter type t add value 'b'", {}),
    ],
)
def test_what_runs_alone_tells_its_names_as_written(folder: Folder, text: str, names: dict[str, str | None]) -> None:
    migration = read(folder, f"{ALONE}\n-- why\n{text}; -- done\n")
    (statement,) = migration.statements
    assert statement.repeatable
    assert statement.repeatable.groupdict() == names
    assert len(statement.in_transaction) == len(statement.text)


@pytest.mark.parametrize(
    "text",
    [
        "create index concurrently if not exists on public.b (c)",
        "drop index concurrently if exists a, b",
        "drop index concurrently a",
        "alter table a validate constraint b, add column c int",
        "alter type a rename value 'b' to 'c'",
        "alter type a add value",
        "reindex index concurrently a",
        f"{INDEX}; select 1",
        "copy a from stdin",
    ],
)
def test_what_cannot_be_repeated_does_not_run_alone(folder: Folder, text: str) -> None:
    with pytest.raises(OperatorError, match="must be one statement that can be repeated"):
        read(folder, f"{ALONE}\n{text};\n")


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("alter type a add value 'b'", "alter type a add value if not exists 'b'"),
        ("alter type value add value 'b'", "alter type value add value if not exists 'b'"),
        (
            "alter type s.a /* c */ ADD VALUE 'b' after 'c'",
            "alter type s.a /* c */ ADD VALUE if not exists 'b' after 'c'",
        ),
        ("alter type a add value if not exists 'b'", "alter type a add value if not exists 'b'"),
        (INDEX, INDEX),
    ],
)
def test_outside_a_transaction_an_enum_value_is_added_once(folder: Folder, text: str, runs: str) -> None:
    (statement,) = read(folder, f"{ALONE}\n{text};").statements
    assert statement.outside_transaction == f"{ALONE}\n{runs}"
    assert statement.text == f"{ALONE}\n{text}"
