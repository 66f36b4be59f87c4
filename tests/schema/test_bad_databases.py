"""Databases that fail an apply half way: one clear line, nothing half applied, and the next apply goes on."""

import threading
from collections.abc import Callable

import psycopg
import pytest

from common.errors import OperatorError
from pgschema.apply import MigrationError, apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.errors import REMEDIES
from pgschema.migrations import Migration, read_migrations
from tests.conftest import Local
from tests.schema.conftest import PASSWORD, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]
DOZING = "select pid from pg_stat_activity where datname = %s and query like '%%pg_sleep%%' and pid <> pg_backend_pid()"


def test_a_database_that_goes_away_half_way_holds_nothing_of_it(
    new_database: NewDatabase, local: Local, folder: Folder
) -> None:
    made = new_database()
    said: list[str] = []
    slow = folder({"20990101000000_slow.sql": "create table public.half ();\nselect pg_sleep(60);"})

    def run() -> None:
        with made.connect() as connection, pytest.raises(OperatorError) as lost:
            apply(connection, slow)
        said.append(str(lost.value))

    thread = threading.Thread(target=run)
    thread.start()
    with local.postgres.admin() as admin:
        while (found := admin.execute(DOZING, (made.ref,)).fetchone()) is None:
            assert thread.is_alive()
            admin.execute("select pg_sleep(0.02)")
        admin.execute("select pg_terminate_backend(%s)", found)
    thread.join(60)
    # Whether the server's farewell still came through is its own affair.
    assert "connection" in said[0]
    assert "Nothing was applied" in said[0] or "It left nothing behind" in said[0]
    assert PASSWORD not in said[0]
    with made.connect() as connection:
        live = read_live(connection)
        assert (live.migrations, live.catalog.get("table public.half")) == ({}, None)
        connection.execute("select 1")
        connection.commit()
        assert apply(connection, read_migrations(), snapshot=read_snapshot()).live.catalog == read_snapshot()


@pytest.mark.parametrize("code", ["53100", "25006"])
def test_a_full_or_read_only_disk_is_told_with_its_place_and_remedy(
    new_database: NewDatabase, folder: Folder, code: str
) -> None:
    # The server's own refusal, raised where a statement of ours stands.
    raised = f"do $$ begin raise exception 'could not extend file' using errcode = '{code}'; end $$;"
    with new_database().connect() as connection:
        with pytest.raises(MigrationError) as refused:
            apply(connection, folder({"20990101000000_a.sql": raised}))
        assert f"(SQLSTATE {code})" in str(refused.value)
        assert REMEDIES[code] in str(refused.value)
        assert read_live(connection).migrations == {}
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
