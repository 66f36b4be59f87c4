"""A project's database: pooler, password, and SQL run through the API."""

import json
from typing import Any

import psycopg

from local.emulators.rest import RefusedError
from local.emulators.supabase import project as projects
from local.emulators.supabase.calls import Call, route, strong


def _pooler(call: Call) -> Any:
    project = projects.find(call)
    if not projects.database_up(call, project):
        raise RefusedError(404, "Pooler configuration not found")
    ref, databases = project["ref"], call.databases
    port = databases.pooler_port
    address = f"postgresql://{databases.login(ref)}:[YOUR-PASSWORD]@{databases.host}:{port}/{ref}"
    limits = {"default_pool_size": 15, "max_client_conn": 200, "pool_mode": "transaction", "is_using_scram_auth": True}
    place = {
        "db_user": databases.login(ref),
        "db_host": databases.host,
        "db_port": port,
        "db_name": ref,
    }
    names = {"identifier": ref, "database_type": "PRIMARY", "connection_string": address, "connectionString": address}
    return [names | place | limits]


def _password(call: Call) -> Any:
    project = projects.find(call)
    call.databases.change_password(project["ref"], strong(call.fields({"password": str})["password"]))
    return {"message": "Successfully updated password"}


def _login_role(call: Call) -> Any:
    project = projects.find(call)
    if call.fields({"read_only": bool})["read_only"]:
        raise RefusedError(400, "read_only: not emulated")
    if not projects.database_up(call, project):
        raise RefusedError(500, "Failed to create login role")
    return call.databases.renew_temporary_login(project["ref"])


def _query(call: Call) -> Any:
    project = projects.find(call)
    given = call.fields({"query": str}, {"parameters": list, "read_only": bool})
    if not given["query"] or "\0" in given["query"]:
        raise RefusedError(400, "query: String must contain at least 1 character(s), none of them NUL")
    if not projects.database_up(call, project):
        raise RefusedError(400, "Failed to run sql query: connect ECONNREFUSED 127.0.0.1:5432")
    try:
        rows = call.databases.query(
            project["ref"], given["query"], given.get("parameters", []), read_only=given.get("read_only", False)
        )
    except psycopg.Error as error:
        raise RefusedError(400, f"Failed to run sql query: ERROR:  {error.sqlstate or '22000'}: {error}") from None
    return json.loads(json.dumps(rows, default=_text))


def _text(value: Any) -> str:
    """What JSON has no form for, as Postgres writes it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


ROUTES = [
    route("GET", "/v1/projects/{ref}/config/database/pooler", _pooler),
    route("PATCH", "/v1/projects/{ref}/database/password", _password),
    route("POST", "/v1/projects/{ref}/database/query", _query, 201),
    route("POST", "/v1/projects/{ref}/cli/login-role", _login_role, 201),
]
