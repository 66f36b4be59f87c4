"""The gate before COMMIT: nothing open or unreviewed is committed, and what is refused is named with its file."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from common.errors import OperatorError
from pgschema import gate, isolation
from pgschema.apply import apply, read_live
from pgschema.catalog import query, read_snapshot
from pgschema.gate import GateError
from pgschema.migrations import ALONE, Migration, read_migrations
from tests.conftest import Local
from tests.schema.conftest import PASSWORD, Connection, Database, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
FILE = "20990101000000_price_list.sql"
PRICE_LIST = """
create table public.price_list (id int primary key, note text);
insert into public.price_list values (1, 'purchase price 3.20');
grant select on public.price_list to anon, authenticated;
"""
OPEN_BY_HAND = "create table leads (mail text); insert into leads values ('x'); grant select on leads to anon"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def client(new_current: NewDatabase) -> Database:
    """A client's database as reviewed."""
    return new_current()


@pytest.fixture
def connection(client: Database) -> Iterator[Connection]:
    with client.connect() as opened:
        yield opened


def reviewed(connection: Connection, *statements: str) -> dict[str, str]:
    """The snapshot as `make snapshot` would write it with these statements."""
    for statement in statements:
        connection.execute(statement.encode())
    connection.execute("set local search_path = ''")
    found = dict(connection.execute(query()).fetchall())
    connection.rollback()
    return found


def test_a_migration_that_opens_a_table_leaves_database_and_ledger_as_before(
    connection: Connection, folder: Folder
) -> None:
    before = read_live(connection)
    with pytest.raises(GateError) as refused:
        apply(connection, folder({FILE: PRICE_LIST}), snapshot=read_snapshot())
    assert read_live(connection) == before
    lines = refused.value.lines
    assert any("price_list: select as anon (not signed in)" in line and line.endswith(f"{FILE}]") for line in lines)
    assert any("price_list: select as authenticated (" in line for line in lines)


def test_a_leak_is_refused_although_the_snapshot_was_made_anew(connection: Connection, folder: Folder) -> None:
    snapshot = reviewed(connection, PRICE_LIST)
    with pytest.raises(GateError, match=r"price_list: select as anon") as refused:
        apply(connection, folder({FILE: PRICE_LIST}), snapshot=snapshot)
    assert not any("snapshot" in line for line in refused.value.lines)
    assert read_live(connection).migrations == {each.version: each.digest for each in read_migrations()}


def test_each_leak_is_told_once_and_those_of_one_table_stand_together(connection: Connection, folder: Folder) -> None:
    files = {
        FILE: PRICE_LIST,
        "20990101000001_open.sql": "alter policy contacts_member on public.contacts using (true) with check (true);",
    }
    with pytest.raises(GateError) as refused:
        apply(connection, folder(files), snapshot=reviewed(connection, *files.values()))
    lines = refused.value.lines
    tables = [line.partition(":")[0] for line in lines]
    assert len(set(lines)) == len(lines)
    assert tables == sorted(tables)
    assert all(line.endswith("_open.sql]") for line in lines if line.startswith("contacts: "))
    assert {"contacts", "price_list"} <= set(tables)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "create table public.invoices (organization_id uuid not null);",
            "table public.invoices is not in sql/snapshot.json: run make snapshot, review the difference, commit it",
        ),
        ("create view public.mails as select email from public.contacts;", "view public.mails is not in"),
        (
            "create function public.everybody() returns int language sql security definer as 'select 1';",
            "function public.everybody() is not in",
        ),
        ("create function private.helper() returns int language sql as 'select 1';", "private.helper() is not in"),
        ("create sequence public.numbers;", "sequence public.numbers is not in"),
        ("create materialized view public.sums as select 1 as one;", "matview public.sums is not in"),
        ("alter table public.contacts add column nick text;", "column public.contacts.nick (added text) is not in"),
        ("create index on public.contacts (phone);", "index public.contacts.contacts_phone_idx ("),
        ("alter table public.deals alter stage set default 'proposal';", "column public.deals.stage ("),
        (
            "alter table public.deals drop constraint deals_amount_check;",
            "constraint public.deals.deals_amount_check is in sql/snapshot.json and would be dropped",
        ),
    ],
)
def test_what_a_pending_file_does_without_the_snapshot_is_refused_by_name(
    connection: Connection, folder: Folder, text: str, told: str
) -> None:
    before = read_live(connection)
    with pytest.raises(GateError) as refused:
        apply(connection, folder({FILE: text}), snapshot=read_snapshot())
    unreviewed = [line for line in refused.value.lines if "snapshot" in line]
    assert len(unreviewed) == 1
    assert unreviewed[0].startswith(f"sql/migrations/{FILE}: ")
    assert told in unreviewed[0]
    assert "not made by our migrations" not in str(refused.value)
    assert read_live(connection) == before


