"""A row for every setting that the files declare: its value, and whether the accounts have what it asks for.

Values that hold an address or a login are not shown.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import quote

from automation.preflight.finding import Finding, State
from automation.recovery.token_visibility import (
    Owner,
    get,
    list_sites,
    owner_of,
    unseen_repositories,
    unseen_sites,
)
from common.errors import OperatorError
from components.offline_checks import needed_variables, unknown_schemas
from components.project_settings import Mailer
from components.settings import ClientSettings
from rest_clients.github_vercel import github, vercel
from supabase_management.client import Client
from supabase_management.models import EntitlementRecord
from supabase_management.project_lifecycle import check_size, require_variables

SIZES, RECOVERY = "instances.compute_update_available_sizes", "pitr.available_variants"
IPV4, PAUSING = "ipv4", "project_pausing"
PLAN = "Take a plan that has it, or take it out of the environment's file."
Row = Callable[["Look"], Finding]


class Look:
    """One client's settings, and what has to be asked for them; each question is asked once.

    Args:
        settings: the client's settings.
        fresh: as for `automation.preflight.supabase.examine`; None when the project is in state.
        findings: what was found of the accounts already.
    """

    def __init__(self, settings: ClientSettings, fresh: bool | None, findings: Sequence[Finding]) -> None:
        self.settings, self.fresh = settings, fresh
        self.found = {finding.name: finding for finding in findings}

    @cached_property
    def allowed(self) -> dict[str, EntitlementRecord]:
        """What the organization's plan allows.

        Raises:
            OperatorError: the token does not show it.
        """
        with Client.from_environment() as client:
            return {each.key: each for each in client.entitlements(self.settings.organization)}

    @cached_property
    def sites(self) -> list[Mapping[str, Any]]:
        """All sites of the team.

        Raises:
            OperatorError: Vercel refuses, or does not answer.
        """
        with vercel() as http:
            return list(list_sites(http, self.settings.vercel_team))

    @cached_property
    def unseen_sites(self) -> str:
        """Why there may be sites of the team that the token does not show, or an empty text.

        Raises:
            OperatorError: Vercel refuses, or does not answer.
        """
        with vercel() as http:
            return unseen_sites(http, self.settings.vercel_team)

    @cached_property
    def owner(self) -> Owner:
        """The owner of the repositories, as the token sees it.

        Raises:
            OperatorError: GitHub refuses, or does not answer.
        """
        with github() as http:
            return owner_of(http)

    @cached_property
    def unseen_repositories(self) -> str:
        """Why there may be repositories that the token does not show, or an empty text.

        Raises:
            OperatorError: GitHub refuses, or does not answer.
        """
        with github() as http:
            return unseen_repositories(http, self.owner)


def examine(
    settings: ClientSettings, fresh: bool | None, declared: Sequence[str], findings: Sequence[Finding]
) -> list[Finding]:
    """One finding for each declared setting; read-only."""
    look = Look(settings, fresh, findings)
    return [_guarded(name, ROWS[name], look) for name in declared]


def _guarded(name: str, row: Row, look: Look) -> Finding:
    try:
        return row(look)
    except OperatorError as error:
        return Finding(f"setting {name}", f"cannot tell: {error}", "warning")


def _shown(name: str, value: Callable[[ClientSettings], Any]) -> Row:
    """A setting whose rules need no network, and have been checked."""
    return lambda look: Finding(f"setting {name}", _text(value(look.settings)))


def _judged(name: str, value: Callable[[ClientSettings], Any], row: str, *, new_only: bool = False) -> Row:
    """A setting that another row judges; what that row could not look at is no success.

    Args:
        row: name of the other finding.
        new_only: whether it is looked at only before the project exists.
    """

    def found(look: Look) -> Finding:
        text = _text(value(look.settings))
        if row in look.found:
            return Finding(f"setting {name}", f"{text}: see {row}")
        if new_only and look.fresh is None:
            return Finding(f"setting {name}", f"{text}: its project exists")
        return Finding(f"setting {name}", f"{text}: not looked at, see what failed above", "warning")

    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _project_name(look: Look) -> Finding:
    """A repository or site of that name makes the first `up` fail half-way, after the project is billed."""
    name, key = look.settings.project_name, "setting projectName"
    if look.fresh is not True:
        return Finding(key, name)
    taken = [*_taken_repository(look), *_taken_site(look)]
    if taken:
        remedy = "Nothing proves that it is this client's: rename it there, or choose another projectName."
        return Finding(key, f"{name} is taken by {' and '.join(taken)}", "failed", remedy)
    # What a token may not see is answered like what does not exist.
    if unseen := look.unseen_repositories or look.unseen_sites:
        return Finding(key, f"cannot tell whether {name} is free: {unseen}", "warning")
    return Finding(key, f"{name} is free at GitHub and Vercel")


def _taken_repository(look: Look) -> list[str]:
    """The repository of the client's name, unless it is described as the client's: `up` takes that one up."""
    settings, owner = look.settings, look.owner.name
    with github() as http:
        answer = get(http, f"/repos/{quote(owner)}/{quote(settings.project_name)}")
    mine = answer.is_success and answer.json().get("description") == settings.repository_description
    # A redirect leads to a renamed repository: its old name is free.
    return [f"the GitHub repository {owner}/{settings.project_name}"] if answer.is_success and not mine else []


def _taken_site(look: Look) -> list[str]:
    settings, owner = look.settings, look.owner.name.lower()
    for site in look.sites:
        link = site.get("link") or {}
        mine = (str(link.get("org", "")).lower(), link.get("repo")) == (owner, settings.project_name)
        if site["name"] == settings.project_name and not mine:
            return [f"the Vercel project {settings.project_name}"]
    return []


def _domain(look: Look) -> Finding:
    key, domain = "setting domain", str(look.settings.domain)
    for site in look.sites:
        names = {str(each.get("domain", "")).lower() for each in site.get("alias") or ()}
        if domain in names and site["name"] != look.settings.project_name:
            # The client's own site may have been renamed by hand; before there is one, it cannot.
            state: State = "warning" if look.fresh is None else "failed"
            remedy = "Remove it there, or choose another domain."
            return Finding(key, f"{domain} belongs to the Vercel project {site['name']}", state, remedy)
    if look.unseen_sites:
        return Finding(key, f"cannot tell whether {domain} is in use: {look.unseen_sites}", "warning")
    return Finding(key, f"{domain} is on no other site of this account")


def _paused(look: Look) -> Finding:
    key, paused = "setting paused", look.settings.paused
    if paused and look.fresh is not None:
        return Finding(key, "true, and there is no project yet", "failed", "Set it to false until `up` has made it.")
    if paused and not _has(look, PAUSING):
        return Finding(key, "true, and the plan does not let projects be paused", "failed", PLAN)
    return Finding(key, _text(paused))


def _mailer_of(settings: ClientSettings) -> Mailer:
    if settings.service.mailer is None:
        raise OperatorError("is not declared", "mailer")
    return settings.service.mailer


def _mailer(look: Look) -> Finding:
    try:
        require_variables(needed_variables(look.settings.service))
    except OperatorError as error:
        state: State = "warning" if look.fresh is None else "failed"
        return Finding("setting mailer", f"{error.where} {error.what}", state, "Export it: the mailer logs in with it.")
    return Finding("setting mailer", "its password is set")


def _schemas(look: Look) -> Finding:
    key, text = "setting dataApiSchemas", _text(look.settings.service.data_api_schemas)
    if unknown := unknown_schemas(look.settings.service):
        # A database that is there may hold schemas of its own.
        state: State = "warning" if look.fresh is None else "failed"
        remedy = "Correct it, or make it in a migration."
        says = f"{text}: neither Supabase nor sql/migrations makes {', '.join(unknown)}"
        return Finding(key, says, state, remedy)
    return Finding(key, text)


def _size(look: Look) -> Finding:
    key, size = "setting tiers.instanceSize", look.settings.instance_size
    organization = look.found.get("Supabase organization")
    if organization and ", plan free" in organization.says:
        try:
            check_size("free", size)
        except OperatorError as error:
            return Finding(key, error.what, "failed", error.remedy)
    choices = {each.removeprefix("ci_") for each in _choices(look, SIZES)}
    if size in (None, "nano") or size in choices:
        return Finding(key, _text(size))
    return Finding(key, f"the plan has no {size}, only {', '.join(sorted(choices)) or 'nano'}", "failed", PLAN)


def _recovery(look: Look) -> Finding:
    key, days = "setting tiers.pointInTimeRecovery", look.settings.service.point_in_time_recovery
    choices = {each.removeprefix("pitr_") for each in _choices(look, RECOVERY)} if days else set()
    if days and str(days) not in choices:
        offered = ", ".join(sorted(choices)) or "none"
        return Finding(key, f"the plan has no {days} days, only {offered}", "failed", PLAN)
    return Finding(key, _text(days))


def _ipv4(look: Look) -> Finding:
    key, wanted = "setting tiers.ipv4", look.settings.service.ipv4
    if wanted and not _has(look, IPV4):
        return Finding(key, "true, and the plan has no such add-on", "failed", PLAN)
    return Finding(key, _text(wanted))


def _has(look: Look, key: str) -> bool:
    return _entitled(look, key).allowed


def _choices(look: Look, key: str) -> tuple[str, ...]:
    """The values that the plan allows.

    Raises:
        OperatorError: it allows some and does not say which.
    """
    entitled = _entitled(look, key)
    if entitled.allowed and not entitled.choices:
        raise OperatorError("the plan does not say which", key)
    return entitled.choices if entitled.allowed else ()


def _entitled(look: Look, key: str) -> EntitlementRecord:
    if key not in look.allowed:
        raise OperatorError("the service does not say whether the plan has it", key)
    return look.allowed[key]


ROWS: dict[str, Row] = {
    "clientId": _shown("clientId", lambda settings: settings.client_id),
    "clientName": _shown("clientName", lambda settings: settings.client_name),
    "orgEmail": _shown("orgEmail", lambda settings: "an e-mail address"),
    "tier": _shown("tier", lambda settings: settings.tier),
    "environment": _shown("environment", lambda settings: settings.environment),
    "adopt": _judged("adopt", lambda settings: settings.adopt, "Supabase project", new_only=True),
    "domain": _domain,
    "paused": _paused,
    "rotatePassword": _shown("rotatePassword", lambda settings: settings.password_generation),
    "keyGeneration": _shown("keyGeneration", lambda settings: settings.key_generation),
    "inviteOwner": _shown("inviteOwner", lambda settings: settings.invitation),
    "legacyKeys": _shown("legacyKeys", lambda settings: settings.service.legacy_keys),
    "region": _judged("region", lambda settings: settings.region, "Supabase project", new_only=True),
    "organization": _judged("organization", lambda settings: settings.organization, "Supabase organization"),
    "tiers": _shown("tiers", lambda settings: f"{settings.tier} among them"),
    "projectName": _project_name,
    "protect": _shown("protect", lambda settings: settings.protect),
    "readyTimeout": _shown("readyTimeout", lambda settings: f"{settings.ready_timeout} s"),
    "repositoryTemplate": _judged(
        "repositoryTemplate", lambda settings: settings.repository_template, "GitHub template"
    ),
    "ruleset": _judged("ruleset", lambda settings: settings.ruleset, "GitHub plan"),
    "archiveOnDestroy": _judged("archiveOnDestroy", lambda settings: settings.archive_on_destroy, "GitHub token"),
    "vercelTeam": _judged("vercelTeam", lambda settings: settings.vercel_team, "Vercel team"),
    "mailer": _mailer,
    "mailer.host": _shown("mailer.host", lambda settings: _mailer_of(settings).host),
    "mailer.port": _shown("mailer.port", lambda settings: _mailer_of(settings).port),
    "mailer.user": _shown("mailer.user", lambda settings: "a login"),
    "mailer.sender": _shown("mailer.sender", lambda settings: "an e-mail address"),
    "mailer.passwordGeneration": _shown(
        "mailer.passwordGeneration", lambda settings: _mailer_of(settings).password_generation
    ),
    "allowedAddresses": _shown("allowedAddresses", lambda settings: settings.service.allowed_addresses),
    "operatorAddresses": _shown("operatorAddresses", lambda settings: settings.service.operator_addresses),
    "sslEnforcement": _shown("sslEnforcement", lambda settings: settings.service.ssl_enforcement),
    "dataApiSchemas": _schemas,
    "tiers.instanceSize": _size,
    "tiers.pointInTimeRecovery": _recovery,
    "tiers.ipv4": _ipv4,
}
