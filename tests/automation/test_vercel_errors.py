"""What Vercel refuses, as the plugin words it, and the one line that an operator reads of it."""

import base64
from typing import Any

import httpx
import pytest

from automation.vercel_errors import explained, with_build_log
from tests.conftest import Local

URN = "urn:pulumi:acme::client-environments::client-environments:index:ClientEnvironment$vercel:index/{0}::{1}"
FAILED = 'BUILD_FAILED - Command "x" exited with 1. Visit https://vercel.com/someone/prj_1/{} for more information'
MESSAGE = f"[ERROR] Could not create deployment, unexpected error: {FAILED}: Error creating deployment"


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "[ERROR] Could not create project, unexpected error: forbidden - Not authorized: Error creating project",
            "Vercel cannot create project: forbidden - Not authorized. Set VERCEL_API_TOKEN to a token that is valid",
        ),
        (
            "Could not create project environment variable, unexpected error: ENV_CONFLICT - A variable with the same"
            " name exists.: Error creating project environment variable",
            "a variable with the same name exists. It was made by hand and is never taken over: copy its value, then"
            " delete it there.",
        ),
        (
            "[ERROR] Could not add domain www.a.example to project prj_1, unexpected error: domain_already_in_use -"
            " Cannot add it since it's already in use.: Error adding domain to project",
            "Vercel cannot add domain www.a.example to project prj_1: domain_already_in_use - Cannot add it since"
            " it's already in use. Remove it from the other project",
        ),
        (
            "[ERROR] Could not update project prj_1, unexpected error: rate_limited - Too many: Error updating project",
            "Vercel cannot update project prj_1: rate_limited - Too many. Run it again later.",
        ),
        (
            "[ERROR] Could not update project, unexpected error: error performing API request: 503 <html><body>upstream"
            " connect error</body></html>: Error updating project",
            "Vercel cannot update project: error performing API request: 503 upstream connect error. Run it",
        ),
        (
            "Could not create project environment variable, unexpected error: ENV_ALREADY_EXISTS - Another Environment"
            " Variable with the same Name and Environment exists in your project.: Error creating variable",
            "exists in your project. It was made by hand and is never taken over: copy its value",
        ),
        (
            "Could not create project, unexpected error: bad_request - Failed to link o/r. You need to add a Login"
            " Connection to your GitHub account first.: Error creating project",
            "account first. The owner of VERCEL_API_TOKEN adds GitHub",
        ),
        (
            "Could not create project, unexpected error: repo_not_found - The repository o/r couldn't be found in your"
            " linked Git repository.: Error creating project",
            "Install Vercel's GitHub App for GITHUB_OWNER",
        ),
        (
            "Could not create deployment, unexpected error: bad_request - The branch main can't be found.: Error",
            "The repository has no branch main",
        ),
        (
            "Could not create deployment, unexpected error: incorrect_git_source_info - The provided git source is"
            " wrong: the ref main could not be found.: Error",
            "The repository has no branch main",
        ),
        (
            "Could not create deployment, unexpected error: forbidden - Git author local-user must have access to the"
            " team.: Error",
            "add the account of GITHUB_TOKEN to it",
        ),
        (
            "Could not create project, unexpected error: forbidden - Not authorized: you must re-authenticate to this"
            " scope or use a token with access to it.: Error",
            "Log in to the team by its SSO",
        ),
        (
            "Could not create project, unexpected error: bad_request - o/r cannot be connected to more than 10"
            " Projects.: Error",
            "unlink one at Vercel that is not needed",
        ),
        (
            "Could not create project, unexpected error: bad_request - The repository o/r is private and owned by an"
            " organization, which the Hobby plan does not support.: Error",
            "The account's plan does not allow it",
        ),
        (
            "Could not add domain www.a.example to project prj_1, unexpected error: forbidden - You don't have access"
            " to the domain a.example.: Error",
            "or prove there that it is yours",
        ),
        (
            "Could not add domain a_b.example to project prj_1, unexpected error: invalid_domain - The domain is not"
            " valid.: Error",
            "Correct `domain` in the client's file",
        ),
        (
            "Could not create deployment, unexpected error: forbidden - Your account has been blocked.: Error",
            "see its billing and usage pages",
        ),
        (
            "Could not create project, unexpected error: forbidden - You don't have permission to create the"
            " project.: Error",
            "Set VERCEL_API_TOKEN to a token that is valid and may work in vercelTeam",
        ),
        (
            "[ERROR] Could not create project, unexpected error: error reading response body: unexpected EOF",
            "project: error reading response body: unexpected EOF. Run it again later. What is made stays",
        ),
    ],
)
def test_each_refusal_says_what_to_do(message: str, line: str) -> None:
    found = explained(message, URN.format("project:Project", "site"))
    assert line.lower() in found.lower()
    assert "[ERROR]" not in found


@pytest.mark.parametrize("mark", ["", "[ERROR] "])
def test_a_summary_before_the_error_is_told_as_one_behind_it(mark: str) -> None:
    urn, error = URN.format("project:Project", "site"), "Could not create project, unexpected error: bad_request - no"
    behind = explained(f"{mark}{error}: Error creating project", urn)
    assert behind.startswith("Vercel cannot create project: bad_request - no.")
    assert explained(f"Error creating project: {mark}{error}", urn) == behind
    assert explained(f"{mark}Error creating project: {error}", urn) == behind


def test_what_another_provider_says_is_left_as_it_is() -> None:
    text = "Could not read it, unexpected error: forbidden - no"
    assert explained(text, URN.format("x", "y").replace("vercel:", "random:")) == text


def api(local: Local, method: str, service: str, path: str, **body: Any) -> Any:
    token = local.exports["GITHUB_TOKEN" if service == "github" else "VERCEL_API_TOKEN"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.request(method, f"{local.urls[service]}{path}", headers=headers, json=body, trust_env=False)
    return answer.raise_for_status().json()


def deploy(local: Local, files: dict[str, str]) -> dict[str, Any]:
    """A deployment of a new repository with these files, by the services' own APIs."""
    owner, name = local.exports["GITHUB_OWNER"], f"broken-{len(local.requests('vercel'))}-{len(files)}"
    api(local, "POST", "github", f"/orgs/{owner}/repos", name=name, auto_init=True)
    for path, text in files.items():
        content = base64.b64encode(text.encode()).decode()
        route = f"/repos/{owner}/{name}/contents/{path}"
        api(local, "PUT", "github", route, message="m", content=content, branch="main")
    link = {"type": "github", "repo": f"{owner}/{name}"}
    api(local, "POST", "vercel", "/v9/projects", name=name, gitRepository=link)
    source = {"type": "github", "org": owner, "repo": name, "ref": "main"}
    made = api(local, "POST", "vercel", "/v13/now/deployments", project=name, target="production", gitSource=source)
    assert isinstance(made, dict)
    return made


def test_a_failed_build_is_told_by_the_end_of_its_own_log(emulators: Local) -> None:
    broken = {"package.json": '{"type": "module"}', "api/health.js": "export function GET( {\n"}
    made = deploy(emulators, broken)
    text = with_build_log(MESSAGE.format(made["id"].removeprefix("dpl_")), None, emulators.exports)
    assert "BUILD_FAILED | " in text
    assert "SyntaxError: Unexpected end of input" in text
    assert "Visit" not in text


def test_without_a_log_the_plugins_message_stands(emulators: Local) -> None:
    assert with_build_log(MESSAGE.format("none"), None, emulators.exports) == MESSAGE.format("none")
    assert with_build_log("another", None, emulators.exports) == "another"
