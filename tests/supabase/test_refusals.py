"""The pooler's own words: told with a remedy, at once where waiting cannot help, waited for where it can."""

import logging
import time
from collections.abc import Callable

import psycopg
import pytest

from common.errors import OperatorError
from supabase_management import pooler, waiting
from supabase_management.client import Client
from supabase_management.pooler import DatabaseAddress, Login, attempt_login, wait_for_database
from supabase_management.refusals import KINDS, explain
from tests.conftest import Local
from tests.schema.conftest import PASSWORD, Database, NewDatabase, new_database

__all__ = ["new_database"]

NEVER = {
    "Address not in tenant allow_list: {203, 0, 113, 7}": "operatorAddresses",
    "(EADDRNOTALLOWED) address not in tenant allow_list: {203, 0, 113, 7}": "operatorAddresses",
    "exceed_egress_quota": "spend cap",
    "Service for this project is restricted due to the following violations: exceed_db_size_quota.": "upgrade its plan",
    "(EBANNED) tenant is banned: abuse": "support",
    "SSL connection is required": "PGSSLMODE=require",
    "(ESSLREQUIRED) SSL connection is required for user: postgres": "PGSSLMODE=require",
    "no tenant identifier provided (external_id or sni_hostname required)": "project ref",
}
LATER = {
    "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size": "pool size",
    "(EMAXCONN) max client connections reached, limit: 200": "pool size",
    "remaining connection slots are reserved for roles with the SUPERUSER attribute": "pool size",
    "Tenant or user not found": "after its creation",
    "(ENOTFOUND) tenant/user postgres.abc not found": "after its creation",
    "(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked": "old password",
    "Circuit breaker open: too many authentication failures": "old password",
    "DbHandler exited. Check logs for more information": "loses its connections",
    "(EDBHANDLEREXITED) connection to database closed. Check logs for more information": "loses its connections",
}
Refuse = Callable[..., None]


@pytest.fixture(scope="module")
def project(new_database: NewDatabase) -> Database:
    return new_database()


@pytest.fixture
def client(local: Local) -> Client:
    return Client(local.urls["supabase"], local.exports["SUPABASE_ACCESS_TOKEN"])


@pytest.fixture
def refuse(local: Local, project: Database) -> Refuse:
    """Makes the emulated pooler answer the next logins with these words."""

    def order(words: str, times: int = 1) -> None:
        path = f"/_local/projects/{project.ref}/pooler"
        local.supabase("PUT", path, json={"words": words, "times": times}).raise_for_status()

    return order


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between probes."""
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.01)


@pytest.mark.parametrize("words", NEVER)
def test_what_waiting_cannot_cure_ends_the_wait_at_once_with_words_and_remedy(
    client: Client, project: Database, refuse: Refuse, words: str
) -> None:
    refuse(words)
    with pytest.raises(OperatorError) as told:
        wait_for_database(client, project.ref, PASSWORD, timeout=600)
    kept = words.replace("{203, 0, 113, 7}", "203.0.113.7").rstrip(".")
    assert told.value.what == f"the pooler answers: {kept}"
    assert NEVER[words] in told.value.remedy
    # One login was refused, and no second one was tried: this one gets in.
    assert wait_for_database(client, project.ref, PASSWORD, timeout=30).user == f"postgres.{project.ref}"


@pytest.mark.parametrize("words", LATER)
def test_what_passes_by_itself_is_waited_for_with_the_words_shown(
    client: Client, project: Database, refuse: Refuse, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    refuse(words, 2)
    with caplog.at_level(logging.INFO, "client_environments"):
        wait_for_database(client, project.ref, PASSWORD, timeout=30)
    line = f"database of project {project.ref}: ACTIVE_HEALTHY, the pooler answers: {words}"
    assert [record.getMessage() for record in caplog.records] == [line]


@pytest.mark.parametrize("words", LATER)
def test_at_the_deadline_the_words_and_their_remedy_are_told(
    client: Client, project: Database, refuse: Refuse, words: str
) -> None:
    refuse(words, 1000)
    with pytest.raises(OperatorError) as told:
        wait_for_database(client, project.ref, PASSWORD, timeout=0.5)
    refuse(words, 0)
    assert f"last seen: ACTIVE_HEALTHY, the pooler answers: {words}" in told.value.what
    assert LATER[words] in told.value.remedy


def test_words_that_are_not_known_are_told_and_waited_for(
    client: Client, project: Database, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    refuse("the moon is full")
    with caplog.at_level(logging.INFO, "client_environments"):
        wait_for_database(client, project.ref, PASSWORD, timeout=30)
    assert "the pooler answers: the moon is full" in caplog.text


def test_a_login_tells_a_refusal_from_a_wrong_password_and_from_silence(project: Database, refuse: Refuse) -> None:
    refuse("Tenant or user not found")
    refused = attempt_login(project.address, PASSWORD)
    assert (refused.outcome, refused.state) == (Login.NOT_YET, "the pooler answers: Tenant or user not found")
    assert attempt_login(project.address, "wrong").refusal is None
    assert attempt_login(project.address, "wrong").outcome is Login.REFUSED
    nowhere = DatabaseAddress("127.0.0.1", 9, "postgres.x", "postgres", 9)
    assert (attempt_login(nowhere, PASSWORD).outcome, attempt_login(nowhere, "").remedy) == (Login.NO_ANSWER, "")


def test_a_temporary_login_is_not_tried_again_where_that_cannot_help(
    client: Client, project: Database, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = pooler.temporary_address(client, project.address)
    refuse("Address not in tenant allow_list: {203, 0, 113, 7}")
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"slept {seconds} s"))
    with pytest.raises(psycopg.OperationalError, match="allow_list"):
        pooler.connect(address, "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Address not in tenant allow_list: {8193, 3512, 0, 0, 0, 0, 0, 7}", "2001:db8::7"),
        ("Address not in tenant allow_list: {999, 0, 113, 7}", "(address)"),
        ("connection to 10.1.2.3 lost", "connection to (address) lost"),
        ("connection to 2001:db8::7 lost at 12:30:15", "connection to (address) lost at 12:30:15"),
        ("lost 10.1.2.3:5432, blocked until: 1764072000", "blocked until: 1764072000"),
        ("auth_query connection failed: {10, 1, 2, 3}", "auth_query connection failed: (address)"),
        ("max clients reached for ann@example.com", "for (e-mail address)"),
        ("two\x1b[31m words", "two[31m words"),
    ],
)
def test_words_are_one_printable_line_without_anybody_elses_address(words: str, told: str) -> None:
    refusal = explain(psycopg.OperationalError(f"connection failed: FATAL:  {words}\nand more"))
    assert refusal is not None
    assert told in refusal.words
    assert "more" not in refusal.words
    assert "10.1.2.3" not in refusal.words
    assert len(explain(psycopg.OperationalError("FATAL: " + "x" * 5000)).words) <= 240  # type: ignore[union-attr]


def test_every_kind_of_words_has_a_remedy_and_a_case_here() -> None:
    cases = {**NEVER, **LATER}
    for kind in KINDS:
        assert any(explain(psycopg.OperationalError(f"FATAL: {words}")).remedy == kind.remedy for words in cases)  # type: ignore[union-attr]
