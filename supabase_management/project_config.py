"""What is set on a project, in parts that are read and written by themselves. Knows no Pulumi.

Each part is brought to what is wanted by looking first, writing only what differs, and looking again until it holds:
so a write that was interrupted or answered with an error is neither lost nor done twice.
"""

import ipaddress
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.legacy_keys import require_unused
from supabase_management.waiting import Pending, wait_for_active, wait_until

Values = dict[str, Any]
SMTP = ("smtp_host", "smtp_port", "smtp_user", "smtp_admin_email", "smtp_sender_name")
AUTH = ("site_url", "uri_allow_list", *SMTP)


@dataclass(frozen=True)
class Part:
    """Settings that one route of the API holds.

    Attributes:
        names: of the settings.
        route: the route under the project's.
        read: makes of the route's answer the settings, and whether they are in force already.
        write: the requests, as method, path under the project's, and body, that change some settings (first
            argument) from what they are now (second).
        restarts: whether the database restarts.
        before: called before the first write with the project's ref and the changes; what it raises stops them.
    """

    names: tuple[str, ...]
    route: str
    read: Callable[[Any], tuple[Values, bool]]
    write: Callable[[Values, Values], list[tuple[str, str, Any]]]
    restarts: bool = False
    before: Callable[[Client, str, Values], None] = lambda *_: None


def live_settings(client: Client, ref: str, names: Collection[str]) -> Values:
    """What the service holds for these settings."""
    found: Values = {}
    for part in PARTS:
        if chosen := [name for name in part.names if name in names]:
            values, _ = _look(client, ref, part)
            found |= {name: values[name] for name in chosen}
    return found


def apply_settings(client: Client, ref: str, wanted: Mapping[str, Any], *, new_mailer: bool, timeout: float) -> None:
    """Bring a project to these settings; those not mentioned are left alone.

    Args:
        new_mailer: send the mailer's password, `SMTP_PASSWORD`; it is sent with any other change of the mailer too.
            The API tells only a hash of it, so nobody can see whether it is still the right one.
        timeout: seconds to wait for each part to be in force.

    Raises:
        OperatorError: refused by the service, not in force in time, or no `SMTP_PASSWORD` for the mailer.
    """
    wait_for_active(client, ref, timeout=timeout)
    restarted = False
    for part in PARTS:
        if mine := {name: wanted[name] for name in part.names if name in wanted}:
            extra = {"smtp_pass": _smtp_password()} if new_mailer and "smtp_host" in mine else {}
            restarted |= _settle(client, ref, part, mine, extra, timeout) and part.restarts
    if restarted:
        wait_for_active(client, ref, timeout=timeout)


def _settle(client: Client, ref: str, part: Part, wanted: Values, extra: Values, timeout: float) -> bool:
    """Bring one part to what is wanted; whether anything had to be written."""
    written = False

    def probe() -> bool | Pending:
        nonlocal written
        live, in_force = _look(client, ref, part)
        changes = {name: value for name, value in wanted.items() if live[name] != value}
        if not written and (changes or extra):
            part.before(client, ref, changes)
            for method, path, body in part.write({**changes, **extra}, live):
                client.transport.write(method, f"/v1/projects/{ref}{path}", body)
            written = True
            live, in_force = _look(client, ref, part)
            changes = {name: value for name, value in wanted.items() if live[name] != value}
        if changes or not in_force:
            return Pending(f"{', '.join(changes or wanted)} not in force yet")
        return True

    wait_until(probe, what=f"settings of project {ref}", timeout=timeout)
    return written


def _look(client: Client, ref: str, part: Part) -> tuple[Values, bool]:
    path = f"/v1/projects/{ref}{part.route}"
    try:
        return part.read(client.transport.get(path))
    except ApiError as error:
        # The switch for legacy keys goes when the last project has none.
        if error.not_found and part.names == ("legacy_keys",):
            return {"legacy_keys": False}, True
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ApiError("GET", path, 200, f"the answer has an unexpected shape: {error}") from error


def _smtp_password() -> str:
    if password := os.environ.get("SMTP_PASSWORD"):
        return password
    raise OperatorError("is not set", "SMTP_PASSWORD", "The mailer in Pulumi.<environment>.yaml logs in with it.")


def _write_auth(changes: Values, _live: Values) -> list[tuple[str, str, Any]]:
    password = {"smtp_pass": _smtp_password()} if changes.keys() & set(SMTP) else {}
    return [("PATCH", "/config/auth", {**changes, **password})]


def _read_network(answer: Any) -> tuple[Values, bool]:
    config = answer["config"]
    given = [*config.get("dbAllowedCidrs", []), *config.get("dbAllowedCidrsV6", [])]
    networks = sorted(str(ipaddress.ip_network(each, strict=False)) for each in given)
    return {"allowed_addresses": networks}, answer["status"] == "applied"


def _write_network(changes: Values, _live: Values) -> list[tuple[str, str, Any]]:
    six = [each for each in changes["allowed_addresses"] if ":" in each]
    four = [each for each in changes["allowed_addresses"] if ":" not in each]
    return [("POST", "/network-restrictions/apply", {"dbAllowedCidrs": four, "dbAllowedCidrsV6": six})]


def _read_addons(answer: Any) -> tuple[Values, bool]:
    chosen = {addon["type"]: addon["variant"]["id"] for addon in answer["selected_addons"]}
    days = int(chosen.get("pitr", "pitr_0").removeprefix("pitr_"))
    return {"point_in_time_recovery": days, "ipv4": "ipv4" in chosen}, True


def _write_addons(changes: Values, live: Values) -> list[tuple[str, str, Any]]:
    requests: list[tuple[str, str, Any]] = []
    for name, kind in (("point_in_time_recovery", "pitr"), ("ipv4", "ipv4")):
        wanted = changes.get(name)
        if wanted is None:
            continue
        variant = "ipv4_default" if kind == "ipv4" else f"pitr_{wanted or live[name]}"
        if wanted:
            requests.append(("PATCH", "/billing/addons", {"addon_type": kind, "addon_variant": variant}))
        else:
            requests.append(("DELETE", f"/billing/addons/{variant}", None))
    return requests


PARTS = (
    Part(AUTH, "/config/auth", lambda answer: ({name: answer[name] for name in AUTH}, True), _write_auth),
    Part(
        ("legacy_keys",),
        "/api-keys/legacy",
        lambda answer: ({"legacy_keys": answer["enabled"]}, True),
        lambda changes, _: [("PUT", f"/api-keys/legacy?enabled={str(changes['legacy_keys']).lower()}", None)],
        before=require_unused,
    ),
    Part(
        ("data_api_schemas",),
        "/postgrest",
        lambda answer: ({"data_api_schemas": [each.strip() for each in answer["db_schema"].split(",") if each]}, True),
        lambda changes, _: [("PATCH", "/postgrest", {"db_schema": ",".join(changes["data_api_schemas"])})],
    ),
    Part(("allowed_addresses",), "/network-restrictions", _read_network, _write_network),
    Part(("point_in_time_recovery", "ipv4"), "/billing/addons", _read_addons, _write_addons, restarts=True),
    Part(
        ("ssl_enforcement",),
        "/ssl-enforcement",
        lambda answer: ({"ssl_enforcement": answer["currentConfig"]["database"]}, answer["appliedSuccessfully"]),
        lambda changes, _: [("PUT", "/ssl-enforcement", {"requestedConfig": {"database": changes["ssl_enforcement"]}})],
        restarts=True,
    ),
)
