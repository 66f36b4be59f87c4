import threading
from collections.abc import Callable

import psycopg
import pytest

from common.errors import OperatorError
from pgschema.apply import Mark, MigrationError, apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.migrations import Migration, read_migrations
from tests.schema.conftest import OLD_DEFAULTS, Connection, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
LEDGER = "select version, name, statements from supabase_migrations.schema_migrations order by version"


@pytest.mark.parametrize("defaults", ["select 1", OLD_DEFAULTS], ids=["new default grants", "old default grants"])
def test_a_new_database_ends_as_reviewed_under_both_default_grants(empty: Connection, defaults: str) -> None:
    with empty as connection:
        connection.execute(defaults)
        connection.commit()
        applied = apply(connection, read_migrations(), snapshot=read_snapshot())
    assert applied.live.catalog == read_snapshot()
    assert len(applied.files) == len(read_migrations())
    assert applied.warnings == ()


def test_the_ledger_is_what_the_supabase_cli_would_have_written(schema: Connection) -> None:
    columns = schema.execute(
        "select column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = 'supabase_migrations' order by ordinal_position"
    ).fetchall()
    assert columns == [("version", "text", "NO"), ("statements", "ARRAY", "YES"), ("name", "text", "YES")]
    expected = [(each.version, each.name, [one.text for one in each.statements]) for each in read_migrations()]
    assert schema.execute(LEDGER).fetchall() == expected


def test_a_second_apply_finds_nothing_to_do(empty: Connection) -> None:
    first = apply(empty, read_migrations())
    second = apply(empty, read_migrations())
    assert second.files == ()
    assert second.live == first.live == read_live(empty)


def test_migrations_that_the_cli_applied_are_recognised(empty: Connection) -> None:
    migrations = read_migrations()
    for migration in migrations[:1]:
        for statement in migration.statements:
            empty.execute(statement.text)
        empty.execute("create schema supabase_migrations")
        empty.execute(
            "create table supabase_migrations.schema_migrations"
            " (version text primary key, statements text[], name text, created_by text)"
        )
        texts = [one.text for one in migration.statements]
        empty.execute(
            "insert into supabase_migrations.schema_migrations values (%s, %s, %s, 'cli')",
            (migration.version, texts, migration.name),
        )
    empty.commit()
    assert apply(empty, migrations).files == tuple(each.file for each in migrations[1:])


def test_an_upgrade_runs_only_the_new_migration_and_keeps_the_rows(empty: Connection, folder: Folder) -> None:
    apply(empty, read_migrations())
    empty.execute("insert into public.organizations (name, slug) values ('One', 'one')")
    empty.commit()
    new = "alter table public.organizations add column vat_number text;"
    applied = apply(empty, folder({"20990101000000_vat.sql": new}))
    assert applied.files == ("sql/migrations/20990101000000_vat.sql",)
    assert empty.execute("select name, vat_number from public.organizations").fetchall() == [("One", None)]


@pytest.mark.parametrize(
    ("text", "place", "state", "hint"),
    [
        ("create table public.a (\n  id uuid,\n  b txet\n);", "3:5", "42704", ""),
        ("create table public.a ();\n\n-- why\n  create table public.contacts ();", "4:3", "42P07", ""),
        ("select 1;\nselect nmae from public.contacts;", "2:8", "42703", ""),
        ("select 1;\nselect length(1);", "2:8", "42883", "Hint: No function matches"),
        (
            "insert into public.companies (organization_id, name) values (gen_random_uuid(), 'x')",
            "1:1",
            "23503",
            "constraint companies_organization_id_fkey",
        ),
        ("creat table public.a ();", "1:1", "42601", ""),
    ],
)
def test_a_failing_statement_names_its_place_and_leaves_nothing(
    empty: Connection, folder: Folder, text: str, place: str, state: str, hint: str
) -> None:
    apply(empty, read_migrations())
    before = read_live(empty)
    with pytest.raises(MigrationError) as failed:
        apply(
            empty, folder({"20990101000000_good.sql": "create table public.kept ();", "20990101000001_bad.sql": text})
        )
    told, source, caret = str(failed.value).split("\n")
    assert told.startswith(f"sql/migrations/20990101000001_bad.sql:{place}: ")
    assert f"(SQLSTATE {state})" in told
    assert hint in told
    line, column = (int(part) for part in place.split(":"))
    assert source == f"  {text.splitlines()[line - 1]}"
    assert caret.index("^") - 2 == column - 1
    assert read_live(empty) == before


