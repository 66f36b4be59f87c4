"""GitHub and Vercel resources in rehearsal: documents that persist, drift, and always say that they are simulated."""

import httpx
import pytest

from components.urn import name_of
from tests.conftest import Local
from tests.rehearsal.conftest import Bench

PROGRAM = """
import pulumi_github as github
import pulumiverse_vercel as vercel
repository = github.Repository("repository", name="{name}", description="{description}", visibility="private")
github.ActionsSecret("secret", repository=repository.name, secret_name="KEY", value=pulumi.Output.secret("hush-hush"))
github.ActionsVariable("variable", repository=repository.name, variable_name="{variable}", value="v")
site = vercel.Project("site", name="{name}", git_repository={{"type": "github", "repo": repository.full_name}})
vercel.ProjectEnvironmentVariable("key", project_id=site.id, key="KEY", value=pulumi.Output.secret("hush-hush"),
                                  targets=["production"], sensitive=True)
pulumi.export("url", repository.html_url)
"""
EVERYTHING = ["key", "repository", "secret", "site", "variable"]


@pytest.fixture
def documents(bench: Bench, emulators: Local) -> Bench:
    bench.environment |= emulators.exports
    bench.engine = bench.open()
    return bench


def text(name: str, description: str = "one", variable: str = "A") -> str:
    return PROGRAM.format(name=name, description=description, variable=variable)


def test_simulated_resources_live_like_real_ones_and_each_step_says_so(documents: Bench) -> None:
    assert documents.preview(text("lives")) == [f"create {name}" for name in EVERYTHING]
    assert documents.up() == [f"create {name}" for name in EVERYTHING]
    assert str(documents.engine.outputs().outputs["url"]).endswith("/lives")
    assert documents.up() == [f"same {name}" for name in EVERYTHING]
    assert all(step.simulated for step in documents.outcome.steps)
    documents.preview(text("lives", "two"))
    assert [f"{step.operation} {step.name}" for step in documents.outcome.changes] == ["update repository"]
    documents.up(text("lives", "two", "B"))
    assert [f"{step.operation} {step.name}" for step in documents.outcome.changes] == [
        "update repository",
        "replace variable",
    ]
    assert documents.run("destroy") == [f"delete {name}" for name in EVERYTHING]
    assert all(step.simulated for step in documents.outcome.steps)


@pytest.mark.long
def test_simulated_resources_drift_by_hand_and_are_mended(documents: Bench, emulators: Local) -> None:
    documents.up(text("drifts"))
    ids = {name_of(item["urn"]): item["id"] for item in documents.engine.resources()}

    def by_hand(service: str, method: str, name: str, **changes: object) -> None:
        url = f"{emulators.urls[service].rstrip('/')}/_rehearsal/documents/{ids[name]}"
        found = httpx.get(url, trust_env=False).json()["outputs"]
        body = {"inputs": {**found, **changes}} if changes else None
        httpx.request(method, url, json=body, trust_env=False).raise_for_status()

    by_hand("github", "PUT", "repository", description="by hand")
    by_hand("github", "PUT", "secret", value="another")
    by_hand("vercel", "DELETE", "key")
    assert documents.preview() == [f"same {name}" for name in EVERYTHING]
    documents.preview(refresh=True)
    found = {step.name: (step.operation, step.changed) for step in documents.outcome.changes}
    assert found == {
        "key": ("create", ()),
        "repository": ("update", ("description",)),
        "secret": ("update", ("value",)),
    }
    documents.up(refresh=True)
    assert {step.name for step in documents.outcome.changes} == {"key", "repository", "secret"}
    documents.preview(refresh=True)
    assert documents.outcome.changes == ()


def test_a_refusal_of_the_emulator_is_the_resource_s_error(documents: Bench) -> None:
    documents.program(
        "import pulumi_github as github\ngithub.ActionsVariable("
        "'variable', repository='nowhere', variable_name='A', value='v')"
    )
    assert documents.run("up", fails=True) == ["create variable"]
    assert "404 repository nowhere was not found. It is gone, or the token may not see it" in str(
        documents.outcome.error
    )


def test_what_github_refuses_is_told_with_what_to_do_as_by_the_real_plugin(
    documents: Bench, emulators: Local, request: pytest.FixtureRequest
) -> None:
    account = f"{emulators.urls['github']}/_account/"
    request.addfinalizer(lambda: httpx.patch(account, json={"plan": "team"}, trust_env=False))
    httpx.patch(account, json={"plan": "free"}, trust_env=False).raise_for_status()
    repository = "import pulumi_github as github\nrepository = github.Repository('repository', name='refused')\n"
    ruleset = "github.RepositoryRuleset('ruleset', name='r', repository=repository.name, target='branch', {})"
    rules = "enforcement='active', rules=github.RepositoryRulesetRulesArgs(deletion=True)"
    documents.program(repository + ruleset.format(rules))
    documents.run("up", fails=True)
    assert str(documents.outcome.error).endswith(
        "Set ruleset: false, or take a plan with rulesets on private repositories."
    )

    documents.run("destroy")
    document = {"urn": "urn:theirs", "inputs": {"name": "refused", "description": "theirs"}}
    kind = "github:index/repository:Repository"
    made = httpx.post(f"{emulators.urls['github']}/_rehearsal/{kind}", json=document, trust_env=False)
    request.addfinalizer(lambda: httpx.delete(f"{emulators.urls['github']}/_rehearsal/documents/{made.json()['id']}"))
    documents.program(repository)
    documents.run("up", fails=True)
    assert str(documents.outcome.error).endswith(
        "422 name already exists on this account."
        " Nothing proves that it is this client's, so it is not taken over: rename it on GitHub, or choose"
        " another projectName."
    )


ALONE = """
import pulumi_github as github
github.Repository("repository", name="moves", visibility="private")
"""
INSIDE = """
import pulumi_github as github
box = pulumi.ComponentResource("tiny:index:Box", "box")
old = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
github.Repository("repository", name="moves", visibility="private", opts=Options(parent=box, aliases=[old]))
"""


def test_a_document_stays_its_resources_under_another_parent(documents: Bench) -> None:
    documents.up(ALONE)
    assert documents.up(INSIDE) == ["create box", "same repository"]
    documents.run("destroy")
    assert sorted(f"{step.operation} {step.name}" for step in documents.outcome.steps) == [
        "delete box",
        "delete repository",
    ]


def test_what_a_lost_state_held_under_another_parent_is_taken_up(documents: Bench) -> None:
    documents.up(ALONE)
    (documents.root / ".local/rehearsal/bench.json").unlink()
    assert documents.up(INSIDE) == ["create box", "create repository"]
    assert documents.run("destroy") == ["delete box", "delete repository"]
