"""What the official CLI and the Terraform provider ask too: secrets of functions, Postgres settings, branches.

Secrets are kept as digests, which is all that the service ever answers. Postgres settings are kept and answered, not
applied: one server holds every project. There are no branches, and none can be made.
"""

import hashlib
import re
from typing import Any

from local.emulators.rest import RefusedError
from local.emulators.supabase import project as projects
from local.emulators.supabase.calls import Call, route

LONGEST_NAME, LONGEST_VALUE = 256, 24576  # characters of a secret
SIZES = (
    *("effective_cache_size", "logical_decoding_work_mem", "maintenance_work_mem", "track_activity_query_size"),
    *("max_slot_wal_keep_size", "max_standby_archive_delay", "max_standby_streaming_delay", "max_wal_size"),
    *("shared_buffers", "wal_keep_size", "work_mem"),
)
DURATIONS = ("statement_timeout", "wal_sender_timeout", "checkpoint_timeout")
DURATION = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(us|ms|s|min|h|d)?")
NUMBERS = {
    "max_connections": (1, 262143),
    "max_locks_per_transaction": (10, 2147483640),
    "max_parallel_maintenance_workers": (0, 1024),
    "max_parallel_workers": (0, 1024),
    "max_parallel_workers_per_gather": (0, 1024),
    "max_replication_slots": (0, 262143),
    "max_wal_senders": (0, 262143),
    "max_worker_processes": (0, 262143),
}
SWITCHES = ("track_commit_timestamp", "hot_standby_feedback", "restart_database")
ROLES = ("origin", "replica", "local")
POSTGRES: dict[str, type] = {
    **dict.fromkeys((*SIZES, *DURATIONS, "session_replication_role"), str),
    **dict.fromkeys(NUMBERS, int),
    **dict.fromkeys(SWITCHES, bool),
}


def _secrets(call: Call) -> Any:
    kept: dict[str, dict[str, str]] = projects.find(call).get("secrets", {})
    return [{"name": name, **kept[name]} for name in sorted(kept)]


def _add_secrets(call: Call) -> None:
    given = _list(call)
    now = call.context.clock().isoformat()
    for secret in given:
        if not isinstance(secret, dict) or not all(isinstance(secret.get(key), str) for key in ("name", "value")):
            raise RefusedError(400, "Expected objects with name and value")
        if secret["name"].startswith("SUPABASE_") or not 0 < len(secret["name"]) <= LONGEST_NAME:
            raise RefusedError(400, "name: Secret name must not start with the SUPABASE_ prefix.")
        if len(secret["value"]) > LONGEST_VALUE:
            raise RefusedError(400, f"value: String must contain at most {LONGEST_VALUE} character(s)")
    with projects.changing(call) as project:
        added = {
            each["name"]: {"value": hashlib.sha256(each["value"].encode()).hexdigest(), "updated_at": now}
            for each in given
        }
        project["secrets"] = project.get("secrets", {}) | added


def _remove_secrets(call: Call) -> Any:
    names = _list(call)
    with projects.changing(call) as project:
        kept = project.get("secrets", {})
        project["secrets"] = {name: kept[name] for name in kept if name not in names}
    return {}


def _list(call: Call) -> list[Any]:
    if not isinstance(call.body, list):
        raise RefusedError(400, "Expected array")
    return call.body


def _postgres(call: Call) -> Any:
    return projects.find(call).get("postgres", {})


def _change_postgres(call: Call) -> Any:
    given = dict(call.fields({}, POSTGRES))
    for name in DURATIONS:
        if name in given and not DURATION.fullmatch(given[name]):
            raise RefusedError(400, f"{name}: Invalid")
    for name, (least, most) in NUMBERS.items():
        if name in given and not least <= given[name] <= most:
            raise RefusedError(400, f"{name}: Number must be between {least} and {most}")
    if given.get("session_replication_role", ROLES[0]) not in ROLES:
        raise RefusedError(400, "session_replication_role: Invalid enum value")
    given.pop("restart_database", None)  # an order, not a setting
    with projects.changing(call) as project:
        project["postgres"] = project.get("postgres", {}) | given
    return project["postgres"]


def _branches(call: Call) -> Any:
    projects.find(call)
    return []


def _no_branch(call: Call) -> Any:
    projects.find(call)
    raise RefusedError(404, "Branch not found")


def _refuse_branch(call: Call) -> Any:
    projects.find(call)
    raise RefusedError(400, "Branches are not emulated: local mode has none, and makes none")


ROUTES = [
    route("GET", "/v1/projects/{ref}/secrets", _secrets),
    route("POST", "/v1/projects/{ref}/secrets", _add_secrets, 201),
    route("DELETE", "/v1/projects/{ref}/secrets", _remove_secrets),
    route("GET", "/v1/projects/{ref}/config/database/postgres", _postgres),
    route("PUT", "/v1/projects/{ref}/config/database/postgres", _change_postgres),
    route("GET", "/v1/projects/{ref}/branches", _branches),
    route("POST", "/v1/projects/{ref}/branches", _refuse_branch, 201),
    route("GET", "/v1/projects/{ref}/branches/{name}", _no_branch),
]
