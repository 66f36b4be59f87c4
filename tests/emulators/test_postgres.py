"""The database server as a process: where it finds room, and what it makes of what an earlier one left."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.emulators import postgres
from local.emulators.ports import listen
from local.emulators.postgres import Postgres


@contextmanager
def running(state: Path) -> Iterator[Postgres]:
    server = Postgres(state, volatile=True)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def one(server: Postgres, query: str) -> Any:
    with server.admin() as admin:
        row = admin.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts the server as another user")
def test_below_a_folder_that_only_root_can_enter_it_runs_and_keeps_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_state: Callable[[], Path]
) -> None:
    monkeypatch.setattr(postgres, "COMMON", new_state())
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with running(closed / "state") as server:
        data = Path(one(server, "show data_directory"))
        assert data.owner() == postgres.SYSTEM_USER
        assert data.is_relative_to(postgres.COMMON)
        with server.admin() as admin:
            admin.execute("create table kept ()")
    with running(closed / "state") as server:
        assert one(server, "select to_regclass('kept')::text") == "kept"
    shutil.rmtree(closed / "state")
    with running(closed / "state") as server:
        assert one(server, "select to_regclass('kept')::text") is None


def test_it_comes_back_on_its_port_with_its_password_or_beside_it_when_that_is_taken(
    new_state: Callable[[], Path],
) -> None:
    state = new_state()
    with running(state) as server:
        port = server.port
    with running(state) as server:
        assert server.port == port
    with listen(port), running(state) as server:
        assert server.port != port
    assert (state / "postgres.json").stat().st_mode & 0o077 == 0


def test_a_start_that_was_killed_half_way_is_begun_again(new_state: Callable[[], Path]) -> None:
    state = new_state()
    half = state / "postgres" / "partial"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("17")
    with running(state) as server:
        assert one(server, "select 1") == 1


def test_a_server_that_a_killed_process_left_is_ended_first(new_state: Callable[[], Path]) -> None:
    state = new_state()
    left = Postgres(state, volatile=True)
    left.start()
    with left.admin() as connection, running(state) as server:
        assert one(server, "select 1") == 1
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    left.stop()


def test_the_number_of_a_dead_server_may_belong_to_somebody_else(new_state: Callable[[], Path]) -> None:
    state = new_state()
    with running(state) as server:
        pid_file = Path(one(server, "show data_directory")) / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    received: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        with running(state):
            pass
    finally:
        signal.signal(signal.SIGINT, before)
    assert received == []
