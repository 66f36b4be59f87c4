"""Every answer of the Vercel emulator is parsed by the official @vercel/sdk, route by route."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.routing import Match, Route

from local.emulators.github import app as github
from local.emulators.vercel.app import TABLE, TOKEN, app
from tests.emulators.recording import Answer, Recorder
from tests.emulators.serving import Clock, context_in, serve
from tests.emulators.vercel_sdk import SdkError, VercelSdk, known_routes
from tests.npm import PackageMissingError

STARTUP = 10.0
REPOSITORY = f"/repos/{github.ORGANIZATION}/site"
LINK = {"type": "github", "repo": f"{github.ORGANIZATION}/site"}
# Routes that only the plugin knows, and how their answers are judged nevertheless.
UNKNOWN = {
    ("POST", "/projects/{project}/link"): "not documented; answers the project, judged as one",
    ("DELETE", "/projects/{project}/link"): "not documented; answers the project, judged as one",
    ("PATCH", "/projects/{project}/branch"): "not documented; answers the project, judged as one",
    ("POST", "/now/deployments"): "older name of /deployments, judged as that",
}
# Fields that the SDK does not describe and the plugin reads.
PLUGIN_FIELDS = ("previewDeploymentsDisabled", "serverlessFunctionRegion")


class Trial:
    """The emulator, asked through the SDK, and a repository that a project can be linked to."""

    def __init__(self, sdk: VercelSdk, recorder: Recorder, clock: Clock, http: httpx.Client) -> None:
        self.sdk, self.recorder, self.clock = sdk, recorder, clock
        self._github = http
        made = self._github.post(f"/orgs/{github.ORGANIZATION}/repos", json={"name": "site"})
        made.raise_for_status()
        self.push("README.md", "# Site\n")

    def push(self, path: str, text: str) -> None:
        body = {
            "message": "m",
            "content": base64.b64encode(text.encode()).decode(),
            "branch": "main",
        }
        self._github.put(f"{REPOSITORY}/contents/{path}", json=body).raise_for_status()

    def as_project(self, method: str, path: str, **body: Any) -> Any:
        """The answer of a route that the SDK lacks, parsed as a project."""
        request = {"method": method, "path": f"/v9/projects/site{path}", "body": body}
        return self.sdk("projectsGetProject", request, idOrName="site")

    def state_after(self, seconds: float, deployment: Any) -> str:
        self.clock.pass_by(seconds)
        return str(self.sdk("deploymentsGetDeployment", idOrUrl=deployment["id"])["readyState"])


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    clock = Clock()
    context = replace(context_in(tmp_path), clock=clock, startup=STARTUP)
    recorder = Recorder(app(context))
    headers = {"Authorization": f"Bearer {github.TOKEN}"}
    with (
        serve(github.app, context) as github_url,
        serve(lambda _: recorder, context) as url,
        httpx.Client(base_url=github_url, headers=headers, trust_env=False) as repository,
    ):
        try:
            sdk = VercelSdk(url, TOKEN)
        except PackageMissingError as missing:
            pytest.skip(str(missing))
        with sdk:
            yield Trial(sdk, recorder, clock, repository)
    context.ending.close()


def visit_account(sdk: VercelSdk) -> None:
    sdk("userGetAuthUser")
    sdk("authenticationGetAuthToken", tokenId="current")
    sdk("integrationsGitNamespaces", provider="github")
    assert [team["slug"] for team in sdk("teamsGetTeams", limit=20)["teams"]] == ["local-agency"]
    sdk("teamsGetTeam", teamId="team_local")


def visit_projects(trial: Trial) -> None:
    sdk = trial.sdk
    sdk("projectsCreateProject", requestBody={"name": "bare"})
    sdk("projectsCreateProject", requestBody={"name": "site", "gitRepository": LINK})
    sdk("projectsUpdateProject", idOrName="site", requestBody={"framework": "nextjs"})
    trial.as_project("DELETE", "/link")
    trial.as_project("POST", "/link", **LINK)
    trial.as_project("PATCH", "/branch", branch="main")
    sdk("projectsCreateProject", teamId="team_local", requestBody={"name": "of-a-team"})
    sdk("projectsGetProjects", teamId="team_local", limit="10")
    sdk("projectsDeleteProject", teamId="team_local", idOrName="of-a-team")


def visit_variables(sdk: VercelSdk) -> None:
    plain = {"key": "A", "value": "1", "type": "plain", "target": ["production", "preview"]}
    hidden = {"key": "B", "value": "2", "type": "sensitive", "target": ["production"]}
    branch = {
        "key": "C",
        "value": "3",
        "type": "encrypted",
        "target": ["preview"],
        "gitBranch": "x",
    }
    sdk("projectsCreateProjectEnv", idOrName="site", requestBody=plain)
    made = sdk("projectsCreateProjectEnv", idOrName="site", requestBody=[hidden, branch, plain])
    assert [one["error"]["code"] for one in made["failed"]] == ["ENV_CONFLICT"]
    listed = sdk("projectsFilterProjectEnvs", idOrName="site")["envs"]
    assert [one["key"] for one in listed] == ["A", "B", "C"]
    for one in listed:
        sdk("projectsGetProjectEnv", idOrName="site", id=one["id"])
        sdk("projectsEditProjectEnv", idOrName="site", id=one["id"], requestBody={"value": "4"})
        sdk("projectsRemoveProjectEnv", idOrName="site", id=one["id"])


def visit_domains(sdk: VercelSdk) -> None:
    for name in ("www.acme.example", "shop.acme.elsewhere.example"):
        sdk("projectsAddProjectDomain", idOrName="site", requestBody={"name": name})
        sdk("projectsGetProjectDomain", idOrName="site", domain=name)
        sdk("domainsGetDomainConfig", domain=name)
        redirect = {"redirect": "acme.example", "redirectStatusCode": 308}
        sdk("projectsUpdateProjectDomain", idOrName="site", domain=name, requestBody=redirect)
    assert len(sdk("projectsGetProjectDomains", idOrName="site")["domains"]) == 2
    listed = sdk("domainsGetDomains", limit=20)["domains"]
    assert {one["name"] for one in listed} == {"acme.example", "elsewhere.example"}
    sdk("projectsRemoveProjectDomain", idOrName="site", domain="shop.acme.elsewhere.example")


def visit_deployments(trial: Trial) -> None:
    sdk = trial.sdk
    source = {"type": "github", "org": github.ORGANIZATION, "repo": "site", "ref": "main"}
    body = {"name": "site", "project": "site", "target": "production", "gitSource": source}
    older = {"method": "POST", "path": "/v13/now/deployments", "body": body}
    sdk("deploymentsCreateDeployment", older, requestBody={"name": "site"})
    good = sdk("deploymentsCreateDeployment", requestBody=body)
    states = [good["readyState"], *(trial.state_after(4, good) for _ in range(3))]
    assert states == ["QUEUED", "BUILDING", "BUILDING", "READY"]
    trial.push("package.json", '{"type": "module"}\n')
    trial.push("api/health.js", "export function GET( {\n")
    bad = sdk("deploymentsCreateDeployment", requestBody=body)
    assert trial.state_after(STARTUP, bad) == "ERROR"
    listed = sdk("deploymentsGetDeployments", limit=20)["deployments"]
    assert [one["readyState"] for one in listed] == ["ERROR", "READY", "READY"]
    sdk("deploymentsGetDeploymentEvents", idOrUrl=bad["id"])
    sdk("deploymentsDeleteDeployment", id=bad["id"])


def routes() -> list[tuple[str, str]]:
    """Method and path of every route of the emulator's table."""
    return [(method, path) for methods, path, _ in TABLE for method in methods.split()]


