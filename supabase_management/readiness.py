"""Whether a project's services answer, and where. ACTIVE_HEALTHY comes before all of them do."""

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.models import ProjectRecord
from supabase_management.pooler import find_address
from supabase_management.waiting import Pending, project_on_its_way, wait_until

SERVICES = ("auth", "db", "pooler", "rest", "storage")


def wait_for_endpoints(client: Client, ref: str, *, timeout: float) -> dict[str, str]:
    """Wait until the project and its services are healthy, then tell its endpoints.

    Raises:
        OperatorError: a terminal state, or the deadline; names the last state seen.
    """

    def probe() -> dict[str, str] | Pending:
        record = project_on_its_way(client, ref)
        if record.status != "ACTIVE_HEALTHY":
            return Pending(record.status)
        if waiting := _unhealthy(client, ref):
            return Pending(f"ACTIVE_HEALTHY, waiting for {', '.join(waiting)}")
        return _endpoints(client, record) or Pending("ACTIVE_HEALTHY, no pooler address")

    found = wait_until(probe, what=f"API of project {ref}", timeout=timeout)
    if not found["publishable_key"]:
        # A project from before these keys has none until somebody makes one.
        found["publishable_key"] = client.create_key(ref, "publishable", "default").api_key
    return found


def current_endpoints(client: Client, ref: str) -> dict[str, str] | None:
    """The endpoints now, without waiting: None when the project is gone, nothing in them while it does not run."""
    record = client.existing_project(ref)
    if record is None:
        return None
    return (_endpoints(client, record) if record.status.startswith("ACTIVE") else None) or {}


def _unhealthy(client: Client, ref: str) -> list[str]:
    waiting = [service.name for service in client.health(ref, SERVICES) if service.status != "ACTIVE_HEALTHY"]
    if "rest" in waiting and not client.data_api_enabled(ref):
        waiting.remove("rest")  # switched off on purpose, it is never healthy
    return waiting


def _endpoints(client: Client, record: ProjectRecord) -> dict[str, str] | None:
    address = find_address(client, record.ref)
    if address is None:
        return None
    keys = client.keys(record.ref)
    legacy = {key.name: key.api_key for key in keys if key.type == "legacy"}
    publishable = [
        key.api_key
        for key in sorted(keys, key=lambda key: (key.name != "default", key.name))
        if key.type == "publishable"
    ]
    return {
        "api_url": api_url(client.base_url, record),
        "publishable_key": publishable[0] if publishable else "",
        "session_dsn": address.dsn,
        "transaction_dsn": address.transaction_dsn,
        "legacy_anon_key": legacy.get("anon", ""),
        "legacy_service_role_key": legacy.get("service_role", ""),
        "plan": client.organization(record.organization_slug).plan,
    }


def api_url(base_url: str, record: ProjectRecord) -> str:
    """The project's API: the database's host without `db.`; under the Management API itself on a loopback stand-in."""
    prefix = f"db.{record.ref}."
    if record.database_host.startswith(prefix):
        return f"https://{record.database_host.removeprefix('db.')}"
    if base_url.startswith("http://"):
        return f"{base_url}/projects/{record.ref}"
    raise OperatorError(f"unexpected database host '{record.database_host}'", f"project {record.ref}")
