"""Finding what an interrupted create made, over the services' own APIs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
LONG_AGO, FAR_AHEAD = "2020-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"
REPOSITORY = ("github:index/repository:Repository", {"name": "looked-up"})
RULESET = ("github:index/repositoryRuleset:RepositoryRuleset", {"repository": "looked-up", "name": "default-branch"})
VARIABLE = ("github:index/actionsVariable:ActionsVariable", {"repository": "looked-up", "variableName": "COLOUR"})
SITE = ("vercel:index/project:Project", {"name": "looked-up"})


def look_up(
    emulators, *asked: tuple[Any, ...], since: str | None = LONG_AGO, api_url: str | None = None, **more: str
) -> Any:
    environment = os.environ | emulators.exports | more
    process = subprocess.run(
        [sys.executable, "-m", "components.find_existing"],
        cwd=ROOT,
        env=environment,
        input=json.dumps({"api_url": api_url, "asked": [(*each, since) for each in asked]}),
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stderr.strip() if process.returncode else json.loads(process.stdout)


@pytest.fixture
def made(emulators) -> str:
    """A repository with a ruleset and a variable, and a site with a variable and a domain; the site's id."""
    github = f"{emulators.urls['github']}/api/v3"
    owner = emulators.exports["GITHUB_OWNER"]
    headers = {"Authorization": f"Bearer {emulators.exports['GITHUB_TOKEN']}"}
    for path, body in (
        (f"/orgs/{owner}/repos", {"name": "looked-up", "auto_init": True}),
        (f"/repos/{owner}/looked-up/rulesets", {"name": "default-branch", "target": "branch", "enforcement": "active"}),
        (f"/repos/{owner}/looked-up/actions/variables", {"name": "COLOUR", "value": "red"}),
    ):
        emulators.http.post(f"{github}{path}", json=body, headers=headers)
    headers = {"Authorization": f"Bearer {emulators.exports['VERCEL_API_TOKEN']}"}
    vercel = emulators.urls["vercel"]
    emulators.http.post(f"{vercel}/v10/projects", json={"name": "looked-up"}, headers=headers)
    project: str = emulators.http.get(f"{vercel}/v9/projects/looked-up", headers=headers).json()["id"]
    variable = {"key": "COLOUR", "value": "red", "type": "plain", "target": ["production"]}
    emulators.http.post(f"{vercel}/v10/projects/{project}/env", json=variable, headers=headers)
    emulators.http.post(f"{vercel}/v10/projects/{project}/domains", json={"name": "a.example.com"}, headers=headers)
    return project


def test_what_exists_is_found_by_its_inputs(emulators, made: str) -> None:
    kind = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
    colour = (kind, {"projectId": made, "key": "COLOUR", "targets": ["production", "preview"]})
    domain = ("vercel:index/projectDomain:ProjectDomain", {"projectId": made, "domain": "a.example.com"})
    found = look_up(emulators, REPOSITORY, RULESET, VARIABLE, SITE, colour, domain)
    assert found[0] == "looked-up"
    assert found[1].isdecimal()
    assert found[2:4] == ["looked-up:COLOUR", made]
    assert len(found[4]) > 10
    assert found[5] == "a.example.com"


def test_after_a_lost_state_a_repository_counts_by_its_description_and_a_site_by_its_link(emulators, made: str) -> None:
    mine = (REPOSITORY[0], REPOSITORY[1] | {"description": "Site of Looked Up"})
    file = ("github:index/repositoryFile:RepositoryFile", {"repository": "looked-up", "branch": "main"})
    readme, absent = ((file[0], file[1] | {"file": name}) for name in ("README.md", "absent.md"))
    kind = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
    colour = (kind, {"key": "COLOUR", "targets": ["production"]})
    assert look_up(emulators, mine, readme, VARIABLE, SITE, colour, since=None) == [None] * 5

    github = f"{emulators.urls['github']}/api/v3/repos/{emulators.exports['GITHUB_OWNER']}/looked-up"
    headers = {"Authorization": f"Bearer {emulators.exports['GITHUB_TOKEN']}"}
    emulators.http.patch(github, json={"description": "Site of Looked Up"}, headers=headers).raise_for_status()
    found = look_up(emulators, mine, readme, absent, VARIABLE, SITE, colour, since=None)
    assert found == ["looked-up", "looked-up:README.md:main", None, "looked-up:COLOUR", None, None]

    link = {"type": "github", "repo": f"{emulators.exports['GITHUB_OWNER']}/looked-up"}
    headers = {"Authorization": f"Bearer {emulators.exports['VERCEL_API_TOKEN']}"}
    vercel = f"{emulators.urls['vercel']}/v9/projects/{made}/link"
    emulators.http.post(vercel, json=link, headers=headers).raise_for_status()
    site, variable = look_up(emulators, mine, SITE, colour, since=None)[1:]
    assert (site, len(variable) > 10) == (made, True)

    # With the client's API known, its address in the repository is the proof; the description alone is none.
    api_url = "https://abcdefghijklmnopqrst.supabase.co"
    assert look_up(emulators, mine, SITE, since=None, api_url=api_url) == [None, None]
    headers = {"Authorization": f"Bearer {emulators.exports['GITHUB_TOKEN']}"}
    variable_of = {"name": "NEXT_PUBLIC_SUPABASE_URL", "value": api_url}
    emulators.http.post(f"{github}/actions/variables", json=variable_of, headers=headers).raise_for_status()
    assert look_up(emulators, mine, SITE, since=None, api_url=api_url) == ["looked-up", made]
    assert look_up(emulators, SITE, since=None, api_url=api_url) == [made]
    assert look_up(emulators, mine, SITE, since=None, api_url=f"{api_url}.example") == [None, None]


def test_what_is_older_than_the_interrupted_run_is_somebody_elses(emulators, made: str) -> None:
    kind = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
    colour = (kind, {"projectId": made, "key": "COLOUR", "targets": ["production"]})
    domain = ("vercel:index/projectDomain:ProjectDomain", {"projectId": made, "domain": "a.example.com"})
    found = look_up(emulators, RULESET, VARIABLE, REPOSITORY, colour, domain, SITE, since=FAR_AHEAD)
    assert found == [None] * 6


def test_what_does_not_exist_and_what_needs_no_looking_is_not_found(emulators) -> None:
    absent = [(kind, inputs | {"name": "absent", "repository": "absent"}) for kind, inputs in (REPOSITORY, RULESET)]
    command = ("command:local:Command", {"create": "true"})
    assert look_up(emulators, *absent, command) == [None, None, None]


def test_a_service_that_refuses_is_an_error_and_not_an_absence(emulators) -> None:
    said = look_up(emulators, REPOSITORY, GITHUB_TOKEN="ghp_wrong")
    assert "answers 401" in said
    assert "ghp_wrong" not in said
    assert "does not answer" in look_up(emulators, SITE, HTTPS_PROXY="http://127.0.0.1:9")
