"""Who still uses a project's legacy keys, `anon` and `service_role`, as the log of its API gateway tells. No Pulumi."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError

WINDOW = timedelta(hours=24)  # the service looks no further back
# ClickHouse's SQL. Publishable and secret keys are no tokens, so they have no payload.
REPORT = """
select log_attributes['request.sb.jwt.apikey.payload.role'] as role,
       log_attributes['request.headers.user_agent'] as agent, count() as requests
from logs
where role in ('anon', 'service_role') and log_attributes['response.status_code'] < '400'
group by role, agent order by requests desc limit 5
"""


def legacy_users(client: Client, ref: str) -> list[str]:
    """Who asked with a legacy key and was answered within 24 hours, busiest first, as `anon by axios/1.13 (1689)`.

    Source: https://supabase.com/changelog/48235, which replaced `logs.all`, and the log field reference.

    Raises:
        ApiError: the log cannot be asked, which says nothing about the keys.
    """
    path, now = f"/v1/projects/{ref}/analytics/endpoints/logs", datetime.now(UTC)
    window = {"iso_timestamp_start": (now - WINDOW).isoformat(), "iso_timestamp_end": now.isoformat()}
    answer = client.transport.get(path, {"sql": REPORT, **window})
    try:
        if not answer.get("error"):
            return [f"{row['role']} by {row['agent'] or 'somebody'} ({row['requests']})" for row in answer["result"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ApiError("GET", path, 200, f"the answer has an unexpected shape: {error}") from error
    raise ApiError("GET", path, 200, f"the log cannot be asked: {str(answer['error'])[:200]}")


def require_unused(client: Client, ref: str, changes: Mapping[str, Any]) -> None:
    """Refuse to switch the legacy keys off while somebody uses them.

    Raises:
        OperatorError: naming who does.
        ApiError: as `legacy_users`.
    """
    if changes.get("legacy_keys") is False and (users := legacy_users(client, ref)):
        raise OperatorError(
            f"are still used: {', '.join(users)}, requests within 24 hours",
            f"legacy keys of project {ref}",
            "Move them to publishable and secret keys; until then take out `legacyKeys: false`.",
        )