def test_what_was_made_by_hand_is_a_warning_and_does_not_stop_an_upgrade(
    connection: Connection, folder: Folder
) -> None:
    # Its default grants include TRUNCATE, which is a leak.
    connection.execute("create table public.theirs (id int)")
    connection.execute("revoke all on public.theirs from anon, authenticated, service_role")
    connection.execute("alter table public.deals alter stage set default 'proposal'")
    connection.commit()
    text = "comment on table public.contacts is 'people';"
    applied = apply(connection, folder({FILE: text}), snapshot=read_snapshot())
    assert applied.files == (f"sql/migrations/{FILE}",)
    assert len(applied.warnings) == 2


def test_a_hole_made_by_hand_stops_the_next_upgrade_and_names_no_file(connection: Connection, folder: Folder) -> None:
    connection.execute(OPEN_BY_HAND)
    connection.commit()
    with pytest.raises(GateError) as refused:
        apply(connection, folder({FILE: "select 1;"}), snapshot=read_snapshot())
    assert all(line.startswith("leads: ") and not line.endswith("]") for line in refused.value.lines)


def test_an_apply_that_does_nothing_attacks_nothing(connection: Connection) -> None:
    connection.execute(OPEN_BY_HAND)
    connection.commit()
    assert apply(connection, read_migrations(), snapshot=read_snapshot()).files == ()
    with pytest.raises(GateError, match="No pending migration made the leaks"):
        apply(connection, read_migrations(), snapshot=read_snapshot(), prove=True)


def test_a_repair_is_attacked_and_committed_although_something_foreign_stays_open(connection: Connection) -> None:
    connection.execute(f"{OPEN_BY_HAND}; alter policy deals_member on public.deals using (true)")
    connection.commit()
    with pytest.raises(GateError, match=r"Repaired all the same: policy public\.deals\.deals_member\.") as refused:
        apply(connection, read_migrations(), snapshot=read_snapshot())
    assert any(line.startswith("leads: select as anon") for line in refused.value.lines)
    name = "policy public.deals.deals_member"
    assert read_live(connection).catalog[name] == read_snapshot()[name]


@pytest.mark.parametrize(
    "first",
    [pytest.param(n, marks=() if n in {1, 6, 8, 18} else pytest.mark.long) for n in range(1, len(read_migrations()))],
)
def test_a_client_of_any_older_release_is_upgraded(empty: Connection, first: int) -> None:
    apply(empty, read_migrations()[:first])
    applied = apply(empty, read_migrations(), snapshot=read_snapshot())
    assert len(applied.files) == len(read_migrations()) - first
    assert applied.live.catalog == read_snapshot()


def test_a_leak_behind_an_index_that_runs_alone_is_refused_before_the_index(
    connection: Connection, folder: Folder
) -> None:
    index = "create index concurrently if not exists deals_note on public.deals (title);"
    files = {FILE: PRICE_LIST, "20990101000001_index.sql": f"{ALONE}\n{index}\n", "20990101000002_c.sql": "select 1;"}
    with pytest.raises(GateError, match="price_list: select as anon") as refused:
        apply(connection, folder(files), snapshot=read_snapshot())
    # The snapshot is the end state, and a file of SQL is still to come.
    assert "snapshot" not in str(refused.value)
    assert "table public.price_list" not in read_live(connection).catalog


