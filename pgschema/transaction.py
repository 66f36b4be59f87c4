"""The settings a migration file runs under, and how the next file gets them again within one transaction.

The Supabase CLI runs each file in a transaction of its own after RESET ALL. Here all pending files share one
transaction, so each file's end undoes what it left in the session: a client that is five files behind must get the same
catalog as one that got them one by one. `alter role` and `alter database ... set` act at the next login and stay out.
"""

from typing import Any
from weakref import WeakKeyDictionary

import psycopg
from psycopg import sql

# The role that each session acts as, read when its transaction begins: RESET ROLE would fall back to the login, and a
# temporary login of the Management API may do nothing by itself.
READ_ROLE = "select current_setting('role')"
_roles: WeakKeyDictionary[psycopg.Connection[Any], str] = WeakKeyDictionary()

STATEMENT_TIMEOUT = "300s"
# Whoever waits for a lock on a table blocks its readers meanwhile.
PATIENCE = "5s"
# A commit checks deferred constraints and forgets SET CONSTRAINTS. Inside a transaction only naming each initially
# deferred constraint brings its mode back, and only IMMEDIATE runs the checks that would block ALTER TABLE (55006).
# DEALLOCATE ALL would take the driver's own prepared statements too, which it goes on using.
FORGET = """
do $$
declare
  deferred text;
  prepared text;
begin
  select string_agg(format('%I.%I', n.nspname, c.conname), ', ') into deferred
  from pg_catalog.pg_constraint c join pg_catalog.pg_namespace n on n.oid = c.connamespace
  where c.condeferred;
  if deferred is not null then
    execute 'set constraints ' || deferred || ' deferred';
  end if;
  for prepared in select name from pg_catalog.pg_prepared_statements where from_sql loop
    execute format('deallocate %I', prepared);
  end loop;
end
$$
"""


def limits(patience: str = PATIENCE) -> tuple[str, ...]:
    """The statements that bound waiting in this transaction.

    Args:
        patience: how long to wait for a lock, as Postgres writes it.
    """
    return (f"set local lock_timeout = '{patience}'", f"set local statement_timeout = '{STATEMENT_TIMEOUT}'")


def remember_role(connection: psycopg.Connection[Any], role: str) -> None:
    """Keep the role that a session acts as; `none` is the login itself."""
    _roles[connection] = role


def end_of_file(connection: psycopg.Connection[Any], patience: str = PATIENCE) -> tuple[str, ...]:
    """The statements that give the next file the session of a new transaction: settings, role, temporary objects.

    Args:
        connection: the session; it acts as the role remembered for it again.
        patience: as for `limits`, which RESET ALL undoes.
    """
    role = _roles.get(connection, "none")
    return (
        "set constraints all immediate",
        "reset all",
        # RESET ALL leaves both of these.
        "reset session authorization",
        "reset role" if role == "none" else sql.SQL("set role {}").format(sql.Identifier(role)).as_string(),
        FORGET,
        "close all",
        "discard temp",
        *limits(patience),
    )
