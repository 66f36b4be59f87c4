"""Attack a database as those must not get through, and count.

Three organizations are made inside a savepoint: a victim, a neighbour like it, and an outsider's that is empty, so
that any row an outsider reaches is a leak. Their rows are made from the catalog. Every attack is undone at once and the
savepoint is rolled back; rows that the database holds already stay as they are. An attack counts as repelled only by
the refusal meant for it: any other failure is a leak too, a member who lacks a right fails the check, and so does
whatever cannot be tried.
"""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from pgschema.errors import database_error
from pgschema.proof import Proof
from pgschema.report import Finding, Report

__all__ = ["Finding", "Report", "check", "judge"]

SESSION = (
    "set local lock_timeout = '2s'",
    "set local statement_timeout = '30s'",
    "set local jit = off",
    "set local client_min_messages = error",
)
FAILED = "The isolation check could not be carried out."


def judge(connection: psycopg.Connection[Any], *, clone: bool = False, final: bool = True) -> Report:
    """Try all attacks in a savepoint of the open transaction and roll back to it.

    Settings, role, rows and sequences are as before afterwards, and nothing reaches outside.

    Args:
        connection: in a transaction, as the role `postgres`, or one that may become anon, authenticated and
            service_role and that row-level security does not bind.
        clone: the database is a copy that nobody uses: procedures, and functions that write or reach outside, are
            called too.
        final: the database is as the newest migration leaves it. Else neither the rules of `insiders.yaml` about what
            members and the server may not do, nor the rights that the snapshot says they have, are tried, and an entry
            of `allowed.yaml` that nothing needs is no finding.

    Raises:
        OperatorError: the check could not be carried out, say because the schema is missing; `__cause__` is the error
            of the database.
    """
    try:
        return Proof(connection, SESSION, clone=clone, final=final).run()
    except psycopg.Error as error:
        raise database_error(error, FAILED) from error
    finally:
        if connection.info.transaction_status in {TransactionStatus.INTRANS, TransactionStatus.INERROR}:
            connection.execute("rollback to savepoint isolation; release savepoint isolation")


def check(connection: psycopg.Connection[Any]) -> Report:
    """Judge in a transaction of its own and roll it back.

    Raises:
        OperatorError: see `judge`.
    """
    try:
        if connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
            connection.execute("begin")
        return judge(connection)
    finally:
        if not connection.closed:
            connection.rollback()
