"""Reach a client's database: from here, or with a tool of `components.schema` in a process of its own."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg

from automation.engine import outputs_by_name
from automation.processes import run_to_end
from automation.workspace import Workspace
from common.errors import OperatorError

DATABASE_SECONDS = 3600.0  # a clone of a large catalog, and every pending migration


def schema_in_state(resources: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the outputs of the client's schema; None before the first `up`."""
    return outputs_by_name(resources).get("schema")


@contextmanager
def open_database(
    environment: Mapping[str, str], schema: Mapping[str, Any] | None
) -> Iterator[psycopg.Connection[Any]]:
    """Connect to a client's database, for at most `DATABASE_SECONDS`.

    Args:
        environment: holds the Management API's token, in case the password in state is refused.
        schema: outputs of the client's schema, with secrets; None for the database of DATABASE_URL.

    Raises:
        OperatorError: the database cannot be reached.
    """
    # Drivers of databases and HTTP, which most commands do without.
    from components.schema.connection import connect_from_environment
    from supabase_management.pooler import cut_off

    access = _access(schema) if schema else {}
    with (
        connect_from_environment({**environment, **access}) as connection,
        cut_off(connection, DATABASE_SECONDS, "database"),
    ):
        yield connection


def run_tool(
    workspace: Workspace, schema: Mapping[str, Any], command: Sequence[str], given: str = ""
) -> dict[str, Any]:
    """Run a command that finds the client's database in DATABASE_URL and prints one JSON object.

    Args:
        workspace: gives folder and environment.
        schema: outputs of the client's schema, with secrets.
        command: arguments for this Python.
        given: text for its standard input.

    Raises:
        OperatorError: the tool refused, or broke off.
    """
    done = run_to_end(
        [sys.executable, *command],
        root=workspace.root,
        environment={**workspace.environment, **_access(schema)},
        given=given,
        seconds=DATABASE_SECONDS,
    )
    if done.returncode == 2:
        raise OperatorError(done.stderr.strip() or "no reason given")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        raise OperatorError(f"broke off: {last}", f"python {' '.join(command)}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _access(schema: Mapping[str, Any]) -> dict[str, str]:
    return {"DATABASE_URL": schema["dsn"], "PGPASSWORD": schema["db_password"]}
