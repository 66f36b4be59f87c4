"""The life of a project at Supabase: find or create, look, change, remove. Every step can be repeated."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from common.errors import OperatorError
from supabase_management.adoption import Wanted, take
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.models import GONE, PAUSED, OrganizationRecord, ProjectRecord
from supabase_management.pausing import bring_back
from supabase_management.pooler import Login, find_address, login, wait_for_database
from supabase_management.waiting import Pending, wait_for_active, wait_until

CHANGED_BY_HAND = "(changed by hand)"


def allocate(client: Client, wanted: Wanted) -> str:
    """Find our project or create it, and give its ref as soon as there is one.

    Raises:
        OperatorError: the token, the organization, the region or the name will not do; nothing was created.
    """
    organization = visible_organization(client, wanted.organization)
    if found := find_project(client, wanted.organization, wanted.project_name):
        return take(client, found, wanted)
    check_size(organization.plan, wanted.instance_size)
    check_region(client, wanted.organization, wanted.region, wanted.instance_size)
    try:
        return client.create_project(
            name=wanted.project_name,
            organization=wanted.organization,
            region=wanted.region,
            password=wanted.db_password,
            instance_size=wanted.instance_size,
        ).ref
    except ApiError as error:
        # The answer may be lost and the project made, and billed: look before anybody asks for another.
        found = find_project(client, wanted.organization, wanted.project_name) if error.ambiguous else None
        if found is None:
            raise
        return take(client, found, wanted)


def visible_organization(client: Client, slug: str) -> OrganizationRecord:
    """The organization, or a refusal that names those the token sees."""
    try:
        return client.organization(slug)
    except ApiError as error:
        if not (error.forbidden or error.not_found):
            raise
        seen = ", ".join(organization.slug for organization in client.organizations()) or "none"
        raise OperatorError(
            f"the access token does not see organization '{slug}' (it sees: {seen})",
            "organization",
            "Set `organization` in Pulumi.<environment>.yaml or SUPABASE_ORG_SLUG, or use another token.",
        ) from error


def live(client: Client, ref: str, recorded: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the service holds for the inputs of a project, or None when it is gone.

    A password cannot be read: one that no longer works comes back as `CHANGED_BY_HAND`. A project that is meant to be
    paused counts as paused here: `components.supabase.pause` tells when somebody restored it.
    """
    record = client.existing_project(ref)
    if record is None:
        require_sight(client, ref, recorded.get("organization"))
        return None
    values: dict[str, Any] = {
        "project_name": record.name,
        "organization": record.organization_slug,
        "region": record.region,
        "paused": bool(recorded.get("paused")) or record.status in PAUSED,
    }
    if recorded.get("instance_size"):
        values["instance_size"] = client.instance_size(ref)
    if record.status.startswith("ACTIVE") and recorded.get("db_password"):
        address = find_address(client, ref)
        if address and login(address, recorded["db_password"]) is Login.REFUSED:
            values["db_password"] = CHANGED_BY_HAND
    return values


def change(client: Client, ref: str, old_password: str, wanted: Wanted) -> None:
    """Bring a project to what is wanted; returns from a new password only when it works through the pooler.

    A paused one is restored first unless it is meant to be paused. Pausing itself is left to
    `components.supabase.pause`, which comes after everything that needs the project running.

    Raises:
        OperatorError: a change that needs a running project is wanted of one that stays paused.
    """
    record = client.project(ref) if wanted.paused else bring_back(client, ref, timeout=wanted.timeout)
    new_password = old_password != wanted.db_password
    new_size = bool(wanted.instance_size) and client.instance_size(ref) != wanted.instance_size
    if record.status in PAUSED and (new_password or new_size):
        what = f"the {'password' if new_password else 'size'} of a paused project cannot be changed"
        raise OperatorError(what, f"project {ref}", "Set `paused: false` first.")
    if record.name != wanted.project_name:
        client.rename_project(ref, wanted.project_name)
    if new_password:
        client.set_password(ref, wanted.db_password)
        wait_for_database(client, ref, wanted.db_password, timeout=wanted.timeout, changed=True)
    if wanted.instance_size and new_size:
        client.set_instance_size(ref, wanted.instance_size)
        wait_for_active(client, ref, timeout=wanted.timeout)


