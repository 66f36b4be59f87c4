"""What is set on a project: sign-in and mail, network restrictions, encryption, Data API, add-ons.

Network restrictions are kept and answered, not enforced: everybody here is on one machine.
"""

import hashlib
import ipaddress
import json
from pathlib import Path
from typing import Any

from local.emulators.rest import RefusedError
from local.emulators.supabase import organizations
from local.emulators.supabase import project as projects
from local.emulators.supabase.calls import Call, route

KINDS: dict[str, list[str]] = json.loads(Path(__file__).with_name("auth_settings.json").read_text())
PYTHON: dict[str, Any] = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
TYPES = {name: PYTHON[kind] for kind, names in KINDS.items() for name in names}
READ_ONLY = {"nimbus_oauth_email_optional", "saml_allow_encrypted_assertions", "custom_oauth_max_providers"}
SITE = "http://localhost:3000"  # where a link leads until somebody says otherwise
DEFAULTS: dict[str, Any] = dict.fromkeys(TYPES) | {
    "site_url": SITE, "uri_allow_list": "", "mailer_otp_exp": 3600, "sms_otp_length": 6, "mfa_phone_otp_length": 6,
    "custom_oauth_max_providers": 0, "passkey_enabled": False, "oauth_server_enabled": False,
    "oauth_server_allow_dynamic_registration": False, "custom_oauth_enabled": False, "sms_provider": "twilio",
    "password_required_characters": "", "security_captcha_provider": "hcaptcha", "db_max_pool_size_unit": "connections",
}  # fmt: skip
DATA_API = {"max_rows": 1000, "db_extra_search_path": "public, extensions", "db_pool": None}
EVERYBODY = {"dbAllowedCidrs": ["0.0.0.0/0"], "dbAllowedCidrsV6": ["::/0"]}
HOURLY = {"type": "usage", "interval": "hourly", "amount": 0.01344, "description": "$0.01344/hour"}
MONTHLY = {"type": "fixed", "interval": "monthly", "amount": 100, "description": "$100/month"}
ADDONS = {"pitr": ("pitr_7", "pitr_14", "pitr_28"), "ipv4": ("ipv4_default",)}
SLOW = 0.2  # of the time that a project takes to come up: until a change of the network or of encryption is in force


def auth_settings(project: projects.Project) -> dict[str, Any]:
    """The sign-in settings of a project; the mailer's password in clear."""
    changed: dict[str, Any] = project.get("auth", {})
    return DEFAULTS | changed


def _auth(call: Call) -> Any:
    return _hidden(auth_settings(projects.find(call)))


def _hidden(settings: dict[str, Any]) -> dict[str, Any]:
    """Passwords and secrets are told as hashes."""
    hashed = {
        name: hashlib.sha256(str(settings[name]).encode()).hexdigest() for name in ("smtp_pass",) if settings[name]
    }
    return settings | hashed


def _change_auth(call: Call) -> Any:
    given = call.body if isinstance(call.body, dict) else {}
    if unknown := sorted(given.keys() - TYPES.keys() | given.keys() & READ_ONLY):
        raise RefusedError(400, f"Unrecognized key(s) in object: {', '.join(map(repr, unknown))}")
    for name, value in given.items():
        if value is not None and not isinstance(value, TYPES[name]):
            raise RefusedError(400, f"{name}: Expected {next(kind for kind in KINDS if name in KINDS[kind])}")
    if "," in (given.get("site_url") or ""):
        raise RefusedError(400, "site_url: Invalid")
    with projects.changing(call) as project:
        project["auth"] = project.get("auth", {}) | given
    return _hidden(auth_settings(project))


def _network(call: Call) -> Any:
    return _restrictions(call, projects.find(call))


def _restrictions(call: Call, project: projects.Project) -> dict[str, Any]:
    status = "applied" if _in_force(call, project, "network") else "stored"
    return {"entitlement": "allowed", "config": project.get("network", EVERYBODY), "status": status}


def _restrict(call: Call) -> Any:
    given = call.fields({}, {"dbAllowedCidrs": list, "dbAllowedCidrsV6": list})
    for name, version in (("dbAllowedCidrs", 4), ("dbAllowedCidrsV6", 6)):
        for text in given.get(name, []):
            if not _is_network(text, version):
                raise RefusedError(400, f"{name}: Invalid CIDR {text}")
    with projects.changing(call) as project:
        if project["phase"] != "active":
            raise RefusedError(500, "Failed to update project network restrictions: error adding pooler tenant")
        project["network"] = {name: given.get(name, []) for name in EVERYBODY}
        project["network_since"] = call.context.clock().timestamp()
    return _restrictions(call, project)


def _is_network(text: Any, version: int) -> bool:
    try:
        return ipaddress.ip_network(str(text)).version == version
    except ValueError:
        return False