def route_of(answer: Answer) -> tuple[str, str]:
    """The route of the table that gave an answer: the first that fits, as the emulator chooses."""
    path = "/" + answer.path.split("/", 2)[2]
    scope = {"type": "http", "method": answer.method, "path": path}
    for methods, pattern, _ in TABLE:
        match, _ = Route(pattern, app, methods=methods.split()).matches(scope)
        if match == Match.FULL:
            return answer.method, pattern
    raise AssertionError(f"no route answers {answer.method} {answer.path}")


def test_every_route_answers_in_the_shape_that_the_official_sdk_knows(trial: Trial) -> None:
    visit_account(trial.sdk)
    visit_projects(trial)
    visit_variables(trial.sdk)
    visit_domains(trial.sdk)
    visit_deployments(trial)
    # Once more with everything in it: a link, domains, deployments.
    trial.sdk("projectsGetProject", idOrName="site")
    assert len(trial.sdk("projectsGetProjects", limit="10")["projects"]) == 2
    trial.sdk("projectsDeleteProject", idOrName="site")

    faults = [fault for fault in trial.sdk.faults if not fault.endswith(PLUGIN_FIELDS)]
    assert faults == []
    assert {route_of(answer) for answer in trial.recorder.take()} == set(routes())


def test_the_routes_that_the_sdk_does_not_know_are_the_listed_ones() -> None:
    try:
        known = known_routes()
    except PackageMissingError as missing:
        pytest.skip(str(missing))
    unknown = [
        (method, path)
        for method, path in routes()
        if not any(method == other and pattern.fullmatch(path) for other, pattern in known)
    ]
    assert sorted(unknown) == sorted(UNKNOWN)


def test_a_refusal_reaches_the_sdk_with_its_status_and_code(trial: Trial) -> None:
    sdk = trial.sdk
    sdk("projectsCreateProject", requestBody={"name": "site"})
    with pytest.raises(SdkError, match='"code":"conflict"') as taken:
        sdk("projectsCreateProject", requestBody={"name": "site"})
    with pytest.raises(SdkError, match='"code":"not_found"') as gone:
        sdk("projectsGetProject", idOrName="other")
    with pytest.raises(SdkError, match='"code":"forbidden"') as foreign:
        sdk("projectsGetProject", idOrName="site", teamId="team_other")
    assert [one.value.status for one in (taken, gone, foreign)] == [409, 404, 403]


def test_the_judge_sees_a_wrong_shape_and_what_the_sdk_makes_up(trial: Trial) -> None:
    user = {"method": "GET", "path": "/v2/user"}
    with pytest.raises(SdkError, match="ResponseValidationError") as wrong:
        trial.sdk("projectsGetProject", user, idOrName="site")
    assert wrong.value.status == 200
    trial.sdk("teamsGetTeam", user, teamId="team_local")
    assert "missing in teamsGetTeam: .slug" in trial.sdk.faults
