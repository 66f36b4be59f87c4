"""Reaching a project's database: through the pooler, whose address only the API knows. Knows no Pulumi."""

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote

import psycopg

from components.supabase.client import Client
from components.supabase.errors import ApiError, WrongPasswordError
from components.supabase.models import PoolerRecord
from components.supabase.waiting import Pending, project_on_its_way, wait_until

TRANSACTION_PORT, SESSION_PORT = 6543, 5432
MOST_REFUSALS = 3  # the pooler bans an address that fails again and again
PAUSE_AFTER_REFUSAL = 10.0  # seconds; the pooler caches the old password for a moment


@dataclass(frozen=True)
class DatabaseAddress:
    """Where and as whom to log in. Never holds the password.

    Attributes:
        port: of session mode.
        transaction_port: of transaction mode (no prepared statements).
    """

    host: str
    port: int
    user: str
    database: str
    transaction_port: int

    @property
    def dsn(self) -> str:
        """`postgresql://user@host:port/database` of session mode, without a password."""
        return self._dsn(self.port)

    @property
    def transaction_dsn(self) -> str:
        """The same for transaction mode."""
        return self._dsn(self.transaction_port)

    def _dsn(self, port: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"postgresql://{quote(self.user, safe='')}@{host}:{port}/{quote(self.database, safe='')}"


class Login(Enum):
    """How one login ended."""

    ACCEPTED = "accepted"
    REFUSED = "wrong password"
    NOT_YET = "the pooler does not know the project yet"
    NO_ANSWER = "the database does not answer"


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


def connect(address: DatabaseAddress, password: str, *, timeout: float = 10.0, **kwargs: Any) -> psycopg.Connection:
    """Log in, in session mode, encrypted unless the host is this machine.

    Args:
        timeout: seconds to wait for the connection.
        kwargs: passed to `psycopg.connect`.

    Raises:
        psycopg.OperationalError: no login; `login` tells the causes apart.
    """
    return psycopg.connect(
        host=address.host,
        port=address.port,
        user=address.user,
        dbname=address.database,
        password=password,
        sslmode="prefer" if _loopback(address.host) else "require",
        connect_timeout=max(2, round(timeout)),
        **{"application_name": "client-environments", **kwargs},
    )


def login(address: DatabaseAddress, password: str) -> Login:
    """Log in once and tell how it ended."""
    try:
        connect(address, password).close()
    except psycopg.OperationalError as error:
        # libpq hands out no SQLSTATE for a failed connection, so the server's words have to do.
        text = str(error)
        if error.sqlstate == "28P01" or "password authentication failed" in text:
            return Login.REFUSED
        return Login.NOT_YET if "FATAL" in text or "not found" in text else Login.NO_ANSWER
    return Login.ACCEPTED


def wait_for_database(client: Client, ref: str, password: str, *, timeout: float) -> DatabaseAddress:
    """Wait until a login works; the project's other services may still be starting.

    Args:
        timeout: seconds until giving up.

    Returns:
        the address that the login worked on.

    Raises:
        WrongPasswordError: refused three times, ten seconds apart.
        OperatorError: the project is in a terminal state, or the deadline passed; names the last state seen.
    """
    refused = 0

    def probe() -> DatabaseAddress | Pending:
        nonlocal refused
        record = project_on_its_way(client, ref)
        address = find_address(client, ref)
        if address is None:
            return Pending(f"{record.status}, no pooler address")
        outcome = login(address, password)
        if outcome is Login.ACCEPTED:
            return address
        refused += outcome is Login.REFUSED
        if refused == MOST_REFUSALS:
            raise WrongPasswordError(
                f"the database refused the password {refused} times",
                f"project {ref}",
                "Run `refresh`, then `up`: it sets the password that the state holds.",
            )
        pause = PAUSE_AFTER_REFUSAL if outcome is Login.REFUSED else None
        return Pending(f"{record.status}, {outcome.value}", pause)

    return wait_until(probe, what=f"database of project {ref}", timeout=timeout)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
