"""Every route that our providers ask, struck by every kind of fault: done, or told in one line and done next time."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from components.schema.resource import SchemaProvider
from components.supabase.api_key import ApiKeyProvider
from components.supabase.endpoints import EndpointsProvider
from components.supabase.owner import OwnerProvider
from components.supabase.project import ProjectProvider
from components.supabase.settings import SettingsProvider
from pgschema.catalog import digests, read_snapshot
from pgschema.migrations import read_migrations
from tests.conftest import Local
from tests.dynamic_server import DynamicServer, ProviderError, dynamic_server
from tests.proof.test_faults import FAULTS, REF
from tests.supabase.test_project_settings import EVERYTHING, SMTP_PASSWORD

PASSWORD = "Abcdefghijklmnop"
TIMEOUT = {"timeout": 30}


@pytest.fixture(scope="module")
def server(local: Local) -> Iterator[DynamicServer]:
    with dynamic_server({**local.exports, "SMTP_PASSWORD": SMTP_PASSWORD}) as running:
        yield running


def build(server: DynamicServer, organization: str, name: str) -> tuple[str, int]:
    """Make a client's Supabase half, each resource again when it fails; the project, and how many failed."""
    told: list[str] = []

    def make(kind: type, inputs: dict[str, Any]) -> str:
        try:
            return server.provider(kind).create(inputs)[0]
        except ProviderError as error:
            told.append(str(error).strip())
            return server.provider(kind).create(inputs)[0]

    whose = {"project_name": name, "client_id": "acme", "db_password": PASSWORD, **TIMEOUT}
    place = {"organization": organization, "region": "eu-west-2", "instance_size": "small"}
    ref = make(ProjectProvider, {**whose, **place, "paused": False, "adopt": False})
    project = {"project_ref": ref}
    make(EndpointsProvider, {**project, **TIMEOUT})
    make(ApiKeyProvider, {**project, "key_name": "stack", "generation": 1})
    content = {
        "migrations": {each.version: each.digest for each in read_migrations()},
        "catalog": digests(read_snapshot()),
        "isolation": "passed",
    }
    make(SchemaProvider, {**project, **whose, **content})
    make(SettingsProvider, {**EVERYTHING, **project})
    owner = {"name": "Acme", "slug": "acme", "plan": "growth", "contact": "o@acme.example", "email": "o@acme.example"}
    status = {"role": "owner", "status": "active", "by_mail": False, "invitation": 1}
    make(OwnerProvider, {**project, "db_password": PASSWORD, **owner, **status, **TIMEOUT})
    assert not [line for line in told if re.search(r"\n|Traceback|<html|unexpected [A-Z]", line)], told
    return ref, len(told)


def routes(local: Local, server: DynamicServer, organization: str) -> list[tuple[str, str]]:
    """What an undisturbed build asks, each route once, as patterns."""
    local.requests("supabase")
    build(server, organization, f"client-{uuid4().hex[:12]}")
    asked = ((str(entry["method"]), str(entry["path"])) for entry in local.requests("supabase"))
    return sorted({(method, re.sub("/projects/[a-z]{20}", REF, path)) for method, path in asked})


@pytest.mark.long
@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_of_any_route_is_survived_and_nothing_is_made_twice(
    emulators: Local, server: DynamicServer, kind: str
) -> None:
    organization = emulators.exports["SUPABASE_ORG_SLUG"]
    url = f"{emulators.urls['supabase']}/_emulator/faults"
    seen: Counter[str] = Counter()
    for method, path in routes(emulators, server, organization):
        name = f"client-{uuid4().hex[:12]}"
        emulators.fault("supabase", method=method, path=path, **FAULTS[kind])
        ref, told = build(server, organization, name)
        (struck,) = emulators.http.get(url).json()
        emulators.http.delete(url)
        assert struck["seen"], (method, path)
        seen["told, then done" if told else "done"] += 1
        found = emulators.supabase("GET", f"/v1/organizations/{organization}/projects?search={name}").json()
        assert [each["ref"] for each in found["projects"]] == [ref]
        keys = emulators.supabase("GET", f"/v1/projects/{ref}/api-keys").json()
        assert [key["name"] for key in keys if key["name"].startswith("stack")] == ["stack_g1"]
        emulators.supabase("DELETE", f"/v1/projects/{ref}").raise_for_status()
    print(f"{kind}: {seen.total()} routes, {dict(seen)}")  # noqa: T201
    assert seen.total() > 20
