"""What is set on a project's database: pooler, password, compute size, Data API; and SQL run through the API."""

import datetime
import decimal
import uuid
from typing import Any

import psycopg

from emulators.supabase import project as projects
from emulators.supabase.calls import Call, RefusedError, route

HOURLY = {"type": "usage", "interval": "hourly", "amount": 0.01344, "description": "$0.01344/hour"}


def _pooler(call: Call) -> Any:
    project = projects.find(call)
    if not projects.database_up(call, project):
        raise RefusedError(404, "Pooler configuration not found")
    ref, databases = project["ref"], call.databases
    address = f"postgresql://{databases.login(ref)}:[YOUR-PASSWORD]@{databases.host}:{databases.port}/{ref}"
    limits = {"default_pool_size": 15, "max_client_conn": 200, "pool_mode": "transaction", "is_using_scram_auth": True}
    place = {"db_user": databases.login(ref), "db_host": databases.host, "db_port": databases.port, "db_name": ref}
    names = {"identifier": ref, "database_type": "PRIMARY", "connection_string": address, "connectionString": address}
    return [names | place | limits]


def _password(call: Call) -> Any:
    project = projects.find(call)
    password = call.fields("password")["password"]
    if not isinstance(password, str) or len(password) < 4:
        raise RefusedError(400, "password: String must contain at least 4 character(s)")
    call.databases.set_password(project["ref"], password)
    return {"message": "Successfully updated password"}


def _query(call: Call) -> Any:
    project = projects.find(call)
    given = call.fields("query", optional=("parameters", "read_only"))
    if not projects.database_up(call, project):
        raise RefusedError(400, "Failed to run sql query: connect ECONNREFUSED 127.0.0.1:5432")
    try:
        rows = call.databases.query(project["ref"], given["query"])
    except psycopg.Error as error:
        text = f"Failed to run sql query: ERROR:  {error.sqlstate}: {error.diag.message_primary}"
        raise RefusedError(400, text) from None
    return [{name: _json(value) for name, value in row.items()} for row in rows]


def _json(value: Any) -> Any:
    plain = str, decimal.Decimal, uuid.UUID, datetime.date, datetime.time, datetime.timedelta
    return str(value) if isinstance(value, plain) else value


def _addons(call: Call) -> Any:
    size = projects.find(call)["instance_size"]
    variants = {name: {"id": f"ci_{name}", "name": name.title(), "price": HOURLY} for name in projects.SIZES[1:]}
    chosen = [{"type": "compute_instance", "variant": variants[size]}] if size in variants else []
    offered = {"type": "compute_instance", "name": "Compute", "variants": list(variants.values())}
    return {"selected_addons": chosen, "available_addons": [offered]}


def _resize(call: Call) -> None:
    project = projects.find(call)
    given = call.fields("addon_type", "addon_variant")
    size = str(given["addon_variant"]).removeprefix("ci_")
    if given["addon_type"] != "compute_instance" or size not in projects.SIZES[1:]:
        raise RefusedError(400, "addon_variant: Invalid enum value")
    project["instance_size"] = size
    projects.save(call, project)


def _data_api(call: Call) -> Any:
    schema = projects.find(call)["db_schema"]
    limits = {"max_rows": 1000, "db_extra_search_path": "public, extensions", "db_pool": 10}
    return {"db_schema": schema, **limits}


ROUTES = [
    route("GET", "/v1/projects/{ref}/config/database/pooler", _pooler),
    route("PATCH", "/v1/projects/{ref}/database/password", _password),
    route("POST", "/v1/projects/{ref}/database/query", _query, 201),
    route("GET", "/v1/projects/{ref}/billing/addons", _addons),
    route("PATCH", "/v1/projects/{ref}/billing/addons", _resize),
    route("GET", "/v1/projects/{ref}/postgrest", _data_api),
]
