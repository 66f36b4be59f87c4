"""The client's repository through Pulumi's own engine and the real GitHub plugin, against the emulator."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.repository import STARTER, read_starter
from local.emulators.github.app import ORGANIZATION
from tests.emulators.github_contract import Contract, fetched
from tests.emulators.github_trial import NAME, REPOSITORY, Trial, trial
from tests.emulators.native import ENGINE
from tests.npm import PackageMissingError

pytestmark = ENGINE
VARIABLE = "/actions/variables/NEXT_PUBLIC_SUPABASE_URL"
EXTRAS = f"""
import pulumi, pulumi_github as github
repository = github.Repository("repository", name="{NAME}", visibility="private", auto_init=True)
inside = pulumi.ResourceOptions(depends_on=repository, deleted_with=repository)
secret = pulumi.Output.secret("made-up-secret")
github.ActionsSecret("secret", repository=repository.name, secret_name="TOKEN", value=secret, opts=inside)
github.RepositoryEnvironment("production", repository=repository.name, environment="production", wait_timer=5,
    opts=inside)
"""


@pytest.fixture
def contract() -> Contract:
    try:
        return Contract(fetched())
    except PackageMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path) as made:
        yield made


def drift(client: Trial) -> None:
    """What people do by hand."""
    client.api("PATCH", REPOSITORY, description="by hand")
    client.api("PATCH", f"{REPOSITORY}{VARIABLE}", value="https://hand.example")
    client.api("DELETE", f"{REPOSITORY}/actions/variables/NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY")
    (ruleset,) = client.api("GET", f"{REPOSITORY}/rulesets")
    client.api("PUT", f"{REPOSITORY}/rulesets/{ruleset['id']}", **{**ruleset, "enforcement": "disabled"})


def judged(client: Trial, contract: Contract) -> set[str]:
    """What GitHub's description finds wrong with any answer so far."""
    client.writes()
    return {fault for one in client.judged for fault in contract.faults(one.method, one.path, one.status, one.body)}


def test_a_repository_lives_drifts_is_repaired_and_dies_and_every_answer_is_as_github_describes_it(
    client: Trial, contract: Contract
) -> None:
    client.stack.up()
    assert client.stack.plan() == {}
    drift(client)
    client.writes()
    assert client.stack.plan() == {
        "repository": "update",
        "actions-api-url": "update",
        "actions-publishable-key": "create",
        "ruleset": "update",
    }
    client.stack.up()
    assert client.stack.plan() == {}
    client.stack("destroy", "--yes", "--skip-preview")
    assert client.missing(REPOSITORY)

    assert judged(client, contract) == set()
    assert len(client.judged) > 100


def test_a_create_writes_each_file_once_and_six_things_more_and_a_changed_variable_is_one_write(client: Trial) -> None:
    client.stack.up()
    files = [f"PUT /contents/{path}" for path in read_starter(STARTER)]
    more = ["POST /orgs/local-agency/repos", "PATCH ", "PATCH ", "POST /rulesets", *["POST /actions/variables"] * 2]
    assert sorted(client.writes()) == sorted(files + more)
    client.stack("up", "--yes", "--skip-preview", api_url="https://y.example")
    assert client.writes() == [f"PATCH {VARIABLE}"]
    client.stack("up", "--yes", "--skip-preview", api_url="https://y.example")
    assert client.writes() == []
    client.stack("destroy", "--yes", "--skip-preview")
    assert client.writes() == ["DELETE "]


def test_a_repository_from_a_template_costs_seven_writes_and_is_archived_with_its_files(client: Trial) -> None:
    client.api("POST", f"/orgs/{ORGANIZATION}/repos", name="base", is_template=True, auto_init=True)
    client.api("POST", f"/repos/{ORGANIZATION}/base/branches/main/rename", new_name="trunk")
    client.writes()
    settings = {"repository_template": f"{ORGANIZATION}/base", "archive_on_destroy": "yes"}
    client.stack.up(**settings)
    assert len(client.writes()) == 7
    assert client.stack.plan(**settings) == {}
    assert client.stack.plan(**{**settings, "repository_template": f"{ORGANIZATION}/other"}) == {}

    client.stack("destroy", "--yes", "--skip-preview")
    kept = client.api("GET", REPOSITORY)
    assert (kept["archived"], kept["default_branch"]) == (True, "main")
    assert client.api("GET", f"{REPOSITORY}/contents/README.md")["name"] == "README.md"


def test_a_secret_goes_in_a_sealed_box_and_an_environment_beside_it_and_neither_leaves_its_value_anywhere(
    tmp_path: Path, contract: Contract
) -> None:
    with trial(tmp_path, EXTRAS) as client:
        done = client.stack.run("up", "--yes", "--skip-preview", "--debug")
        assert client.secret_is("TOKEN", "made-up-secret")
        assert client.stack.plan() == {}
        told = [
            done.stdout,
            done.stderr,
            client.stack("stack", "export"),
            str(client.context.store.all("github.repository")),
        ]
        assert not any("made-up-secret" in text for text in told)

        # What a secret holds cannot be read back, so that only a deleted one is drift to the plugin.
        client.api("DELETE", f"{REPOSITORY}/actions/secrets/TOKEN")
        client.api("PUT", f"{REPOSITORY}/environments/production", wait_timer=0)
        assert client.stack.plan() == {"secret": "create", "production": "update"}
        client.stack.up()
        assert client.secret_is("TOKEN", "made-up-secret")
        assert client.stack.plan() == {}
        client.stack("destroy", "--yes", "--skip-preview")
        assert client.missing(REPOSITORY)
        assert judged(client, contract) == set()