def test_a_failed_check_does_not_tell_the_row(empty: Connection, folder: Folder) -> None:
    apply(empty, read_migrations())
    text = "insert into public.organizations (name, slug) values ('Confidential', 'NOT A SLUG')"
    with pytest.raises(MigrationError) as failed:
        apply(empty, folder({"20990101000000_bad.sql": text}))
    assert "Confidential" not in str(failed.value).split("\n")[0]


def test_two_applies_at_once_do_the_work_once(new_database: NewDatabase) -> None:
    connect = new_database().connect
    counts: list[int] = []

    def run() -> None:
        with connect() as connection:
            counts.append(len(apply(connection, read_migrations()).files))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, len(read_migrations())]


def test_a_table_that_is_in_use_stops_the_apply_instead_of_queueing_readers(
    new_database: NewDatabase, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = new_database().connect
    monkeypatch.setattr("pgschema.transaction.limits", lambda _=None: ("set local lock_timeout = '50ms'",))
    with connect() as reader, connect() as connection:
        apply(connection, read_migrations())
        reader.execute("select from public.contacts")
        with pytest.raises(MigrationError, match="lock timeout") as failed:
            apply(connection, folder({"20990101000000_a.sql": "alter table public.contacts add column x text"}))
    assert "(SQLSTATE 55P03)" in str(failed.value)


def test_an_edited_migration_is_refused_with_its_file(empty: Connection, folder: Folder) -> None:
    apply(empty, read_migrations())
    first = read_migrations()[0]
    with pytest.raises(OperatorError, match="was edited after it had been applied") as refused:
        apply(empty, folder({first.file.rsplit("/", 1)[1]: first.text + "\nselect 1;"}))
    assert first.file in str(refused.value)


def test_an_applied_migration_without_a_file_is_refused(empty: Connection) -> None:
    apply(empty, read_migrations())
    with pytest.raises(OperatorError, match=f"migration {read_migrations()[-1].version} .* has no file"):
        apply(empty, read_migrations()[:-1])


def test_a_row_without_statements_proves_nothing_and_is_refused(empty: Connection) -> None:
    apply(empty, read_migrations())
    empty.execute("update supabase_migrations.schema_migrations set statements = null")
    empty.commit()
    with pytest.raises(OperatorError, match="the ledger holds no SQL"):
        apply(empty, read_migrations())


def test_a_file_older_than_the_newest_applied_one_is_refused(empty: Connection, folder: Folder) -> None:
    apply(empty, read_migrations())
    with pytest.raises(OperatorError, match=r"20250101000000_late\.sql: is older than"):
        apply(empty, folder({"20250101000000_late.sql": "select 1"}))


def test_a_migration_that_weakens_security_unreviewed_is_rolled_back(empty: Connection, folder: Folder) -> None:
    apply(empty, read_migrations(), snapshot=read_snapshot())
    open_policy = "alter policy contacts_member on public.contacts using (true);"
    with pytest.raises(OperatorError, match=r"policy public\.contacts\.contacts_member \(using \(true\)\)"):
        apply(empty, folder({"20990101000000_open.sql": open_policy}), snapshot=read_snapshot())
    assert read_live(empty).catalog == read_snapshot()


def test_other_differences_and_foreign_objects_are_told_and_not_touched(empty: Connection) -> None:
    apply(empty, read_migrations(), snapshot=read_snapshot())
    empty.execute("create table public.theirs (id int); drop index public.idx_contacts_organization_status")
    empty.commit()
    index, table = apply(empty, read_migrations(), snapshot=read_snapshot()).warnings
    assert index.startswith("index public.contacts.idx_contacts_organization_status: missing. Undo it: CREATE INDEX ")
    assert table.startswith("table public.theirs, owner postgres: nobody else may use it. Not in sql/snapshot.json")


def test_the_mark_is_one_row_that_follows_the_latest_apply(empty: Connection) -> None:
    for name in ("client-acme-prod", "client-acme-test"):
        apply(empty, read_migrations(), mark=Mark("acme", name))
    assert empty.execute("select client_id, project_name from private.environment_mark").fetchall() == [
        ("acme", "client-acme-test")
    ]


def test_a_lost_connection_is_one_line(empty: Connection) -> None:
    empty.execute("select 1")
    empty.commit()
    empty.pgconn.finish()
    with pytest.raises(OperatorError, match="database: "):
        apply(empty, read_migrations())


def test_a_database_that_refuses_is_one_line(new_database: NewDatabase) -> None:
    with new_database().connect() as connection:
        connection.execute("set default_transaction_read_only = on")
        connection.commit()
        with pytest.raises(OperatorError, match=r"read-only transaction \(SQLSTATE 25006\)"):
            apply(connection, read_migrations())
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
