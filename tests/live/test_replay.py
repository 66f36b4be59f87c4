"""Recorded traffic, without its secrets, asked again of the emulators: the same statuses, the same shapes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from supabase_management.client import Client
from tests.conftest import Local
from tests.live.accounts import Accounts
from tests.live.recorder import Exchange, Recorder, load, save
from tests.live.redaction import redact
from tests.live.replay import ORGANIZATION, RUN, differences, replay, replay_file, settled
from tests.live.sweep import new_run
from tests.supabase.management import RECORDED

FIXTURES = Path(__file__).parent / "fixtures"
RECORDINGS = sorted(FIXTURES.glob("*.json"))
NONE_YET = pytest.param(FIXTURES / "none", marks=pytest.mark.skip(reason="no live run has been recorded yet"))
PASSWORD = "correct-horse-battery-staple"


@pytest.fixture
def accounts(emulators: Local) -> Accounts:
    return Accounts(emulators.exports)


@pytest.fixture
def bound(accounts: Accounts) -> dict[str, Any]:
    """What stands for the masks here."""
    return {RUN: new_run(), ORGANIZATION: accounts.exports["SUPABASE_ORG_SLUG"]}


def visit(client: Client, run: str, organization: str) -> set[str]:
    """What a project of ours goes through; gives the secrets that were seen."""
    made = client.create_project(
        name=run, organization=organization, region="eu-west-2", password=PASSWORD, instance_size="micro"
    )
    client.project(made.ref)
    client.health(made.ref, ("db", "rest"))
    client.poolers(made.ref)
    key = client.create_key(made.ref, "secret", "of_the_visit")
    secrets = {PASSWORD, *(each.api_key for each in client.keys(made.ref))}
    client.ownership_mark(made.ref)
    client.delete_key(made.ref, key.id)
    client.delete_project(made.ref)
    return secrets


@pytest.fixture
def recording(accounts: Accounts, tmp_path: Path) -> list[Exchange]:
    """A visit as the recorder kept it, redacted, written and read again."""
    run, token = new_run(), accounts.exports["SUPABASE_ACCESS_TOKEN"]
    recorder = Recorder("supabase", accounts.url("supabase"))
    organization = accounts.exports["SUPABASE_ORG_SLUG"]
    with recorder.serving() as url, Client(url, token) as client:
        secrets = {*visit(client, run, organization), token}
    done = redact(recorder.exchanges, secrets=secrets, names={run: RUN, organization: ORGANIZATION})
    save(done, tmp_path / "supabase.json")
    text = (tmp_path / "supabase.json").read_text()
    assert not [secret for secret in {*secrets, run, organization} if secret in text]
    return load(tmp_path / "supabase.json")


def test_what_the_recorder_kept_is_answered_alike_when_asked_again(
    accounts: Accounts, recording: list[Exchange], bound: dict[str, Any]
) -> None:
    assert {one.method for one in recording} == {"GET", "POST", "DELETE"}
    assert len(settled(recording)) > 7
    assert replay(recording, accounts.supabase, bound) == []


def test_an_answer_that_differs_is_told_by_key_type_and_status(
    accounts: Accounts, recording: list[Exchange], bound: dict[str, Any]
) -> None:
    made, *others = recording
    changed = {**made.answer, "region": 5, "colour": "blue"}
    del changed["status"]
    assert replay([replace(made, answer=changed)], accounts.supabase, bound) == [
        "POST /v1/projects: answer.colour is missing",
        "POST /v1/projects: answer.status was not recorded",
        "POST /v1/projects: answer.region is a string, recorded a number",
    ]
    missing = replace(others[0], path="/v1/projects/nobodysproject", status=200)
    (fault,) = replay([missing], accounts.supabase, bound)
    assert fault == "GET /v1/projects/nobodysproject: status 404, recorded 200"


def test_items_of_a_list_are_each_compared_with_the_one_they_are_most_like() -> None:
    recorded = [{"id": "anon"}, {"id": "x", "hash": "y", "at": None}]
    assert differences(recorded, [{"id": "z", "hash": "q", "at": "now"}]) == []
    assert differences(recorded, [{"id": "z", "hash": "q", "at": "now", "more": True}]) == [
        "answer[0].more was not recorded"
    ]
    assert differences([], [{"id": 1}]) == []


def test_what_was_not_ready_yet_is_not_asked_again() -> None:
    def asked(method: str, path: str, status: int) -> Exchange:
        return Exchange(method, path, None, status, None)

    kept = settled([
        asked("POST", "/query", 400), asked("GET", "/health", 200), asked("GET", "/health", 200),
        asked("POST", "/query", 201), asked("GET", "/health", 200), asked("GET", "/gone", 404),
    ])  # fmt: skip
    assert [(one.path, one.status) for one in kept] == [
        ("/health", 200), ("/query", 201), ("/health", 200), ("/gone", 404),
    ]  # fmt: skip


@pytest.mark.parametrize("file", RECORDINGS or [NONE_YET], ids=lambda file: file.stem)
def test_the_emulators_answer_as_the_services_did(file: Path, accounts: Accounts) -> None:
    assert replay_file(file, accounts) == []


# Folder -> cases of it, in the order of a project's life. Left out: a refusal to delete what is still coming up, since
# these emulators' projects are up at once.
PUBLISHED = {
    "GET_v1_organizations": "default 2 3 4",
    "POST_v1_projects": "default 2",
    "GET_v1_projects": "default 2 3 4",
    "GET_v1_projects___PROJECT_REF__": "default 2 3 4",
    "GET_v1_projects___PROJECT_REF___api_keys": "default 2 3",
    "GET_v1_projects___PROJECT_REF___config_database_pooler": "default",
    "POST_v1_projects___PROJECT_REF___database_query": "default 2",
    "GET_v1_projects___PROJECT_REF___network_restrictions": "default 2 3 4 5",
    "POST_v1_projects___PROJECT_REF___network_restrictions_apply": "default 2",
    "GET_v1_projects___PROJECT_REF___ssl_enforcement": "default 2 3 4",
    "DELETE_v1_projects___PROJECT_REF__": "default",
}


def published() -> list[Exchange]:
    """What Supabase's own tests recorded of the real service."""
    found = []
    for folder, cases in PUBLISHED.items():
        for case in cases.split():
            asked, answered = (
                json.loads((RECORDED / folder / f"{case}.{part}.json").read_text()) for part in ("request", "response")
            )
            found.append(
                Exchange(
                    asked["method"], asked["path"], _ours(asked["body"]), answered["status"], _ours(answered["body"])
                )
            )
    return found


def _ours(body: Any, field: str = "") -> Any:
    """Its one mask for refs and organizations, told apart."""
    if isinstance(body, dict):
        return {name: _ours(part, name) for name, part in body.items()}
    if isinstance(body, list):
        return [_ours(part, field) for part in body]
    return ORGANIZATION if body == "__PROJECT_REF__" and field.startswith("organization") else body


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded answers at {RECORDED}")
def test_the_emulator_answers_as_supabase_did_when_others_recorded_it(
    accounts: Accounts, bound: dict[str, Any]
) -> None:
    made: list[str] = []

    def ask(method: str, path: str, **more: Any) -> Any:
        answer = accounts.supabase(method, path, **more)
        if (method, path) == ("POST", "/v1/projects"):
            made.append(f"/v1/projects/{answer.json()['ref']}")
        return answer

    try:
        assert replay(published(), ask, bound) == []
    finally:
        for path in made:
            accounts.supabase("DELETE", path)
