"""The Vercel emulator over HTTP: what the service answers, what it refuses, and that no write is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.emulators.context import Context
from local.emulators.github import app as github
from local.emulators.vercel.account import TEAM
from local.emulators.vercel.app import TOKEN, app
from tests.emulators.serving import Clock, context_in, serve


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return context_in(tmp_path_factory.mktemp("vercel"))


@pytest.fixture(scope="module")
def url(context: Context) -> Iterator[str]:
    with serve(app, context) as url:
        yield url


@pytest.fixture
def vercel(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False) as client:
        yield client
        for one in client.get("/v9/projects").json()["projects"]:
            client.delete(f"/v9/projects/{one['id']}")


@pytest.fixture
def project(vercel: httpx.Client) -> str:
    answer = vercel.post("/v8/projects", json={"name": "site"})
    assert answer.status_code == 200
    return f"/v10/projects/{answer.json()['id']}"


def variable(key: str = "URL", kind: str = "encrypted", targets: str = "production preview") -> dict[str, Any]:
    return {"key": key, "value": "made-up-value", "type": kind, "target": targets.split()}


def test_a_bad_token_or_a_foreign_team_is_refused(url: str, vercel: httpx.Client) -> None:
    assert httpx.get(f"{url}/v2/user", headers={"Authorization": "Bearer x"}, trust_env=False).status_code == 403
    assert vercel.get("/v9/projects", params={"teamId": "team_other"}).status_code == 403


def test_a_team_answers_bare_by_id_and_by_slug(vercel: httpx.Client) -> None:
    assert vercel.get(f"/v2/teams/{TEAM['slug']}").json() == vercel.get(f"/v2/teams/{TEAM['id']}").json() == TEAM
    assert vercel.get("/v2/teams/other").status_code == 404


def test_a_project_belongs_to_its_team_alone(vercel: httpx.Client) -> None:
    made = vercel.post("/v8/projects", params={"teamId": TEAM["id"]}, json={"name": "site"}).json()
    assert vercel.get(f"/v9/projects/{made['id']}").status_code == 404
    assert vercel.post("/v8/projects", json={"name": "site"}).status_code == 200
    assert vercel.delete(f"/v9/projects/{made['id']}", params={"teamId": TEAM["id"]}).status_code == 204


def test_any_version_of_a_route_answers_and_an_unknown_route_is_404(vercel: httpx.Client, project: str) -> None:
    assert {vercel.get(f"/v{number}/projects/site").status_code for number in (1, 9, 10, 13)} == {200}
    assert vercel.get("/v9/nothing").json() == {"error": {"code": "not_found", "message": "Not Found"}}


def test_a_name_that_is_taken_is_409_and_a_bad_one_400(vercel: httpx.Client, project: str) -> None:
    assert vercel.post("/v8/projects", json={"name": "site"}).status_code == 409
    assert vercel.post("/v8/projects", json={"name": "No Site"}).status_code == 400


def test_a_region_shows_under_both_of_its_names(vercel: httpx.Client, project: str) -> None:
    vercel.patch(project, json={"resourceConfig": {"functionDefaultRegions": ["cpt1"]}}).raise_for_status()
    shown = vercel.get(project).json()
    assert (shown["serverlessFunctionRegion"], shown["resourceConfig"]["functionDefaultRegions"]) == ("cpt1", ["cpt1"])


def test_only_a_repository_that_github_holds_can_be_linked(
    context: Context, vercel: httpx.Client, project: str
) -> None:
    link = {"type": "github", "repo": f"{github.ORGANIZATION}/site"}
    assert vercel.post(f"{project}/link", json=link).status_code == 400
    headers = {"Authorization": f"Bearer {github.TOKEN}"}
    with serve(github.app, context) as url:
        made = httpx.post(
            f"{url}/orgs/{github.ORGANIZATION}/repos", json={"name": "site"}, headers=headers, trust_env=False
        )
        made.raise_for_status()
    linked = vercel.post(f"{project}/link", json=link).json()["link"]
    assert (linked["org"], linked["repo"], linked["productionBranch"]) == (github.ORGANIZATION, "site", "main")
    vercel.patch(f"{project}/branch", json={"branch": "release"}).raise_for_status()
    assert vercel.get(project).json()["link"]["productionBranch"] == "release"
    assert "link" not in vercel.delete(f"{project}/link").json()


def test_a_variable_of_one_key_and_target_exists_once(vercel: httpx.Client, project: str) -> None:
    made = vercel.post(f"{project}/env", json=variable())
    assert (made.status_code, made.json()["failed"]) == (201, [])
    assert made.json()["created"]["key"] == "URL"
    again = vercel.post(f"{project}/env", json=variable(targets="preview development"))
    assert (again.status_code, again.json()["error"]["code"]) == (400, "ENV_CONFLICT")
    assert again.json()["failed"][0]["error"]["target"] == ["preview"]
    assert vercel.post(f"{project}/env", json=variable(targets="development")).status_code == 201


def test_of_a_list_the_conflicting_ones_fail_and_the_rest_is_created(vercel: httpx.Client, project: str) -> None:
    vercel.post(f"{project}/env", json=variable()).raise_for_status()
    answer = vercel.post(f"{project}/env", json=[variable(), variable("OTHER")]).json()
    assert [one["key"] for one in answer["created"]] == ["OTHER"]
    assert [one["error"]["envVarKey"] for one in answer["failed"]] == ["URL"]


def test_a_sensitive_value_is_never_given_back(vercel: httpx.Client, project: str) -> None:
    made = vercel.post(f"{project}/env", json=variable(kind="sensitive")).json()["created"]
    path = f"{project}/env/{made['id']}"
    changed = vercel.patch(path, json={"value": "made-up-value-2", "target": ["preview"], "type": "sensitive"}).json()
    listed = vercel.get(f"{project}/env", params={"decrypt": "true"}).json()["envs"]
    assert "made-up-value" not in str([made, changed, vercel.get(path).json(), listed])
    assert changed["target"] == ["preview"]
    assert vercel.delete(path).status_code == 200
    assert vercel.get(path).status_code == 404


def test_writes_at_the_same_time_lose_nothing(vercel: httpx.Client, project: str) -> None:
    keys = [f"KEY_{number}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda key: vercel.post(f"{project}/env", json=variable(key)).raise_for_status(), keys))
    assert {one["key"] for one in vercel.get(f"{project}/env").json()["envs"]} == set(keys)


def test_a_domain_belongs_to_one_project(vercel: httpx.Client, project: str) -> None:
    made = vercel.post(f"{project}/domains", json={"name": "www.acme.example"})
    assert made.json()["verified"] is True
    other = vercel.post("/v8/projects", json={"name": "other"}).json()["id"]
    assert vercel.post(f"/v10/projects/{other}/domains", json={"name": "www.acme.example"}).status_code == 409
    path = f"{project}/domains/www.acme.example"
    assert vercel.patch(path, json={"redirect": "acme.example"}).json()["redirect"] == "acme.example"
    assert vercel.get("/v6/domains/www.acme.example/config").json()["misconfigured"] is False
    assert [vercel.delete(path).status_code, vercel.get(path).status_code] == [200, 404]


def test_a_list_comes_in_pages_newest_first_and_next_leads_through_all(tmp_path: Path) -> None:
    clock = Clock()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with (
        serve(app, replace(context_in(tmp_path), clock=clock)) as url,
        httpx.Client(base_url=url, headers=headers, trust_env=False) as vercel,
    ):
        for number in range(5):
            clock.pass_by(number % 2)  # two at a time are of one millisecond
            vercel.post("/v10/projects", json={"name": f"site-{number}"}).raise_for_status()
        pages, until = [], {}
        for _ in range(5):
            answer = vercel.get("/v9/projects", params={"limit": 1, **until}).json()
            pages.append([one["name"] for one in answer["projects"]])
            if (following := answer["pagination"]["next"]) is None:
                break
            until = {"until": following}
        assert pages == [["site-3", "site-4"], ["site-1", "site-2"], ["site-0"]]
        assert vercel.get("/v9/projects", params={"limit": "x"}).status_code == 400
        found = vercel.get("/v9/projects", params={"search": "-4"}).json()["projects"]
        assert [one["name"] for one in found] == ["site-4"]
