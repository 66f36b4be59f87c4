"""No session with a client's database waits without an end: real locks, a statement that is never answered."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from common.errors import OperatorError
from components.supabase.owner import OwnerProvider
from supabase_management import pooler
from tests.conftest import Local
from tests.supabase.test_owner import PASSWORD, Home, make_home

WANTED = {
    "timeout": 20,
    "db_password": PASSWORD,
    "name": "Client",
    "slug": "client",
    "plan": "starter",
    "contact": "owner@client.example",
    "email": "owner@client.example",
    "role": "owner",
    "status": "active",
    "by_mail": False,
    "invitation": 1,
}
HELD = r"project \w+: another session has held a lock for 0.2 s. Nothing was changed. End that session"


@pytest.fixture(scope="module")
def home(local: Local) -> Home:
    return make_home(local)


@pytest.fixture
def wanted(home: Home, local: Local, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Inputs of an owner; the provider runs in this process, and is patient for a moment only."""
    for name, value in local.exports.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(pooler, "LOCK_SECONDS", 0.2)
    return {**WANTED, "project_ref": home.ref}


@contextmanager
def locked(home: Home, statement: str) -> Iterator[None]:
    """Within the block another session holds what the statement locks."""
    with pooler.connect(home.address, PASSWORD) as other:
        other.execute(statement.encode())
        yield


TABLE = "lock table public.organizations in access exclusive mode"
ROW = "select from public.organizations where slug = 'client' for update"


def test_a_held_table_ends_the_creation_of_an_owner_who_is_then_not_invited(home: Home, wanted: dict[str, Any]) -> None:
    with locked(home, TABLE), pytest.raises(OperatorError, match=HELD):
        OwnerProvider().create(wanted)
    assert home.sql("select count(*) from auth.users where email = %s", wanted["email"]) == [(0,)]


def test_a_held_row_ends_a_change_and_a_held_table_a_look(home: Home, wanted: dict[str, Any]) -> None:
    made = OwnerProvider().create(wanted)
    outputs = {**made.outs}
    with locked(home, ROW), pytest.raises(OperatorError, match=HELD):
        OwnerProvider().update(made.id, outputs, {**wanted, "name": "Another"})
    with locked(home, TABLE), pytest.raises(OperatorError, match=HELD):
        OwnerProvider().read(made.id, outputs)
    OwnerProvider().update(made.id, outputs, {**wanted, "name": "Another"})
    assert home.sql("select name from public.organizations where slug = 'client'") == [("Another",)]


def test_a_statement_that_takes_too_long_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooler, "STATEMENT_SECONDS", 0.2)
    with (
        pytest.raises(OperatorError, match=r"did not carry a statement out within 0.2 s"),
        pooler.open_session(home.address, PASSWORD) as connection,
    ):
        connection.execute("select pg_sleep(600)")


def test_a_session_that_is_never_answered_is_cut_off(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pooler, "SESSION_SECONDS", 0.2)
    with (
        pytest.raises(OperatorError, match=r"project \w+: the database did not answer within 0.2 s. Run it again"),
        pooler.open_session(home.address, PASSWORD) as connection,
    ):
        connection.execute("set local statement_timeout = 0; select pg_sleep(600)")


def test_a_session_that_ends_in_time_is_left_alone(home: Home) -> None:
    with pooler.connect(home.address, PASSWORD) as connection:
        with pooler.cut_off(connection, 600, "here"):
            connection.execute("select 1")
        assert connection.execute("select 2").fetchone() == (2,)


def test_an_error_in_time_stays_what_it_is(home: Home) -> None:
    with (
        pooler.connect(home.address, PASSWORD) as connection,
        pytest.raises(psycopg.errors.UndefinedTable),
        pooler.cut_off(connection, 600, "here"),
    ):
        connection.execute("select from no_such_table")


def test_every_connection_notices_that_the_other_end_is_gone(home: Home) -> None:
    with pooler.connect(home.address, PASSWORD) as connection:
        options = connection.info.get_parameters()
    assert {name: int(options[name]) for name in pooler.KEEPALIVE} == dict(pooler.KEEPALIVE)


def test_the_isolation_check_is_cut_off_in_one_line(home: Home, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from components.schema import isolation

    monkeypatch.setenv("DATABASE_URL", home.address.dsn)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    monkeypatch.setattr(isolation, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(isolation, "check", lambda connection: connection.execute("select pg_sleep(600)"))
    with pytest.raises(SystemExit, match="2"):
        isolation.main()
    assert capsys.readouterr().err.startswith("isolation check: the database did not answer within 0.2 s.")
