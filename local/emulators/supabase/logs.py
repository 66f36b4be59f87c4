"""The log of a project's API gateway: of all that the service tells from it, one report, who used the legacy keys.

The service runs any ClickHouse SQL over it. There is no ClickHouse here, so other queries are answered with an error.
"""

from datetime import datetime, timedelta
from typing import Any

from local.emulators.context import Context
from local.emulators.rest import RefusedError
from local.emulators.supabase.calls import Call, route
from local.emulators.supabase.project import find

KIND = "supabase:legacy-uses"
ROLE = "log_attributes['request.sb.jwt.apikey.payload.role']"
LONGEST = timedelta(hours=24)


def note(context: Context, ref: str, role: str, agent: str) -> None:
    """A request that was let in with a legacy key."""
    with context.store.transaction():
        uses = context.store.get(KIND, ref) or {"times": []}
        uses["times"].append([context.clock().isoformat(), role, agent])
        context.store.put(KIND, ref, uses)


def _query(call: Call) -> Any:
    ref = find(call)["ref"]
    try:
        start, end = (datetime.fromisoformat(call.query[f"iso_timestamp_{name}"]) for name in ("start", "end"))
    except (KeyError, ValueError):
        raise RefusedError(400, "iso_timestamp_start and iso_timestamp_end are required") from None
    if end - start > LONGEST:
        raise RefusedError(400, "The time range must not exceed 24 hours")
    if ROLE not in call.query.get("sql", ""):
        return {"error": "local mode has no ClickHouse: it knows the report of legacy keys alone"}
    counted: dict[tuple[str, str], int] = {}
    for when, role, agent in (call.context.store.get(KIND, ref) or {"times": []})["times"]:
        if start <= datetime.fromisoformat(when) <= end:
            counted[role, agent] = counted.get((role, agent), 0) + 1
    busiest = sorted(counted.items(), key=lambda item: -item[1])
    return {"result": [{"role": role, "agent": agent, "requests": str(n)} for (role, agent), n in busiest]}


ROUTES = [route("GET", "/v1/projects/{ref}/analytics/endpoints/logs", _query)]
