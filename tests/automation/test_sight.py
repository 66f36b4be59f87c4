"""A token that may not see a thing gets a 404 like for one that is gone; nothing is concluded from that."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.automation.local_client import PULUMI, ROOT, MakeClient

REPOSITORY = {"name": "repository", "kind": "repository", "id": "never-made"}
BLIND = {"path": ".*/repos/.*", "method": "GET", "times": 100_000, "status": 404, "body": '{"message": "Not Found"}'}


def look(emulators, *things: dict[str, Any], **more: str) -> Any:
    process = subprocess.run(
        [sys.executable, "-m", "automation.recovery.token_visibility"],
        cwd=ROOT,
        env=os.environ | emulators.exports | more,
        input=json.dumps(things),
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stderr.strip() if process.returncode else json.loads(process.stdout)


@pytest.fixture
def account(emulators):
    """Changes what GitHub's token may do, and puts it back."""
    url = f"{emulators.urls['github']}/_account"
    before = emulators.http.get(url).json()
    yield lambda **changed: emulators.http.patch(url, json=changed).raise_for_status()
    emulators.http.patch(url, json={"scopes": before["scopes"]}).raise_for_status()


def test_what_is_missing_from_a_list_that_shows_everything_is_gone(emulators) -> None:
    assert look(emulators, REPOSITORY) == {"repository": "gone"}


def test_a_token_without_the_scope_for_private_repositories_cannot_tell(emulators, account) -> None:
    account(scopes=["public_repo", "read:org"])
    owner = emulators.exports["GITHUB_OWNER"]
    said = f"GITHUB_TOKEN is not shown to see all repositories of {owner}"
    assert look(emulators, REPOSITORY) == {"repository": said}


def test_a_service_that_refuses_its_token_says_nothing_about_what_exists(emulators) -> None:
    assert "answers 401" in look(emulators, REPOSITORY, GITHUB_TOKEN="ghp_wrong")


def test_a_project_that_vercel_does_not_list_is_gone(emulators) -> None:
    site = {"name": "site", "kind": "site", "id": "prj_never_made", "team": None, "label": "never-made"}
    assert look(emulators, site) == {"site": "gone"}


@pytest.mark.parametrize("make_client", [PULUMI], indirect=True)
def test_a_blind_token_forgets_nothing_and_the_next_up_goes_on(make_client: MakeClient) -> None:
    client = make_client("blind")
    assert client("up")[0] == 0
    faults = f"{client.emulators.urls['github']}/_emulator/faults"
    client.emulators.http.post(faults, json=BLIND).raise_for_status()
    for verb, words in (("drift", ()), ("up", ("--refresh",))):
        code, found = client(verb, *words)
        assert code == 2
        assert "repository: GitHub lists" in found["error"]
        assert "--gone repository" in found["error"]
    assert "repository" in client.state()
    client.emulators.http.delete(faults)
    code, again = client("up")
    assert (code, again["status"]) == (0, "unchanged")


@pytest.mark.parametrize("make_client", [PULUMI], indirect=True)
def test_what_a_state_has_lost_is_taken_up_by_the_next_up(make_client: MakeClient) -> None:
    client = make_client("taken")
    assert client("up")[0] == 0
    before = client.state()
    faults = f"{client.emulators.urls['github']}/_emulator/faults"
    client.emulators.http.post(faults, json=BLIND).raise_for_status()
    client("up", "--refresh", "--gone", "repository")  # an operator's mistake: it ends in an error, without the state
    client.emulators.http.delete(faults)
    code, again = client("up")
    assert (code, again["error"]) == (0, None)
    assert client.state()["repository"]["outputs"]["nodeId"] == before["repository"]["outputs"]["nodeId"]
