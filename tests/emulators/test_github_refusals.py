"""How GitHub's refusals reach the operator: the real plugin, Pulumi's own engine, one line with what to do."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automation.pulumi_engine import PulumiEngine
from local.emulators.github.app import ORGANIZATION
from tests.emulators.github_trial import NAME, PROGRAM, REPOSITORY, Trial, trial
from tests.emulators.native import ENGINE, client_engine

pytestmark = ENGINE
JSON = {"content-type": "application/json"}
Make = Callable[..., PulumiEngine]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Trial]:
    with trial(tmp_path) as made:
        yield made


@pytest.fixture
def make(tmp_path: Path, client: Trial) -> Make:
    """Makes the engine that our command line runs, with variables of the environment replaced."""
    root = tmp_path / "root"
    root.mkdir()
    return lambda **variables: client_engine(root, PROGRAM, {**client.stack.exports, **variables})


def test_a_plan_without_rulesets_is_told_with_the_setting_that_goes_without(client: Trial, make: Make) -> None:
    client.account(plan="free")
    assert make().up().error == (
        f"GitHub POST {REPOSITORY}/rulesets: 403 Upgrade to GitHub Pro or make this repository public to enable this"
        " feature. Set ruleset: false, or take a plan with rulesets on private repositories."
    )


def test_a_foreign_repository_of_that_name_is_refused_and_left_as_it_is(client: Trial, make: Make) -> None:
    client.api("POST", f"/orgs/{ORGANIZATION}/repos", name=NAME, description="theirs")
    outcome = make().up()
    assert outcome.error == (
        f"GitHub POST /orgs/{ORGANIZATION}/repos: 422 name already exists on this account."
        " Nothing proves that it is this client's, so it is not taken over: rename it on GitHub, or choose"
        " another projectName."
    )
    assert client.api("GET", REPOSITORY)["description"] == "theirs"


def test_an_owner_that_the_token_does_not_see_is_told_with_what_was_made_instead(client: Trial, make: Make) -> None:
    error = make(GITHUB_OWNER="other").up().error
    assert error is not None
    assert error.startswith(f"GitHub PATCH /repos/other/{NAME}: 404 Not Found. The token sees no such organization")
    # The plugin takes an organization that it cannot read for a person's account, the token's own.
    assert client.api("GET", f"/repos/local-user/{NAME}")["name"] == NAME
    assert make().up(refresh=True).error is None


@pytest.mark.parametrize(
    ("status", "headers", "message"),
    [
        (403, {"retry-after": "1"}, "You have exceeded a secondary rate limit."),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, "API rate limit exceeded for user ID 1."),
    ],
)
def test_a_rate_limit_is_waited_for_and_nothing_is_made_twice(
    client: Trial, make: Make, status: int, headers: dict[str, str], message: str
) -> None:
    page = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
    body = json.dumps({"message": message, "documentation_url": page})
    client.fault(method="PUT|POST", path=".*", nth=3, status=status, headers={**JSON, **headers}, body=body)
    assert make().up().error is None
    writes = [f"{one.method} {one.path}" for one in client.recorder.answers if one.status in (200, 201)]
    puts = [one for one in writes if not one.startswith(("GET", "PATCH"))]
    assert len(puts) == len(set(puts)) + 1, "two variables are made by one route, everything else by its own"


@pytest.mark.long
@pytest.mark.parametrize(
    ("fault", "line"),
    [
        (
            {"path": ".*/actions/variables", "method": "POST", "status": 409, "message": "Already exists"},
            f"GitHub POST {REPOSITORY}/actions/variables: 409 Already exists."
            " It was made by hand and is never taken over: copy its value, delete it there and run it again.",
        ),
        (
            {"path": ".*/README.md", "method": "PUT", "status": 429, "message": "Too many requests"},
            f"GitHub PUT {REPOSITORY}/contents/README.md: 429 Too many requests. Wait some minutes and run it again,"
            " with fewer clients at once. What is made stays, and the next run goes on from there.",
        ),
        (
            {
                "path": ".*/user/repos|.*/orgs/.*",
                "method": "GET|POST",
                "times": 9,
                "status": 401,
                "message": "Bad credentials",
            },
            "GitHub POST /user/repos: 401 Bad credentials."
            " Set GITHUB_TOKEN to a token that is valid and has not expired.",
        ),
    ],
)
def test_other_refusals_are_one_line_and_the_next_run_goes_on(
    client: Trial, make: Make, fault: dict[str, object], line: str
) -> None:
    body = json.dumps({"message": fault.pop("message")})
    client.fault(headers={**JSON, "retry-after": "1"}, body=body, **fault)
    assert make().up().error == line
    client.clear()
    assert make().up().error is None


@pytest.mark.long
def test_a_token_without_the_workflow_scope_is_told_what_it_lacks(client: Trial, make: Make) -> None:
    client.account(scopes=["repo"])
    assert make().up().error == (
        f"GitHub PUT {REPOSITORY}/contents/.github/workflows/check.yml: 404 Not Found."
        " GitHub says no more to a token without the scope workflow: add it."
    )