def _encryption(call: Call) -> Any:
    project = projects.find(call)
    enforced = {"database": project.get("ssl", False)}
    return {"currentConfig": enforced, "appliedSuccessfully": _in_force(call, project, "ssl")}


def _encrypt(call: Call) -> Any:
    requested = call.fields({"requestedConfig": dict})["requestedConfig"]
    if not isinstance(requested.get("database"), bool) or len(requested) > 1:
        raise RefusedError(400, "requestedConfig.database: Expected boolean")
    with projects.changing(call) as project:
        project |= {"ssl": requested["database"], "ssl_since": call.context.clock().timestamp()}
    return _encryption(call)


def _in_force(call: Call, project: projects.Project, name: str) -> bool:
    since = project.get(f"{name}_since", float("-inf"))
    return bool(call.context.clock().timestamp() - since >= SLOW * call.context.startup)


def _data_api(call: Call) -> Any:
    project = projects.find(call)
    return _exposed(project) | {"jwt_secret": project["jwt_secret"]}


def _exposed(project: projects.Project) -> dict[str, Any]:
    return {"db_schema": project["db_schema"], **DATA_API, **project.get("data_api", {})}


def _expose(call: Call) -> Any:
    limits = {"max_rows": int, "db_extra_search_path": str, "db_pool": int}
    given = dict(call.fields({}, {"db_schema": str, **limits}))
    for name, most in (("max_rows", 1_000_000), ("db_pool", 1000)):
        if not 0 <= given.get(name, 0) <= most:
            raise RefusedError(400, f"{name}: Number must be between 0 and {most}")
    with projects.changing(call) as project:
        project["db_schema"] = given.pop("db_schema", project["db_schema"])
        project["data_api"] = project.get("data_api", {}) | given
    call.databases.data_api.stop(project["ref"])  # the next request starts it with the new settings
    return _exposed(project)


def _addons(call: Call) -> Any:
    project = projects.find(call)
    sizes = [f"ci_{name}" for name in projects.SIZES[1:]]
    offered = {"compute_instance": sizes, **ADDONS}
    chosen = {"compute_instance": f"ci_{project['instance_size']}", **project.get("addons", {})}
    return {
        "selected_addons": [
            {"type": kind, "variant": _variant(kind, chosen[kind])}
            for kind in offered
            if chosen.get(kind) in offered[kind]
        ],
        "available_addons": [
            {"type": kind, "name": kind, "variants": [_variant(kind, each) for each in variants]}
            for kind, variants in offered.items()
        ],
    }


def _variant(kind: str, variant: str) -> dict[str, Any]:
    name = variant.removeprefix("ci_").title()
    return {"id": variant, "name": name, "price": HOURLY if kind == "compute_instance" else MONTHLY}


def _choose(call: Call) -> None:
    given = call.fields({"addon_type": str, "addon_variant": str})
    kind, variant = given["addon_type"], given["addon_variant"]
    size = variant.removeprefix("ci_")
    if (kind == "compute_instance" and size not in projects.SIZES[1:]) or (
        kind != "compute_instance" and variant not in ADDONS.get(kind, ())
    ):
        raise RefusedError(400, "addon_variant: Invalid enum value")
    if organizations.PLAN == "free":
        raise RefusedError(402, f"Upgrade the organization's plan to use the add-on {variant}")
    with projects.changing(call) as project:
        if kind == "compute_instance":
            project["instance_size"] = size
            return
        if kind == "pitr" and project["instance_size"] in ("nano", "micro"):
            raise RefusedError(400, "Point in time recovery needs a compute size of at least small")
        project["addons"] = project.get("addons", {}) | {kind: variant}


def _remove(call: Call) -> None:
    with projects.changing(call) as project:
        kept = {kind: each for kind, each in project.get("addons", {}).items() if each != call.path["variant"]}
        if kept == project.get("addons", {}):
            raise RefusedError(400, "The add-on is not selected")
        project["addons"] = kept


ROUTES = [
    route("GET", "/v1/projects/{ref}/config/auth", _auth),
    route("PATCH", "/v1/projects/{ref}/config/auth", _change_auth),
    route("GET", "/v1/projects/{ref}/network-restrictions", _network),
    route("POST", "/v1/projects/{ref}/network-restrictions/apply", _restrict, 201),
    route("GET", "/v1/projects/{ref}/ssl-enforcement", _encryption),
    route("PUT", "/v1/projects/{ref}/ssl-enforcement", _encrypt),
    route("GET", "/v1/projects/{ref}/postgrest", _data_api),
    route("PATCH", "/v1/projects/{ref}/postgrest", _expose),
    route("GET", "/v1/projects/{ref}/billing/addons", _addons),
    route("PATCH", "/v1/projects/{ref}/billing/addons", _choose),
    route("DELETE", "/v1/projects/{ref}/billing/addons/{variant}", _remove),
]