def remove(client: Client, ref: str, timeout: float, organization: str | None) -> None:
    """Delete a project; gone already is as good, and one that is still coming up is waited for.

    Raises:
        OperatorError: the deletion is refused, or the token does not show that the project is gone.
    """

    def probe() -> bool | Pending:
        try:
            client.delete_project(ref)
        except ApiError as error:
            if error.not_found or (error.ambiguous and client.existing_project(ref) is None):
                require_sight(client, ref, organization)
                return True
            if error.status == 400 and "not ready" in error.reason:
                return Pending(error.reason, 3.0)
            raise
        return True

    wait_until(probe, what=f"deletion of project {ref}", timeout=timeout)


def require_sight(client: Client, ref: str, organization: str | None) -> None:
    """Refuse to count a project as gone unless the token is shown to see its organization's projects.

    A token that may not see a project gets the same 404 as for one that does not exist; counted as gone, the project
    would be dropped from state and made, and billed, a second time.

    Raises:
        OperatorError: the token does not see the organization or its list, or the list still has the project.
    """
    where, remedy = f"project {ref}", "Nothing was concluded. Use a token for the whole organization, then run again."
    if not organization:
        raise OperatorError("cannot tell whether it is gone: its state names no organization", where, remedy)
    try:
        client.organization(organization)
        listed = client.projects(organization, ref)
    except ApiError as error:
        if not (error.forbidden or error.not_found):
            raise
        what = f"cannot tell whether it is gone: the token does not see organization '{organization}'"
        raise OperatorError(what, where, remedy) from error
    if any(project.ref == ref and project.status not in GONE for project in listed):
        raise OperatorError("is listed by its organization, but not shown to this token", where, remedy)


def find_project(client: Client, organization: str, name: str) -> ProjectRecord | None:
    """The organization's project of that name, or None.

    Raises:
        OperatorError: there are several.
    """
    listed = client.projects(organization, name)
    found = [project for project in listed if project.name == name and project.status not in GONE]
    if len(found) > 1:
        raise OperatorError(
            f"{len(found)} projects of organization {organization} are named '{name}'",
            ", ".join(project.ref for project in found),
            "Rename or delete all but one.",
        )
    return found[0] if found else None


def require_variables(names: Iterable[str]) -> None:
    """Refuse to go on while an environment variable that a later step needs is not set.

    Raises:
        OperatorError: naming them.
    """
    if missing := [name for name in names if not os.environ.get(name)]:
        remedy = "Nothing was made. Export it: the mailer in Pulumi.<environment>.yaml logs in with it."
        raise OperatorError("is not set", ", ".join(missing), remedy)


def check_size(plan: str, instance_size: str | None) -> None:
    """Refuse a compute size that the free plan has not.

    Raises:
        OperatorError: naming size and plan.
    """
    if plan == "free" and instance_size not in (None, "nano"):
        remedy = "Take a paid plan, or take instanceSize out of the tier in Pulumi.<environment>.yaml."
        raise OperatorError(f"the plan free has no compute size '{instance_size}', only nano", "instanceSize", remedy)


def check_region(client: Client, organization: str, region: str, instance_size: str | None) -> None:
    """Refuse a region that the organization may not use now, naming those it may.

    Raises:
        OperatorError: the region is not offered, or has no capacity.
    """
    usable = sorted(each.code for each in client.regions(organization, instance_size) if not each.status)
    if region not in usable:
        raise OperatorError(
            f"'{region}' is not offered to organization {organization}; there is {', '.join(usable)}",
            "region",
            "Change `region` in Pulumi.<environment>.yaml.",
        )
