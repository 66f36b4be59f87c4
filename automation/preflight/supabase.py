"""Supabase: the token, the organization and its plan, and whether a client's project can be where it is meant to be.

A bare `pulumi up` asks the same about the project when it creates it; by then other resources may exist.
"""

import socket

from automation.preflight.finding import Finding
from common.errors import OperatorError
from components.settings import ClientSettings
from supabase_management.adoption import foreign, marked, require_region
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.legacy_keys import legacy_users
from supabase_management.models import GONE, PAUSED, OrganizationRecord
from supabase_management.project_config import live_settings
from supabase_management.project_lifecycle import check_region, find_project, visible_organization

POOLER_SECONDS = 5.0
FREE_PROJECTS = 2  # active ones, of each member of an organization on the free plan


def examine(client: Client, settings: ClientSettings, *, fresh: bool | None) -> list[Finding]:
    """Look at everything of Supabase's that a client needs; read-only.

    Args:
        fresh: nothing of the client is in state, not even a password, so only our mark can prove that a project of
            that name is ours. False: an interrupted create may have made it, and creating tries the password. None:
            the project is in state.
    """
    findings: list[Finding] = []
    name = "Supabase token"
    try:
        findings.append(_token(client))
        name = "Supabase organization"
        findings.append(_organization(client, settings, fresh))
        if fresh is not None:
            name = "Supabase project"
            findings.append(_project(client, settings, fresh=fresh))
        elif found := find_project(client, settings.organization, settings.project_name):
            name = "Supabase legacy keys"
            findings.append(_legacy_keys(client, found.ref))
    except OperatorError as refusal:
        findings.append(Finding(name, str(refusal), "failed"))
    return findings


def pooler(address: str) -> Finding:
    """Whether the address `host:port` of a client's connection pooler takes connections from here."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=POOLER_SECONDS):
            return Finding("Supabase pooler", f"{address} takes connections")
    except OSError as error:
        remedy = "Check the firewall here, and the project's network restrictions and whether it is paused."
        return Finding("Supabase pooler", f"{address} cannot be reached ({type(error).__name__})", "failed", remedy)


def _token(client: Client) -> Finding:
    try:
        return Finding("Supabase token", f"works as {client.profile().username}, no expiry told")
    except ApiError as error:
        # A token of an organization belongs to nobody, and need not be allowed to ask.
        if not (error.forbidden or error.not_found):
            raise
    return Finding("Supabase token", "works; whose it is is not told")


def _organization(client: Client, settings: ClientSettings, fresh: bool | None) -> Finding:
    organization = visible_organization(client, settings.organization)
    says = f"{settings.organization}, plan {organization.plan}"
    if organization.plan == "free" and fresh is not None:
        return _free(client, organization, settings, says)
    return Finding("Supabase organization", says)


def _free(client: Client, organization: OrganizationRecord, settings: ClientSettings, says: str) -> Finding:
    listed = client.projects(settings.organization, "")
    active = [one for one in listed if one.status not in GONE | PAUSED and one.name != settings.project_name]
    says = f"{says}: {len(active)} of {FREE_PROJECTS} active projects"
    if len(active) < FREE_PROJECTS:
        return Finding("Supabase organization", says)
    return Finding("Supabase organization", says, "failed", "Pause or delete one, or take a paid plan.")


def _legacy_keys(client: Client, ref: str) -> Finding:
    name = "Supabase legacy keys"
    if not live_settings(client, ref, ["legacy_keys"])["legacy_keys"]:
        return Finding(name, "off")
    try:
        users = legacy_users(client, ref)
    except ApiError as error:
        if error.transient:
            raise
        return Finding(name, f"on; who uses them is not told: {error.reason}", "warning", error.remedy)
    if users:
        says = f"on and used, requests within 24 hours: {', '.join(users)}"
        return Finding(name, says, "warning", "Move them to publishable and secret keys.")
    return Finding(name, "on, unused for 24 hours", "warning", "`legacyKeys: false` switches them off.")


def _project(client: Client, settings: ClientSettings, *, fresh: bool) -> Finding:
    found = find_project(client, settings.organization, settings.project_name)
    if found is None:
        check_region(client, settings.organization, settings.region, settings.instance_size)
    else:
        require_region(found, settings.region)
        if fresh and not settings.adopt and not marked(client, found, settings.client_id):
            raise foreign(found, settings.client_id)
    says = f"{settings.project_name} {'exists' if found else 'is new'}, region {settings.region}"
    return Finding("Supabase project", says)
