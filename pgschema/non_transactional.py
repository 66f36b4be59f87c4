"""A migration that runs outside a transaction: one statement that can be repeated. Knows no Pulumi."""

from typing import Any

import psycopg

from pgschema import ledger
from pgschema.errors import MigrationError
from pgschema.migrations import Migration, Statement

# Names come as the file writes them, quoted or not; parse_ident and the cast fold and cut them as CREATE INDEX does.
INVALID = """
select format('drop index concurrently %%s', x.indexrelid::regclass)
from pg_index x join pg_class i on i.oid = x.indexrelid
where not x.indisvalid and i.relname = (parse_ident(%s))[1]::name and x.indrelid = to_regclass(%s)
"""


def run_alone(connection: psycopg.Connection[Any], migration: Migration) -> None:
    """Run a migration of one statement outside a transaction and record it; releases the session's advisory lock.

    An index that an interrupted run left behind invalid is dropped first, and so is one that this run leaves.
    """
    (statement,) = migration.statements
    try:
        # It blocks nobody while it waits, and a large index takes its time.
        connection.execute("set lock_timeout = 0; set statement_timeout = '3h'")
        _drop_invalid(connection, statement)
        connection.execute(statement.outside_transaction)
        connection.execute(ledger.INSERT, ledger.record(migration))
    except psycopg.Error as error:
        if connection.closed:
            raise
        _drop_invalid(connection, statement)
        raise MigrationError(migration, statement, error) from None
    finally:
        if not connection.closed:
            connection.execute("reset lock_timeout; reset statement_timeout")
            connection.execute("select pg_advisory_unlock(%s)", (ledger.LOCK_KEY,))


def _drop_invalid(connection: psycopg.Connection[Any], statement: Statement) -> None:
    named = found.groupdict() if (found := statement.repeatable) else {}
    if named.get("index"):
        for (command,) in connection.execute(INVALID, (named["index"], named["table"])).fetchall():
            connection.execute(command)
