"""Deployments in the Vercel emulator: states over time, what is built, and that the site is really served."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.emulators.context import Context
from local.emulators.github import app as github
from local.emulators.node import node_program
from local.emulators.vercel.app import TOKEN, app
from tests.emulators.serving import Clock, context_in, serve

DEV = """
import { createServer } from "node:http";
const server = createServer((request, response) => response.end(process.env.COLOUR || "none"));
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
"""
MODULE = json.dumps({"type": "module"})
needs_node = pytest.mark.skipif(node_program("node") is None, reason="there is no Node here")


class Site:
    """One repository and one project that is linked to it."""

    def __init__(self, github_url: str, vercel_url: str, context: Context, clock: Clock) -> None:
        self.context, self.clock = context, clock
        self.github, self.vercel = _session(github_url, github.TOKEN), _session(vercel_url, TOKEN)
        self.repository = f"/repos/{github.ORGANIZATION}/site"
        self.ask(self.github, "POST", f"/orgs/{github.ORGANIZATION}/repos", name="site", auto_init=True)
        link = {"type": "github", "repo": f"{github.ORGANIZATION}/site"}
        self.project = self.ask(self.vercel, "POST", "/v9/projects", name="site", gitRepository=link)["id"]

    def ask(self, http: httpx.Client, method: str, path: str, **body: Any) -> Any:
        answer = http.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def push(self, path: str, text: str) -> None:
        route = f"{self.repository}/contents/{path}"
        known = self.github.get(route)
        sha = {"sha": known.json()["sha"]} if known.is_success else {}
        content = base64.b64encode(text.encode()).decode()
        self.ask(self.github, "PUT", route, message="m", content=content, branch="main", **sha)

    def set(self, key: str, value: str) -> None:
        route = f"/v10/projects/{self.project}/env"
        for known in self.ask(self.vercel, "GET", route)["envs"]:
            self.ask(self.vercel, "DELETE", f"{route}/{known['id']}")
        body = {"key": key, "value": value, "type": "encrypted", "target": ["production"]}
        self.ask(self.vercel, "POST", route, **body)

    def deploy(self, ref: str = "main") -> Any:
        source = {"type": "github", "org": github.ORGANIZATION, "repo": "site", "ref": ref}
        body = {"project": "site", "target": "production", "gitSource": source}
        return self.vercel.post("/v13/now/deployments", json=body)

    def ready(self) -> Any:
        """A deployment that is finished."""
        made = self.deploy().json()
        self.clock.pass_by(self.context.startup)
        return self.state(made)

    def state(self, made: Any) -> Any:
        return self.ask(self.vercel, "GET", f"/v13/deployments/{made['id']}")


def _session(url: str, token: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, trust_env=False)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    clock = Clock()
    context = replace(context_in(tmp_path), clock=clock, startup=10.0)
    with serve(github.app, context) as github_url, serve(app, context) as vercel_url:
        yield Site(github_url, vercel_url, context, clock)
    context.ending.close()


def get(address: str) -> str:
    return httpx.get(f"http://{address}/", trust_env=False, timeout=30).text


def test_a_deployment_is_queued_then_built_then_ready(site: Site) -> None:
    made = site.deploy().json()
    seen = [made["readyState"]]
    for _ in range(3):
        site.clock.pass_by(4)
        seen.append(site.state(made)["readyState"])
    assert seen == ["QUEUED", "BUILDING", "BUILDING", "READY"]
    assert made["alias"] == []
    assert site.state(made)["aliasAssigned"] is True


@needs_node
def test_a_ready_deployment_is_served_with_the_variables_it_was_made_with(site: Site) -> None:
    site.push("package.json", MODULE)
    site.push("dev.js", DEV)
    site.set("COLOUR", "green")
    address = site.ready()["alias"][0]
    assert get(address) == "green"
    site.set("COLOUR", "blue")
    assert get(address) == "green"
    assert (site.ready()["alias"][0], get(address)) == (address, "blue")


@needs_node
def test_a_build_that_fails_tells_its_log_and_the_site_before_goes_on(site: Site) -> None:
    site.push("package.json", MODULE)
    site.push("dev.js", DEV)
    site.set("COLOUR", "green")
    address = site.ready()["alias"][0]
    site.push("api/health.js", "export function GET( {\n")
    failed = site.ready()
    assert (failed["readyState"], failed["errorCode"], failed["alias"]) == ("ERROR", "BUILD_FAILED", [])
    log = [event["text"] for event in site.ask(site.vercel, "GET", f"/v3/deployments/{failed['id']}/events")]
    assert log[-1] == 'Command "node --check api/health.js" exited with 1' == failed["errorMessage"]
    assert any("SyntaxError" in line for line in log)
    assert get(address) == "green"


@needs_node
def test_the_packages_own_build_runs_with_the_variables(site: Site) -> None:
    site.push("package.json", json.dumps({"type": "module", "scripts": {"build": 'echo "for $COLOUR" && exit 3'}}))
    site.set("COLOUR", "green")
    log = [event["text"] for event in site.ask(site.vercel, "GET", f"/v3/deployments/{site.ready()['id']}/events")]
    assert "for green" in log
    assert log[-1].endswith("exited with 3")


def test_a_branch_that_is_not_there_and_a_project_without_repository_are_refused(site: Site) -> None:
    refused = site.deploy(ref="gone")
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "incorrect_git_source_info")
    site.ask(site.vercel, "DELETE", f"/v9/projects/{site.project}/link")
    assert site.deploy().status_code == 400


def test_a_site_without_a_program_of_its_own_says_that_it_is_simulated(site: Site) -> None:
    answer = httpx.get(f"http://{site.ready()['alias'][0]}/api/health", trust_env=False)
    assert (answer.status_code, answer.json()["status"]) == (200, "simulated")


def test_a_deleted_deployment_is_gone_and_another_teams_is_not_there(site: Site) -> None:
    made = site.ready()
    assert site.vercel.get(f"/v13/deployments/{made['id']}", params={"teamId": "team_local"}).status_code == 404
    site.ask(site.vercel, "DELETE", f"/v13/deployments/{made['id']}")
    assert site.vercel.get(f"/v13/deployments/{made['id']}").status_code == 404


@needs_node
def test_what_was_served_is_served_again_after_a_restart(site: Site) -> None:
    site.push("package.json", MODULE)
    site.push("dev.js", DEV)
    site.set("COLOUR", "green")
    address = site.ready()["alias"][0]
    site.context.ending.close()
    with pytest.raises(httpx.ConnectError):
        get(address)
    again = replace(site.context)
    with serve(app, again):
        assert get(address) == "green"
    again.ending.close()
