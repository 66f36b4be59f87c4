"""What the state of a Pulumi stack does not know is taken into it: by a stack that is only a document here."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pulumi.automation import Deployment
from pulumi.automation.events import StepEventStateMetadata

from automation.pulumi_events import SECRET, UNKNOWN
from automation.recovery.stack_recovery import settle_creates
from components.find_existing import API_VARIABLE
from components.urn import parse
from tests.automation.local_client import ROOT
from tests.conftest import Local

STACK = "urn:pulumi:acme::client-environments::"
ROOT_URN = f"{STACK}pulumi:pulumi:Stack::client-environments-acme"
PROVIDER = f"{STACK}pulumi:providers:github::default"
REPOSITORY = f"{STACK}github:index/repository:Repository::repository"
VARIABLE = f"{STACK}github:index/actionsVariable:ActionsVariable::colour"
GROUP = "client-environments:index:GitHub"
NAME = "client-leftover-local"


class Stack:
    """A stack whose state can be exported and imported."""

    name = "acme"

    def __init__(self, *resources: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat()
        self.state: dict[str, Any] = {"manifest": {"time": now}, "resources": list(resources)}
        self.imports = 0

    def export_stack(self) -> Deployment:
        return Deployment(version=3, deployment=self.state)

    def import_stack(self, state: Deployment) -> None:
        self.state, self.imports = dict(state.deployment), self.imports + 1


def resource(urn: str, **inputs: Any) -> StepEventStateMetadata:
    kind = parse(urn).type
    provider = "" if kind.startswith("pulumi:") else f"{PROVIDER}::{UNKNOWN}"
    custom = kind != "pulumi:pulumi:Stack"
    return StepEventStateMetadata(kind, urn, "", ROOT_URN if provider else "", provider, custom=custom, inputs=inputs)


@pytest.fixture
def environment(emulators: Local) -> dict[str, str]:
    """The environment of the lookup; GitHub holds a repository with a variable."""
    url, owner = f"{emulators.urls['github']}/api/v3", emulators.exports["GITHUB_OWNER"]
    headers = {"Authorization": f"Bearer {emulators.exports['GITHUB_TOKEN']}"}
    for path, body in (
        (f"/orgs/{owner}/repos", {"name": NAME, "description": "Site of Acme"}),
        (f"/repos/{owner}/{NAME}/actions/variables", {"name": "COLOUR", "value": "red"}),
    ):
        emulators.http.post(f"{url}{path}", json=body, headers=headers)
    return os.environ | emulators.exports


MINE = resource(REPOSITORY, name=NAME, description="Site of Acme")
COLOUR = resource(VARIABLE, repository=NAME, variableName="COLOUR", value={SECRET: "a", "ciphertext": "[secret]"})
OWN = (resource(ROOT_URN), resource(PROVIDER, version="6.14.1"))


def test_what_a_lost_state_held_is_put_into_the_empty_one_with_the_provider_that_knows_it(
    environment: dict[str, str],
) -> None:
    stack = Stack()
    taken = settle_creates(stack, environment, ROOT, planned=[*OWN, MINE, COLOUR])
    assert taken == [REPOSITORY, VARIABLE]
    held = {one["urn"]: one for one in stack.state["resources"]}
    assert list(held) == [ROOT_URN, PROVIDER, REPOSITORY, VARIABLE]
    assert held[REPOSITORY]["id"] == NAME
    assert held[REPOSITORY]["provider"] == f"{PROVIDER}::{held[PROVIDER]['id']}"
    assert SECRET not in str(held)
    assert UNKNOWN not in str(held)


@pytest.mark.parametrize("description", ["Somebody else's", None])
def test_what_is_not_ours_leaves_an_empty_state_empty(environment: dict[str, str], description: str | None) -> None:
    stack = Stack()
    foreign = resource(REPOSITORY, name=NAME, description=description)
    assert settle_creates(stack, environment, ROOT, planned=[*OWN, foreign, COLOUR]) == []
    assert stack.imports == 0


def test_a_plan_counts_for_an_empty_state_only(environment: dict[str, str]) -> None:
    stack = Stack({"urn": ROOT_URN, "type": "pulumi:pulumi:Stack"})
    assert settle_creates(stack, environment, ROOT, planned=[MINE]) == []


def test_what_a_failed_create_made_nonetheless_is_taken_once_and_what_is_older_is_not(
    environment: dict[str, str],
) -> None:
    stack, began = Stack({"urn": ROOT_URN, "type": "pulumi:pulumi:Stack"}), datetime.now(UTC)
    late = began + timedelta(hours=1)
    assert settle_creates(stack, environment, ROOT, failed=[MINE], began=late) == []
    assert settle_creates(stack, environment, ROOT, failed=[MINE], began=began) == [REPOSITORY]
    assert settle_creates(stack, environment, ROOT, failed=[MINE, COLOUR], began=began) == [VARIABLE]
    assert [one["urn"] for one in stack.state["resources"]] == [ROOT_URN, REPOSITORY, VARIABLE]


def test_what_is_taken_into_a_state_of_an_older_program_comes_with_the_component_that_holds_it(
    environment: dict[str, str], emulators: Local
) -> None:
    api_url = "https://left.supabase.co"
    url = f"{emulators.urls['github']}/api/v3/repos/{emulators.exports['GITHUB_OWNER']}/{NAME}/actions/variables"
    headers = {"Authorization": f"Bearer {emulators.exports['GITHUB_TOKEN']}"}
    emulators.http.post(url, json={"name": API_VARIABLE, "value": api_url}, headers=headers)
    group = StepEventStateMetadata(GROUP, f"{STACK}{GROUP}::github", "", ROOT_URN, "", custom=False, inputs={})
    held = StepEventStateMetadata(
        MINE.type, MINE.urn, "", group.urn, f"{PROVIDER}::{UNKNOWN}", custom=True, inputs=MINE.inputs
    )
    stack = Stack({"urn": ROOT_URN, "type": "pulumi:pulumi:Stack"})
    assert settle_creates(stack, environment, ROOT, planned=[group, held], api_url=api_url) == [REPOSITORY]
    assert [one["urn"] for one in stack.state["resources"]] == [ROOT_URN, group.urn, REPOSITORY]
    # A second look finds both there.
    assert settle_creates(stack, environment, ROOT, planned=[group, held], api_url=api_url) == []
