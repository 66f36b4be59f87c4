"""What is set on a project's database: pooler, password, compute size, Data API; and SQL run through the API."""

import json
from typing import Any

import psycopg

from emulators.rest import RefusedError
from emulators.supabase import project as projects
from emulators.supabase.calls import Call, route, strong

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
    call.databases.set_password(project["ref"], strong(call.fields({"password": str})["password"]))
    return {"message": "Successfully updated password"}


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


def _addons(call: Call) -> Any:
    size = projects.find(call)["instance_size"]
    variants = {name: {"id": f"ci_{name}", "name": name.title(), "price": HOURLY} for name in projects.SIZES[1:]}
    chosen = [{"type": "compute_instance", "variant": variants[size]}] if size in variants else []
    offered = {"type": "compute_instance", "name": "Compute", "variants": list(variants.values())}
    return {"selected_addons": chosen, "available_addons": [offered]}


def _resize(call: Call) -> None:
    given = call.fields({"addon_type": str, "addon_variant": str})
    size = given["addon_variant"].removeprefix("ci_")
    if given["addon_type"] != "compute_instance" or size not in projects.SIZES[1:]:
        raise RefusedError(400, "addon_variant: Invalid enum value")
    with projects.changing(call) as project:
        project["instance_size"] = size


def _data_api(call: Call) -> Any:
    project = projects.find(call)
    limits = {"max_rows": 1000, "db_extra_search_path": "public, extensions", "db_pool": None}
    return {"db_schema": project["db_schema"], **limits, "jwt_secret": project["jwt_secret"]}


ROUTES = [
    route("GET", "/v1/projects/{ref}/config/database/pooler", _pooler),
    route("PATCH", "/v1/projects/{ref}/database/password", _password),
    route("POST", "/v1/projects/{ref}/database/query", _query, 201),
    route("GET", "/v1/projects/{ref}/billing/addons", _addons),
    route("PATCH", "/v1/projects/{ref}/billing/addons", _resize),
    route("GET", "/v1/projects/{ref}/postgrest", _data_api),
]
