"""Rehearsal documents over HTTP: filled as the provider would, kept, drifting, and refused as the service would."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.emulators.context import Context
from local.emulators.github.app import app
from tests.emulators.serving import context_in, serve

REPOSITORY = "github:index/repository:Repository"
FILE = "github:index/repositoryFile:RepositoryFile"
VARIABLE = "github:index/actionsVariable:ActionsVariable"
SECRET = "github:index/actionsSecret:ActionsSecret"
PROJECT = "vercel:index/project:Project"
SITE_VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return context_in(tmp_path)


@pytest.fixture
def url(context: Context) -> Iterator[str]:
    with serve(app, context) as url:
        yield f"{url}/_rehearsal"


def create(url: str, kind: str, **inputs: Any) -> httpx.Response:
    return httpx.post(f"{url}/{kind}", json={"urn": "urn:x", "inputs": inputs}, trust_env=False)


def read(url: str, name: str) -> httpx.Response:
    return httpx.get(f"{url}/documents/{name}", trust_env=False)


def test_a_repository_has_what_a_program_reads(url: str) -> None:
    made = create(url, REPOSITORY, name="site", description="A site")
    assert (made.status_code, made.json()["id"]) == (201, "site")
    outputs = made.json()["outputs"]
    assert outputs["description"] == "A site"
    assert (outputs["fullName"], outputs["htmlUrl"]) == ("local-agency/site", "https://github.com/local-agency/site")
    assert outputs["defaultBranch"] == "main"
    assert read(url, "site").json() == made.json()


def test_a_documents_id_follows_from_what_it_is(url: str) -> None:
    first = create(url, PROJECT, name="site").json()["id"]
    assert first.startswith("prj_")
    httpx.delete(f"{url}/documents/{first}", trust_env=False).raise_for_status()
    assert create(url, PROJECT, name="site").json()["id"] == first


def test_a_change_by_hand_is_drift_and_an_update_computes_again(url: str) -> None:
    create(url, REPOSITORY, name="site", description="A site")
    body = {"inputs": {"name": "renamed", "description": "by hand"}}
    httpx.put(f"{url}/documents/site", json=body, trust_env=False).raise_for_status()
    outputs = read(url, "site").json()["outputs"]
    assert (outputs["description"], outputs["fullName"]) == ("by hand", "local-agency/renamed")


def test_documents_survive_a_restart(tmp_path: Path) -> None:
    with serve(app, context_in(tmp_path)) as url:
        made = create(f"{url}/_rehearsal", REPOSITORY, name="site").json()
    with serve(app, context_in(tmp_path)) as url:
        assert read(f"{url}/_rehearsal", "site").json() == made


def test_what_lies_in_a_repository_or_project_goes_with_it(url: str) -> None:
    create(url, REPOSITORY, name="site")
    create(url, REPOSITORY, name="other")
    inside = create(url, VARIABLE, repository="site", variableName="A", value="a").json()["id"]
    outside = create(url, VARIABLE, repository="other", variableName="A", value="a").json()["id"]
    httpx.delete(f"{url}/documents/site", trust_env=False).raise_for_status()
    assert [read(url, name).status_code for name in ("site", inside, outside)] == [404, 404, 200]


def test_an_archived_repository_stays_and_keeps_its_name(url: str) -> None:
    create(url, REPOSITORY, name="site", archiveOnDestroy=True)
    assert httpx.delete(f"{url}/documents/site", trust_env=False).status_code == 204
    assert read(url, "site").json()["outputs"]["archived"] is True
    assert create(url, REPOSITORY, name="site").status_code == 422


def test_nothing_is_created_twice_or_in_a_place_that_is_not_there(url: str) -> None:
    create(url, REPOSITORY, name="site")
    assert create(url, REPOSITORY, name="site").json() == {"message": "name already exists on this account"}
    missing = create(url, VARIABLE, repository="gone", variableName="A", value="a")
    assert (missing.status_code, missing.json()["message"]) == (404, "repository gone was not found")
    assert create(url, SITE_VARIABLE, projectId="prj_gone", key="A", value="a").status_code == 404
    assert create(url, "aws:s3/bucket:Bucket").status_code == 422
    file = {"repository": "site", "file": "README.md", "content": "a", "overwriteOnCreate": True}
    assert [create(url, FILE, **file).status_code for _ in "12"] == [201, 201]


def test_a_secret_is_kept_as_a_digest_that_tells_a_change(url: str, context: Context) -> None:
    create(url, REPOSITORY, name="site")
    project = create(url, PROJECT, name="site").json()["id"]
    made = [
        create(url, SECRET, repository="site", secretName="A", value="made-up-secret").json(),
        create(url, SITE_VARIABLE, projectId=project, key="A", value="made-up-secret", sensitive=True).json(),
    ]
    assert [set(one["digests"]) for one in made] == [{"value"}, {"value"}]
    assert not any("value" in one["outputs"] for one in made)
    assert "made-up-secret" not in str(context.store.all("rehearsal"))
    changed = {"inputs": {**made[1]["outputs"], "value": "made-up-secret-2"}}
    answer = httpx.put(f"{url}/documents/{made[1]['id']}", json=changed, trust_env=False).json()
    assert answer["digests"] != made[1]["digests"]
    unchanged = httpx.put(
        f"{url}/documents/{made[1]['id']}", json={"inputs": answer["outputs"]}, trust_env=False
    ).json()
    assert unchanged["digests"] == answer["digests"]
