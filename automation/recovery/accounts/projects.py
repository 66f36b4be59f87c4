"""Supabase projects that no stack holds: proved by the mark in their database, which adoption goes by too."""

from collections.abc import Iterator

from automation.recovery.accounts.found import PROJECT, Asked, Found, Report
from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.models import GONE, PAUSED, ProjectRecord
from supabase_management.readiness import api_url


def find_projects(asked: Asked, report: Report) -> dict[str, str]:
    """Look at all projects of the organizations.

    Returns:
        API URL -> client, of the projects that are proved to be a client's.
    """
    urls: dict[str, str] = {}
    try:
        with Client.from_environment() as client:
            for organization in asked.organizations:
                urls |= _of_organization(client, organization, asked, report)
    except OperatorError as error:
        report.unknown.append(f"{PROJECT}s: {error}")
    return urls


def _of_organization(client: Client, organization: str, asked: Asked, report: Report) -> dict[str, str]:
    urls: dict[str, str] = {}
    try:
        client.organization(organization)
        listed = client.projects(organization, "")
    except ApiError as error:
        report.unknown.append(f"{PROJECT}s of organization {organization}: {error.what}")
        return urls
    for project in listed:
        if project.ref in asked.projects or project.status in GONE:
            continue
        for found in _judged(client, project, asked):
            report.found.append(found)
            if found.proof:
                urls |= _url(client, project, found.client)
    return urls


def _judged(client: Client, project: ProjectRecord, asked: Asked) -> Iterator[Found]:
    """Yield the project unless it is shown to be nobody's of ours."""
    name, by_name = f"{project.name} ({project.ref})", asked.client_by_name(project.name)
    if project.status in PAUSED:
        yield Found(PROJECT, name, by_name, doubt="it is paused, so its mark cannot be read")
        return
    try:
        mark = client.ownership_mark(project.ref)
    except ApiError as error:
        yield Found(PROJECT, name, by_name, doubt=f"its mark cannot be read: {error.what}")
        return
    if mark:
        yield Found(PROJECT, name, mark.client_id, f"its database is marked as client '{mark.client_id}'")
    elif by_name:
        yield Found(PROJECT, name, by_name, doubt="it is named like a client's, and its database holds no mark")


def _url(client: Client, project: ProjectRecord, owner: str) -> dict[str, str]:
    try:
        return {api_url(client.base_url, client.project(project.ref)): owner}
    except OperatorError:
        return {}  # what reads its API has one proof less, and is told as such
