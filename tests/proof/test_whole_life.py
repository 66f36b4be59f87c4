"""A client's whole life: the Management API is spoken as published, and no secret is where it does not belong."""

import re
from pathlib import Path

import pytest

from tests.automation.local_client import MakeClient
from tests.proof.life import Life, lived
from tests.proof.test_lost_state import lose
from tests.supabase.management import CONTRACT, contract_faults

OPERATIONS = {
    "GET /v1/organizations/{slug}",
    "GET /v1/organizations/{slug}/projects",
    "GET /v1/projects/available-regions",
    "POST /v1/projects",
    "GET /v1/projects/{ref}",
    "PATCH /v1/projects/{ref}",
    "DELETE /v1/projects/{ref}",
    "PATCH /v1/projects/{ref}/database/password",
    "POST /v1/projects/{ref}/database/query",
    "POST /v1/projects/{ref}/cli/login-role",
    "GET /v1/projects/{ref}/health",
    "GET /v1/projects/{ref}/api-keys",
    "POST /v1/projects/{ref}/api-keys",
    "DELETE /v1/projects/{ref}/api-keys/{id}",
    "GET /v1/projects/{ref}/config/database/pooler",
}


def live(life: Life) -> None:
    """Create, change by hand, repair, rotate, lose the state, find all again, destroy."""
    life("up", "--json")
    life.supabase("PATCH", f"/v1/projects/{life.state()['project']['id']}", {"name": "by hand"})
    life("up", "--refresh")
    life("rotate", "--json")
    before = life.state()
    lose(life.client)
    life("up")
    for name in ("project", "secret-key"):
        assert life.state()[name]["id"] == before[name]["id"]
    life("outputs", "--json")
    life("destroy", "--yes")


@pytest.mark.long
def test_every_exchange_keeps_the_contract_and_no_secret_is_in_clear(make_client: MakeClient, tmp_path: Path) -> None:
    with lived(make_client("life"), tmp_path) as life:
        live(life)
        exchanges = life.exchanges()
        texts = life.written()
    if CONTRACT.exists():
        faults = [
            fault
            for one in exchanges
            for fault in contract_faults(
                one.method, f"{one.path}?{one.query}".rstrip("?"), one.sent, one.status, one.raw
            )
        ]
        assert faults == []
    assert {_operation(one.method, one.path) for one in exchanges} >= OPERATIONS
    assert len({name.rpartition(" ")[0] for name in life.secrets}) > 5
    leaks = {(name, where) for name, value in life.secrets.items() for where, text in texts.items() if value in text}
    assert leaks == set()


def _operation(method: str, path: str) -> str:
    path = re.sub(r"/organizations/[^/]+", "/organizations/{slug}", path)
    path = re.sub(r"/projects/[a-z]{20}", "/projects/{ref}", path)
    return f"{method} {re.sub(r'/api-keys/[0-9a-f-]{36}', '/api-keys/{id}', path)}"
