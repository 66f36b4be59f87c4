"""Connect to a database by its URL: libpq's variables, or `DATABASE_URL` with the password in `PGPASSWORD`."""

import os
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.pooler import KEEPALIVE, DatabaseAddress, connect, refused, temporary_address
from supabase_management.refusals import explain


def connect_from_environment(environment: Mapping[str, str] = os.environ) -> psycopg.Connection[Any]:
    """Connect to the database that the environment names; encrypted unless it is on this machine.

    Where a project's database refuses the password and the environment holds a Supabase token, a temporary login is
    asked for.

    Args:
        environment: `DATABASE_URL`, `PGPASSWORD`, and the token of the Management API. What libpq reads beside these
            comes from the environment of this process.

    Raises:
        OperatorError: the connection string cannot be read, or the database refused.
    """
    given = {"password": environment["PGPASSWORD"]} if environment.get("PGPASSWORD") else {}
    try:
        options = conninfo_to_dict(environment.get("DATABASE_URL", ""), connect_timeout="10", **KEEPALIVE)
        options = {**given, **options}
        host = str(options.get("host") or environment.get("PGHOST", ""))
        if not host.startswith(("/", "127.", "localhost", "::1")) and host:
            options.setdefault("sslmode", environment.get("PGSSLMODE", "require"))
        return psycopg.connect(make_conninfo("", **options))
    except psycopg.Error as error:
        if refused(error) and (address := _project(options, environment)):
            with Client.from_environment(environment=environment) as client:
                return connect(temporary_address(client, address), "")
        if not refused(error) and (refusal := explain(error)) and refusal.remedy:
            raise OperatorError(f"the pooler answers: {refusal.words}", "database", refusal.remedy) from None
        reason = " ".join(str(error).split())
        raise OperatorError(reason, "database", "Check DATABASE_URL and PGPASSWORD.") from None


def _project(options: Mapping[str, Any], environment: Mapping[str, str]) -> DatabaseAddress | None:
    """The database of a Supabase project, when it is one and there is a token to ask about it."""
    role, _, ref = str(options.get("user", "")).partition(".")
    if not ref or not environment.get("SUPABASE_ACCESS_TOKEN"):
        return None
    port = int(options.get("port", 5432))
    return DatabaseAddress(str(options["host"]), port, f"{role}.{ref}", str(options.get("dbname", "postgres")), port)
