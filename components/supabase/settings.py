"""What is set on a client's project beyond its existence: sign-in, mail, network, encryption, Data API, add-ons, keys.

Every setting is an input with its desired value, so that one changed by hand is named. What is not configured is no
input and left alone. The mailer's password is neither input nor output: see `supabase_management.project_config`.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, is_unknown, operation, require_engine, whole
from components.project_settings import RECOVERY_DAYS, ServiceSettings, locked_out
from components.supabase.inputs import REF, SECONDS, Rule, difference, failures

SWITCH: Rule = (bool, "?must be true or false")
NETWORKS: Rule = (list, "?must be a list of networks such as 203.0.113.0/24")
RULES: dict[str, Rule] = {
    "project_ref": REF,
    "timeout": SECONDS,
    "site_id": (r"\S+", "must be the site's id"),
    "site_url": (r"https?://[^\s,]+", "must be a URL without a comma"),
    "uri_allow_list": (r"\S+", "must be URLs with commas between them"),
    "smtp_host": (r"[A-Za-z0-9.:-]+", "?must be a host name"),
    "smtp_port": (r"\d{1,5}", "?must be a port, as text"),
    "smtp_user": (r"\S(.*\S)?", "?must be one line"),
    "smtp_admin_email": (r"[^\s@]+@[^\s@]+", "?must be an e-mail address"),
    "smtp_sender_name": (r"\S(.*\S)?", "?must be one line"),
    "smtp_generation": (int, "?must be a whole number, 1 or more"),
    "legacy_keys": SWITCH,
    "data_api_schemas": (list, "?must be a list of schemas"),
    "allowed_addresses": NETWORKS,
    "operator_addresses": NETWORKS,
    "point_in_time_recovery": (object, "?must be a number of days"),
    "ipv4": SWITCH,
    "ssl_enforcement": SWITCH,
}
STEERING = frozenset({"timeout", "operator_addresses"})
# The address of a site is unknown while its deployment is replaced, and stays for as long as the site does.
STABLE = {"site_url": "site_id", "uri_allow_list": "site_id"}
OPTIONAL = frozenset(name for name, (_, words) in RULES.items() if words.startswith("?"))


class SettingsProvider(Provider):
    """Sets one project's settings. Inputs: the keys of `RULES`; nothing is computed."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what breaks a rule, and a network that would lock the operator out."""
        found = failures(news, RULES)
        return CheckResult(news, found or [*_lockout(news), *_numbers(news)])

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare offline; another project is another resource."""
        return difference(_olds, _news, replaces=("project_ref",), quiet=STEERING, optional=OPTIONAL, stable=STABLE)

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set what differs; a create that was interrupted goes on where it stopped."""
        return CreateResult(props["project_ref"], _apply({}, props))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What the service holds for the settings that we manage; those of a paused project stay as recorded."""
        from supabase_management.client import Client
        from supabase_management.models import PAUSED
        from supabase_management.project_config import live_settings

        with Client.from_environment(require_engine) as client:
            record = client.existing_project(id_)
            if record is None:
                return ReadResult("", {})
            live = {} if record.status in PAUSED else live_settings(client, id_, props.keys())
        values = _known(props) | live
        return ReadResult(id_, values, values)

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Set what differs from what the service holds."""
        return UpdateResult(_apply(_olds, _news))

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: the project keeps its settings for as long as it lives."""


class Settings(Resource, module="supabase", name="Settings"):
    """The settings of one project.

    Args:
        project_ref: ref of a project whose API is ready.
        site_id: the site that `site_url` belongs to.
        site_url: where the client's people sign in, and where links in mails lead.
        sender_name: name that mail comes from.
        service: the settings; what is None in it is left alone.
        timeout: seconds to wait for a setting to be in force.
    """

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        site_id: pulumi.Input[str],
        site_url: pulumi.Output[str],
        sender_name: str,
        service: ServiceSettings,
        timeout: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        networks = service.allowed_addresses
        schemas = service.data_api_schemas
        props: dict[str, Any] = {
            "project_ref": project_ref,
            "timeout": timeout,
            "site_id": site_id,
            "site_url": site_url,
            "uri_allow_list": site_url.apply(lambda url: f"{url}/**"),
            "legacy_keys": service.legacy_keys,
            "data_api_schemas": schemas if schemas is None else list(schemas),
            "allowed_addresses": networks if networks is None else sorted(networks),
            "operator_addresses": sorted(service.operator_addresses) if networks else None,
            "point_in_time_recovery": service.point_in_time_recovery,
            "ipv4": service.ipv4,
            "ssl_enforcement": service.ssl_enforcement,
        }
        if mailer := service.mailer:
            props |= {"smtp_host": mailer.host, "smtp_port": str(mailer.port), "smtp_user": mailer.user}
            props |= {"smtp_admin_email": mailer.sender, "smtp_sender_name": sender_name}
            props |= {"smtp_generation": mailer.password_generation}
        given = {name: value for name, value in props.items() if value is not None}
        super().__init__(SettingsProvider(), name, given, opts)


def _known(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name: props[name] for name in RULES if props.get(name) is not None}


def _apply(olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
    from supabase_management.client import Client
    from supabase_management.project_config import apply_settings

    wanted = whole(_known(news))
    renewed = wanted.get("smtp_generation") != whole(olds.get("smtp_generation"))
    with Client.from_environment(require_engine) as client:
        apply_settings(client, news["project_ref"], wanted, new_mailer=renewed, timeout=float(news["timeout"]))
    return _known(news)


def _numbers(news: Mapping[str, Any]) -> list[CheckFailure]:
    days = whole(news.get("point_in_time_recovery"))
    if days is None or is_unknown(days) or days in RECOVERY_DAYS:
        return []
    name = "point_in_time_recovery"
    return [CheckFailure(name, f"{name} '{days}': must be one of {', '.join(map(str, RECOVERY_DAYS))}")]


def _lockout(news: Mapping[str, Any]) -> list[CheckFailure]:
    texts = {name: news.get(name) or [] for name in ("allowed_addresses", "operator_addresses")}
    if any(map(is_unknown, texts.values())):
        return []
    found = []
    for name, text in ((name, str(text)) for name, given in texts.items() for text in given):
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            found.append(CheckFailure(name, f"{name} '{text}': must be a network such as 203.0.113.0/24: {error}"))
    if "allowed_addresses" in news and not found:
        shown = ", ".join(map(str, texts["allowed_addresses"])) or "(nobody)"
        for operator in locked_out(*(map(str, given) for given in texts.values())):
            rule = f"must contain {operator}, which operatorAddresses names, or the next `up` is locked out"
            found.append(CheckFailure("allowed_addresses", f"allowed_addresses '{shown}': {rule}"))
    return found
