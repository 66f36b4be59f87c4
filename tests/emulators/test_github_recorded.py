"""Real GitHub's recorded answers (`@octokit/fixtures`) and the emulator's have the same shapes.

Each recorded exchange that the emulator has a route for is sent to it again; status, key sets and
JSON types are compared.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Match, Route

from local.emulators.github.account import ORGANIZATION
from local.emulators.github.app import TABLE, TOKEN, app
from tests.emulators.serving import context_in, serve
from tests.npm import PackageMissingError, unpacked

PACKAGE = "@octokit/fixtures@23.1.2"
SCENARIOS = "scenarios/api.github.com"
OWNER = "octokit-fixture-org"
# Recorded exchanges that fit a route of the emulator and yet are not compared.
NOT_COMPARED = {
    "GET /repos/octokit-fixture-org/hello-world/contents/README.md": "recorded as raw text",
    "GET /repos/octokit-fixture-org/create-status/commits/0{39}1/status(es)?": (
        "another route: the emulator's takes slashes for part of a branch's name"
    ),
}
# What GitHub answers since the recordings were made (2022); its own description has them.
NEWER = {
    "archived_at",
    "has_discussions",
    "merge_commit_message",
    "merge_commit_title",
    "security_and_analysis",
    "squash_merge_commit_message",
    "squash_merge_commit_title",
    "status",
}


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    scenario: str
    method: str
    path: str
    sent: Any
    status: int
    answer: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def has_route(self) -> bool:
        """Whether a route of the emulator fits."""
        scope = {"type": "http", "method": self.method, "path": self.path.partition("?")[0]}
        routes = [Route(path, app, methods=methods.split()) for methods, path, _ in TABLE]
        return any(route.matches(scope)[0] == Match.FULL for route in routes)

    def is_compared(self) -> bool:
        return not any(re.fullmatch(pattern, str(self)) for pattern in NOT_COMPARED)


@pytest.fixture(scope="module")
def recorded() -> list[Exchange]:
    """Every recorded exchange that the emulator has a route for, in order."""
    try:
        folder = unpacked(PACKAGE, f"{SCENARIOS}/") / SCENARIOS
    except PackageMissingError as missing:
        pytest.skip(str(missing))
    found = [
        Exchange(
            file.parent.name,
            one["method"].upper(),
            one["path"],
            one["body"] or None,
            one["status"],
            one["response"],
        )
        for file in sorted(folder.glob("*/normalized-fixture.json"))
        for one in json.loads(file.read_text())
    ]
    return [one for one in found if one.has_route()]


@pytest.fixture
def github(tmp_path: Path) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        serve(app, context_in(tmp_path)) as url,
        httpx.Client(base_url=url, headers=headers, trust_env=False) as client,
    ):
        yield client


class Replay:
    """Sends recorded requests to the emulator, with its own names, numbers and hashes in them."""

    def __init__(self, github: httpx.Client) -> None:
        self._github = github
        self._repositories: dict[str, Any] = {}

    def send(self, exchange: Exchange) -> httpx.Response:
        """Send one, over the repository of its scenario, which is made when first needed."""
        named = re.match(rf"/repos/{OWNER}/([^/?]+)", exchange.path)
        name = named[1] if named else exchange.scenario
        if name not in self._repositories:
            wanted = {"name": name, "auto_init": True}
            made = self._github.post(f"/orgs/{ORGANIZATION}/repos", json=wanted)
            self._repositories[name] = made.raise_for_status().json()
        repository = self._repositories[name]
        path = exchange.path.replace(OWNER, ORGANIZATION)
        path = path.replace("/repositories/1000", f"/repositories/{repository['id']}")
        sent = exchange.sent
        if "sha" in (sent or {}):
            main = self._github.get(f"/repos/{repository['full_name']}/branches/main").json()
            sent = {**sent, "sha": main["commit"]["sha"]}
        return self._github.request(exchange.method, path, json=sent)


def differences(theirs: Any, ours: Any, path: str = "") -> list[str]:
    """Keys that only one has, and values of another JSON type; null stands for any."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        missing = [f"missing {path}.{key}" for key in theirs.keys() - ours.keys()]
        extra = [f"extra {path}.{key}" for key in ours.keys() - theirs.keys() - NEWER]
        shared = theirs.keys() & ours.keys()
        inner = [differences(theirs[key], ours[key], f"{path}.{key}") for key in shared]
        return sorted(missing + extra + [one for found in inner for one in found])
    if isinstance(theirs, list) and isinstance(ours, list):
        return differences(theirs[0], ours[0], f"{path}[]") if theirs and ours else []
    if theirs is None or ours is None or type(theirs) is type(ours):
        return []
    return [f"type of {path}: {type(theirs).__name__} and {type(ours).__name__}"]


def test_the_emulator_answers_as_recorded(github: httpx.Client, recorded: list[Exchange]) -> None:
    replay = Replay(github)
    compared, found = [], {}
    for exchange in recorded:
        if not exchange.is_compared():
            continue
        answer = replay.send(exchange)
        compared.append(str(exchange))
        ours = answer.json() if answer.content else None
        faults = differences(exchange.answer, ours)
        if answer.status_code != exchange.status:
            faults.insert(0, f"status {exchange.status} and {answer.status_code}")
        if faults:
            found[str(exchange)] = faults
    assert found == {}
    # What has to be among them, so that a comparison of nothing does not pass.
    assert {f"GET /repos/{OWNER}/hello-world", f"GET /orgs/{OWNER}"} <= set(compared)
    assert len(compared) == 11


def test_what_is_not_compared_is_among_the_recorded(recorded: list[Exchange]) -> None:
    for pattern in NOT_COMPARED:
        assert any(re.fullmatch(pattern, str(one)) for one in recorded), pattern


def test_the_comparison_sees_a_missing_key_one_too_many_and_another_type() -> None:
    theirs = {"id": 1, "owner": {"login": "a"}, "topics": [{"name": "x"}], "license": None}
    assert differences(theirs, theirs) == []
    ours = {"id": "1", "owner": {}, "topics": [{"name": 1}], "license": "mit", "more": 1}
    assert differences(theirs, ours) == [
        "extra .more",
        "missing .owner.login",
        "type of .id: int and str",
        "type of .topics[].name: str and int",
    ]
