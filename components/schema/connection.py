"""How the command-line tools here connect: libpq's variables, or `DATABASE_URL` with the password in `PGPASSWORD`."""

import os
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from components.errors import OperatorError


def connect_from_environment() -> psycopg.Connection[Any]:
    """Connect to the database the environment names; encrypted unless it is on this machine.

    Raises:
        OperatorError: the connection string cannot be read, or the database refused.
    """
    try:
        options = conninfo_to_dict(os.environ.get("DATABASE_URL", ""), connect_timeout="10")
        host = str(options.get("host") or os.environ.get("PGHOST", ""))
        if not host.startswith(("/", "127.", "localhost", "::1")) and host:
            options.setdefault("sslmode", os.environ.get("PGSSLMODE", "require"))
        return psycopg.connect(make_conninfo("", **options))
    except psycopg.Error as error:
        reason = " ".join(str(error).split())
        raise OperatorError(reason, "database", "Check DATABASE_URL and PGPASSWORD.") from None
