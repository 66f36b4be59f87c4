"""Reaching a project's database: through the pooler, whose address only the API knows. Knows no Pulumi."""

import ipaddress
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any
from urllib.parse import quote

import psycopg
import stamina

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError, WrongPasswordError
from supabase_management.models import PoolerRecord, TemporaryLogin
from supabase_management.refusals import Refusal, explain
from supabase_management.waiting import Pending, project_on_its_way, wait_until

TRANSACTION_PORT, SESSION_PORT = 6543, 5432
MOST_REFUSALS = 3  # the pooler bans an address that fails again and again
LOGIN_SECONDS = 10.0
# Of a session that reads or writes a few rows: each lock, each statement, and the whole.
LOCK_SECONDS, STATEMENT_SECONDS, SESSION_SECONDS = 10, 60, 180.0
# A connection whose other end is gone without a word breaks after a minute instead of two hours.
KEEPALIVE: Mapping[str, int] = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
PAUSE_AFTER_REFUSAL = 10.0  # seconds; the pooler caches the old password for a moment
BECOME = "select set_config('role', %s, false) where current_user = session_user"


@dataclass(frozen=True)
class DatabaseAddress:
    """Where and as whom to log in. Never holds the password.

    Attributes:
        port: of session mode.
        transaction_port: of transaction mode (no prepared statements).
        temporary: the login to use instead of `user` and its password, where those do not open the database.
    """

    host: str
    port: int
    user: str
    database: str
    transaction_port: int
    temporary: TemporaryLogin | None = field(default=None, repr=False)

    @property
    def dsn(self) -> str:
        """`postgresql://user@host:port/database` of session mode, without a password."""
        return self._dsn(self.port)

    @property
    def transaction_dsn(self) -> str:
        """The same for transaction mode."""
        return self._dsn(self.transaction_port)

    @property
    def ref(self) -> str:
        """The project: the pooler knows each role as `<role>.<ref>`."""
        return self.user.partition(".")[2]

    def _dsn(self, port: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{quote(self.user, safe='')}@{host}:{port}/{quote(self.database, safe='')}"


class Login(Enum):
    """How one login ended."""

    ACCEPTED = "accepted"
    REFUSED = "wrong password"
    NOT_YET = "the pooler lets nobody in for now"
    NO_ANSWER = "the database does not answer"


@dataclass(frozen=True)
class Attempt:
    """One login.

    Attributes:
        outcome: how it ended.
        refusal: the pooler's words, where it gave some and they were not about the password.
    """

    outcome: Login
    refusal: Refusal | None = None

    @property
    def state(self) -> str:
        """The outcome with the pooler's words."""
        return f"the pooler answers: {self.refusal.words}" if self.refusal else self.outcome.value

    @property
    def remedy(self) -> str:
        """What the operator can do, empty where nothing is known to help."""
        return self.refusal.remedy if self.refusal else ""

    def require_hope(self, ref: str) -> None:
        """End a wait that cannot succeed.

        Raises:
            OperatorError: the pooler refuses for a reason that does not pass by itself.
        """
        if self.refusal and not self.refusal.passes:
            raise OperatorError(self.state, f"database of project {ref}", self.remedy)


def pooler_address(poolers: list[PoolerRecord]) -> DatabaseAddress | None:
    """The primary database's address, or None while the pooler has none."""
    for pooler in poolers:
        if pooler.database_type == "PRIMARY":
            given = int(pooler.db_port)
            session = SESSION_PORT if given == TRANSACTION_PORT else given
            return DatabaseAddress(pooler.db_host, session, pooler.db_user, pooler.db_name, given)
    return None


def find_address(client: Client, ref: str) -> DatabaseAddress | None:
    """The project's address, or None while the API has none."""
    try:
        return pooler_address(client.poolers(ref))
    except ApiError as error:
        if error.not_found:
            return None
        raise


def connect(
    address: DatabaseAddress, password: str, *, timeout: float = LOGIN_SECONDS, **kwargs: Any
) -> psycopg.Connection:
    """Log in, in session mode, encrypted unless the host is this machine.

    Args:
        password: of `address.user`; not looked at when the address brings a temporary login.
        timeout: seconds to wait for the connection.
        kwargs: passed to `psycopg.connect`.

    Raises:
        psycopg.OperationalError: no login; `login` tells the causes apart.
        ApiError: there is no temporary login to be had.
    """
    if (given := address.temporary) is None:
        return _open(address, address.user, password, timeout, kwargs)
    # The pooler remembers the login's last password for a moment.
    for attempt in stamina.retry_context(_may_pass, 4, timeout=None, wait_initial=3, wait_max=3):
        with attempt:
            if attempt.num == 3:  # somebody else has asked meanwhile, which changes the password
                with Client.from_environment() as client:
                    given = client.temporary_login(address.ref)
            return _become(_open(address, f"{given.role}.{address.ref}", given.password, timeout, kwargs), address)
    raise AssertionError("stamina lets the last error through")


def _open(
    address: DatabaseAddress, user: str, password: str, timeout: float, options: dict[str, Any]
) -> psycopg.Connection:
    return psycopg.connect(
        host=address.host,
        port=address.port,
        user=user,
        dbname=address.database,
        password=password,
        sslmode="prefer" if _loopback(address.host) else "require",
        connect_timeout=max(2, round(timeout)),
        **{"application_name": "client-environments", **KEEPALIVE, **options},
    )


def _may_pass(error: Exception) -> bool:
    """Whether the same login may succeed a moment later."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    refusal = None if refused(error) else explain(error)
    return refusal is None or refusal.passes


def _become(connection: psycopg.Connection, address: DatabaseAddress) -> psycopg.Connection:
    """Act as the address's role for the whole session: a temporary login inherits nothing from it."""
    with cut_off(connection, LOGIN_SECONDS, f"project {address.ref}"):
        connection.execute(BECOME, (address.user.partition(".")[0],))
        connection.commit()  # a rollback would undo it
    return connection


@contextmanager
def open_session(address: DatabaseAddress, password: str) -> Iterator[psycopg.Connection]:
    """Log in for one short transaction, in which every lock and every statement is waited for only so long.

    Raises:
        OperatorError: another session holds a lock, or the database does not answer in time.
        psycopg.Error: anything else that the database refuses.
    """
    where = f"project {address.ref}"
    limits = f"set local lock_timeout = '{LOCK_SECONDS}s'; set local statement_timeout = '{STATEMENT_SECONDS}s'"
    try:
        with connect(address, password) as connection, cut_off(connection, SESSION_SECONDS, where):
            connection.execute(limits)
            yield connection
    except psycopg.errors.LockNotAvailable as error:
        remedy = "Nothing was changed. End that session (pg_stat_activity names it), or run `up` again after it."
        raise OperatorError(f"another session has held a lock for {LOCK_SECONDS} s", where, remedy) from error
    except psycopg.errors.QueryCanceled as error:
        what = f"the database did not carry a statement out within {STATEMENT_SECONDS} s"
        raise OperatorError(what, where, "Nothing was changed. Run `up` again when it is less busy.") from error


@contextmanager
def cut_off(connection: psycopg.Connection[Any], seconds: float, where: str) -> Iterator[None]:
    """Break a connection that is still in use after so many seconds, whatever it waits for.

    The server's own limits do not help when the server, or the pooler before it, takes a statement and never answers.

    Raises:
        OperatorError: the connection was broken here.
    """
    late = threading.Event()

    def cut() -> None:
        late.set()
        # Where it was closed meanwhile, there is nothing to break.
        with suppress(psycopg.OperationalError, OSError), _wire(connection) as wire:
            wire.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:
        if late.is_set():
            remedy = "Run it again; if it stays so, restart the project's database in the Supabase dashboard."
            raise OperatorError(f"the database did not answer within {seconds:g} s", where, remedy) from error
        raise
    finally:
        timer.cancel()


def _wire(connection: psycopg.Connection[Any]) -> socket.socket:
    return socket.socket(fileno=os.dup(connection.fileno()))


def login(address: DatabaseAddress, password: str) -> Login:
    """Log in once and tell how it ended."""
    return attempt_login(address, password).outcome


def attempt_login(address: DatabaseAddress, password: str) -> Attempt:
    """Log in once; the answer has the pooler's words too."""
    try:
        connect(address, password).close()
    except psycopg.OperationalError as error:
        if refused(error):
            return Attempt(Login.REFUSED)
        refusal = explain(error)
        return Attempt(Login.NOT_YET if refusal else Login.NO_ANSWER, refusal)
    return Attempt(Login.ACCEPTED)


def refused(error: Exception) -> bool:
    """Whether a connection failed because of its password."""
    # libpq hands out no SQLSTATE for a failed connection, so the server's words have to do.
    return isinstance(error, psycopg.OperationalError) and "password authentication failed" in str(error)


def wait_for_database(
    client: Client, ref: str, password: str, *, timeout: float, changed: bool = False
) -> DatabaseAddress:
    """Wait until a login works; the project's other services may still be starting.

    A password that the database refuses, because the state was lost or somebody changed it, is left alone: the
    address then brings a temporary login.

    Args:
        timeout: seconds until giving up.
        changed: the password has just been set, so that it works in a moment, and nothing else will do.

    Returns:
        the address that the login worked on.

    Raises:
        WrongPasswordError: refused three times, ten seconds apart, or there is no temporary login to be had.
        OperatorError: the project is in a terminal state, the pooler refuses for a reason that waiting does not cure,
            or the deadline passed; names the last state seen, with the pooler's words.
    """
    refusals = 0

    def probe() -> DatabaseAddress | Pending:
        nonlocal refusals
        record = project_on_its_way(client, ref)
        address = find_address(client, ref)
        if address is None:
            return Pending(f"{record.status}, no pooler address")
        attempt = attempt_login(address, password)
        outcome = attempt.outcome
        if outcome is Login.ACCEPTED:
            return address
        attempt.require_hope(ref)
        if outcome is Login.REFUSED and not changed:
            return temporary_address(client, address)
        refusals += outcome is Login.REFUSED
        if refusals == MOST_REFUSALS:
            raise WrongPasswordError(
                f"the database refused the password {refusals} times",
                f"project {ref}",
                "Run `refresh`, then `up`: it sets the password that the state holds.",
            )
        pause = PAUSE_AFTER_REFUSAL if outcome is Login.REFUSED else None
        return Pending(f"{record.status}, {attempt.state}", pause, attempt.remedy)

    return wait_until(probe, what=f"database of project {ref}", timeout=timeout)


def temporary_address(client: Client, address: DatabaseAddress) -> DatabaseAddress:
    """The same database, by a login that the service makes for a few minutes; no password changes.

    Raises:
        WrongPasswordError: the service does not make one.
    """
    try:
        return replace(address, temporary=client.temporary_login(address.ref))
    except ApiError as error:
        if error.transient:
            raise
        what = f"the database refuses the password of the state, and there is no temporary login: {error.reason}"
        raise WrongPasswordError(what, f"project {address.ref}", error.remedy) from error


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