def test_what_ran_alone_is_attacked_too(
    connection: Connection, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[bool] = []
    monkeypatch.setattr(gate, "find_leaks", lambda *_, **__: judged.append(True) or [])
    index = "create index concurrently if not exists deals_title on public.deals (title);"
    snapshot = reviewed(connection, index.replace("concurrently if not exists ", ""))
    apply(connection, folder({FILE: f"{ALONE}\n{index}\n"}), snapshot=snapshot)
    assert judged == [True]


def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the attacks wait for a lock for a moment only."""
    session = tuple(command.replace("lock_timeout = '2s'", "lock_timeout = '50ms'") for command in isolation.SESSION)
    assert session != isolation.SESSION
    monkeypatch.setattr(isolation, "SESSION", session)


def test_a_lock_of_another_session_is_waited_out_by_beginning_again(
    client: Database, connection: Connection, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    held, tries = client.connect(), list[int]()
    held.execute("lock table public.deals in share mode")
    original = isolation.judge

    def judge(*args: object, **kwargs: object) -> isolation.Report:
        tries.append(1)
        if len(tries) == 3:
            held.rollback()
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(isolation, "judge", judge)
    with held:
        applied = apply(connection, folder({FILE: "select 1;"}), snapshot=read_snapshot())
    assert (applied.files, len(tries)) == ((f"sql/migrations/{FILE}",), 3)


def test_a_lock_that_stays_ends_after_three_more_tries_with_everything_as_before(
    client: Database, connection: Connection, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch)
    before, tries = read_live(connection), list[int]()
    original = isolation.judge

    def judge(*args: object, **kwargs: object) -> isolation.Report:
        tries.append(1)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(isolation, "judge", judge)
    with client.connect() as held:
        held.execute("lock table public.deals in share mode")
        with pytest.raises(OperatorError, match="lock"):
            apply(connection, folder({FILE: "select 1;"}), snapshot=read_snapshot())
        held.rollback()
    assert len(tries) == 4
    assert read_live(connection) == before


def test_the_gate_leaves_settings_role_rows_and_sequences_as_they_were(connection: Connection) -> None:
    state = "select name, setting from pg_settings where source not in ('client', 'default') order by name"
    connection.execute("create sequence public.counter; select nextval('public.counter')")
    count = "select count(*) from public.organizations"
    sequence = "select last_value from public.counter"
    queries = (state, count, sequence, "select current_user, session_user, current_setting('search_path')")
    before = [connection.execute(query.encode()).fetchall() for query in queries]
    isolation.judge(connection)
    assert [connection.execute(query.encode()).fetchall() for query in queries] == before


KILLED = """
import os, sys
from pgschema import apply as module, gate
from pgschema.catalog import query, read_snapshot
from components.schema.connection import connect_from_environment
from pgschema.migrations import read_migrations

original = gate.judge
def judge(*args, **kwargs):
    found = original(*args, **kwargs)
    sys.stdout.write("judged\\n")
    sys.stdout.flush()
    sys.stdin.read()
    return found
gate.judge = judge
with connect_from_environment() as connection:
    module.apply(connection, read_migrations(), snapshot=read_snapshot())
"""


def test_a_process_killed_between_gate_and_commit_leaves_the_database_as_before(new_database: NewDatabase) -> None:
    made = new_database()
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED],
        cwd=ROOT,
        env={**os.environ, **made.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "judged\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with made.connect() as connection:
        # The server ends the dead session's transaction when it notices; the apply's lock waits for that.
        applied = apply(connection, read_migrations(), snapshot=read_snapshot())
    assert len(applied.files) == len(read_migrations())
    assert applied.live.catalog == read_snapshot()


def test_an_engine_gone_between_gate_and_commit_leaves_the_database_as_before(
    connection: Connection, folder: Folder
) -> None:
    def gone() -> None:
        raise OperatorError("the Pulumi engine is gone")

    before = read_live(connection)
    files = folder({FILE: "create function private.late() returns int language sql as 'select 1';"})
    with pytest.raises(OperatorError, match="engine is gone"):
        apply(connection, files, before_commit=gone)
    assert read_live(connection) == before


def test_a_connection_lost_between_gate_and_commit_leaves_the_database_as_before(
    client: Database, folder: Folder, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = gate.judge

    def judge(connection: Connection, *args: object, **kwargs: object) -> object:
        found = original(connection, *args, **kwargs)  # type: ignore[arg-type]
        with local.postgres.admin() as admin:
            admin.execute("select pg_terminate_backend(%s, 5000)", (connection.info.backend_pid,))
        return found

    monkeypatch.setattr(gate, "judge", judge)
    with client.connect() as connection:
        before = read_live(connection)
    files = folder({FILE: "comment on table public.contacts is 'people'; create role gone_again;"})
    with pytest.raises(OperatorError) as lost, client.connect() as connection:
        apply(connection, files, snapshot=read_snapshot())
    assert PASSWORD not in str(lost.value)
    with client.connect() as connection:
        assert read_live(connection) == before
        assert connection.execute("select from pg_roles where rolname = 'gone_again'").fetchone() is None
