"""The GitHub emulator over HTTP: what the service answers, what it refuses, and that nothing is lost."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from nacl.public import PublicKey, SealedBox

from local.emulators.context import Context
from local.emulators.github.account import ORGANIZATION
from local.emulators.github.app import TOKEN, app
from local.emulators.github.switches import DEFAULTS
from tests.emulators.github_contract import Contract, fetched
from tests.emulators.serving import context_in, serve
from tests.npm import PackageMissingError

REPOSITORY = f"/repos/{ORGANIZATION}/site"


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Context:
    return context_in(tmp_path_factory.mktemp("github"))


@pytest.fixture(scope="module")
def url(context: Context) -> Iterator[str]:
    with serve(app, context) as url:
        yield url


@pytest.fixture(scope="module")
def contract() -> Contract | None:
    try:
        return Contract(fetched())
    except PackageMissingError:
        return None  # the tests of the contract say so; these claim other things


@pytest.fixture
def github(url: str, contract: Contract | None) -> Iterator[httpx.Client]:
    """Every answer in these tests, refusals too, has to be as GitHub describes it."""
    faults: list[str] = []

    def judge(answer: httpx.Response) -> None:
        body = json.loads(answer.read() or b"null")
        path = answer.request.url.path.removeprefix("/api/v3")
        faults.extend(contract.faults(answer.request.method, path, answer.status_code, body) if contract else ())

    headers = {"Authorization": f"Bearer {TOKEN}"}
    hooks = {"response": [judge]}
    with httpx.Client(base_url=f"{url}/api/v3", headers=headers, trust_env=False, event_hooks=hooks) as client:
        yield client
        for one in client.get("/user/repos", params={"per_page": 100}).json():
            client.delete(f"/repos/{one['full_name']}")
    assert faults == []


@pytest.fixture
def site(github: httpx.Client) -> dict[str, Any]:
    wanted = {"name": "site", "visibility": "private", "auto_init": True, "description": "A site"}
    answer = github.post(f"/orgs/{ORGANIZATION}/repos", json=wanted)
    assert answer.status_code == 201
    repository: dict[str, Any] = answer.json()
    return repository


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_bad_token_is_401_on_both_prefixes(url: str) -> None:
    for path in ("/user", "/api/v3/user", REPOSITORY):
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            assert httpx.get(url + path, headers=headers, trust_env=False).status_code == 401


def test_an_unknown_organization_or_repository_is_404(github: httpx.Client) -> None:
    for path in ("/orgs/other", REPOSITORY, "/no/such/route"):
        assert (github.get(path).status_code, github.get(path).json()["message"]) == (404, "Not Found")


def test_a_name_that_is_taken_is_422(github: httpx.Client, site: dict[str, Any]) -> None:
    answer = github.post(f"/orgs/{ORGANIZATION}/repos", json={"name": "SITE"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"] == "name already exists on this account"


def test_a_change_is_seen_and_an_unchanged_repository_is_304(github: httpx.Client, site: dict[str, Any]) -> None:
    first = github.get(REPOSITORY)
    assert github.get(REPOSITORY, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    github.patch(REPOSITORY, json={"description": "Changed", "has_wiki": False}).raise_for_status()
    second = github.get(REPOSITORY, headers={"If-None-Match": first.headers["etag"]}).json()
    assert (second["description"], second["has_wiki"], second["private"]) == ("Changed", False, True)


def test_a_renamed_repository_is_the_same_one(github: httpx.Client, site: dict[str, Any]) -> None:
    github.patch(REPOSITORY, json={"name": "renamed"}).raise_for_status()
    assert github.get(f"/repos/{ORGANIZATION}/renamed").json()["id"] == site["id"]


def test_the_old_name_of_a_repository_leads_to_it(github: httpx.Client, site: dict[str, Any]) -> None:
    github.patch(REPOSITORY, json={"name": "renamed"}).raise_for_status()
    address = f"{github.base_url}repositories/{site['id']}"
    readme = f"{REPOSITORY}/contents/README.md?ref=main"
    moved = [
        github.get(REPOSITORY),
        github.patch(REPOSITORY, json={"description": "Changed"}),
        github.get(readme),
    ]
    assert [one.status_code for one in moved] == [301, 307, 301]
    assert [one.headers["location"] for one in moved] == [
        address,
        address,
        f"{address}/contents/README.md?ref=main",
    ]
    assert moved[0].json()["message"] == "Moved Permanently"

    answer = github.patch(REPOSITORY, json={"description": "Changed"}, follow_redirects=True)
    changed = answer.json()
    assert (changed["name"], changed["description"]) == ("renamed", "Changed")
    assert github.get(readme, follow_redirects=True).json()["name"] == "README.md"
    assert github.get(f"/repositories/{site['id'] + 1}").status_code == 404


def test_a_redirect_ends_when_another_repository_takes_the_name_or_the_renamed_one_is_gone(
    github: httpx.Client, site: dict[str, Any]
) -> None:
    organization = f"/orgs/{ORGANIZATION}/repos"
    for name in ("second", "third"):  # a chain of names leads to the newest
        github.patch(REPOSITORY, json={"name": name}, follow_redirects=True).raise_for_status()
    assert github.get(REPOSITORY, follow_redirects=True).json()["name"] == "third"
    other = github.post(organization, json={"name": "site"}).json()
    assert github.get(REPOSITORY).json()["id"] == other["id"] != site["id"]
    github.delete(f"/repos/{ORGANIZATION}/third")
    assert github.get(f"/repos/{ORGANIZATION}/second").status_code == 404


def test_an_archived_repository_refuses_writes_and_keeps_its_files(github: httpx.Client, site: dict[str, Any]) -> None:
    github.patch(REPOSITORY, json={"archived": True}).raise_for_status()
    answer = github.put(f"{REPOSITORY}/contents/a", json={"message": "m", "content": encoded("a")})
    assert (answer.status_code, answer.json()["message"]) == (403, "Repository was archived so is read-only.")
    assert github.get(f"{REPOSITORY}/contents/README.md").status_code == 200


def test_a_file_has_gits_own_hash_and_its_commit_can_be_read(github: httpx.Client, site: dict[str, Any]) -> None:
    content = "é\n"
    body = {"message": "Add", "content": encoded(content), "branch": "main"}
    put = github.put(f"{REPOSITORY}/contents/a/b.txt", json=body)
    assert put.status_code == 201
    read = github.get(f"{REPOSITORY}/contents/a/b.txt", params={"ref": "main"}).json()
    assert read["sha"] == hashlib.sha1(b"blob 3\0" + content.encode(), usedforsecurity=False).hexdigest()
    assert base64.b64decode(read["content"]).decode() == content
    commit = github.get(f"{REPOSITORY}/commits/{put.json()['commit']['sha']}").json()
    assert commit["commit"]["message"] == "Add"
    assert [one["commit"]["message"] for one in github.get(f"{REPOSITORY}/commits").json()] == ["Add", "Initial commit"]
    listed = [(one["type"], one["path"]) for one in github.get(f"{REPOSITORY}/contents/").json()]
    assert listed == [("file", "README.md"), ("dir", "a")]
    assert [one["path"] for one in github.get(f"{REPOSITORY}/contents/a").json()] == ["a/b.txt"]


def test_replacing_or_deleting_a_file_needs_its_present_hash(github: httpx.Client, site: dict[str, Any]) -> None:
    path = f"{REPOSITORY}/contents/README.md"
    body = {"message": "m", "content": encoded("new")}
    assert github.put(path, json=body).status_code == 422
    assert github.put(path, json={**body, "sha": "0" * 40}).status_code == 409
    sha = github.get(path).json()["sha"]
    assert github.put(path, json={**body, "sha": sha}).status_code == 200
    assert github.request("DELETE", path, json={"message": "m", "sha": sha}).status_code == 409
    sha = github.get(path).json()["sha"]
    assert github.request("DELETE", path, json={"message": "m", "sha": sha}).status_code == 200
    assert github.get(path).status_code == 404


def test_a_branch_that_is_not_there_is_404_and_a_renamed_default_branch_stays_default(
    github: httpx.Client, site: dict[str, Any]
) -> None:
    assert github.get(f"{REPOSITORY}/branches/other").json()["message"] == "Branch not found"
    body = {"message": "m", "content": encoded("a"), "branch": "other"}
    assert github.put(f"{REPOSITORY}/contents/a", json=body).status_code == 404
    rename = f"{REPOSITORY}/branches/main/rename"
    refused = github.post(rename, json={"new_name": "main"})
    assert (refused.status_code, refused.json()["message"]) == (422, "Branch main already exists")
    assert github.post(rename, json={"new_name": "trunk"}).status_code == 201
    assert github.get(REPOSITORY).json()["default_branch"] == "trunk"


def test_a_template_gives_its_files_and_is_named(github: httpx.Client, site: dict[str, Any]) -> None:
    generate = {"owner": ORGANIZATION, "name": "copy", "private": True}
    assert github.post(f"{REPOSITORY}/generate", json=generate).status_code == 404
    github.patch(REPOSITORY, json={"is_template": True}).raise_for_status()
    assert github.post(f"{REPOSITORY}/generate", json=generate).status_code == 201
    copy = github.get(f"/repos/{ORGANIZATION}/copy").json()
    assert copy["template_repository"]["name"] == "site"
    assert github.get(f"/repos/{ORGANIZATION}/copy/contents/README.md").status_code == 200


def test_a_variable_is_created_once_changed_and_deleted(github: httpx.Client, site: dict[str, Any]) -> None:
    base = f"{REPOSITORY}/actions/variables"
    assert github.post(base, json={"name": "Url", "value": "a"}).status_code == 201
    assert github.post(base, json={"name": "URL", "value": "a"}).status_code == 409
    assert github.post(base, json={"name": "GITHUB_X", "value": "a"}).status_code == 422
    assert github.patch(f"{base}/URL", json={"name": "URL", "value": "b"}).status_code == 204
    assert [(one["name"], one["value"]) for one in github.get(base).json()["variables"]] == [("URL", "b")]
    assert github.delete(f"{base}/URL").status_code == 204
    assert github.get(f"{base}/URL").status_code == 404


def test_a_secret_must_be_sealed_with_the_repositorys_key_and_is_never_given_back(
    github: httpx.Client, site: dict[str, Any], context: Context
) -> None:
    base = f"{REPOSITORY}/actions/secrets"
    key = github.get(f"{base}/public-key").json()
    box = SealedBox(PublicKey(base64.b64decode(key["key"])))
    sealed = base64.b64encode(box.encrypt(b"made-up-secret")).decode()
    assert github.put(f"{base}/A", json={"key_id": "0", "encrypted_value": sealed}).status_code == 422
    assert github.put(f"{base}/A", json={"key_id": key["key_id"], "encrypted_value": "AAAA"}).status_code == 422
    assert [
        github.put(f"{base}/A", json={"key_id": key["key_id"], "encrypted_value": sealed}).status_code for _ in "12"
    ] == [201, 204]
    assert set(github.get(f"{base}/A").json()) == {"name", "created_at", "updated_at"}
    assert "made-up-secret" not in str(context.store.all("github.repository"))
    assert github.delete(f"{base}/A").status_code == 204


def test_rulesets_and_environments_live_and_die(github: httpx.Client, site: dict[str, Any]) -> None:
    wanted = {"name": "default", "target": "branch", "enforcement": "active", "rules": [{"type": "deletion"}]}
    made = github.post(f"{REPOSITORY}/rulesets", json=wanted)
    assert made.status_code == 201
    assert github.post(f"{REPOSITORY}/rulesets", json=wanted).status_code == 422
    path = f"{REPOSITORY}/rulesets/{made.json()['id']}"
    assert github.get(f"{REPOSITORY}/branches/main").json()["protected"] is True
    assert github.put(path, json={**wanted, "enforcement": "disabled"}).json()["enforcement"] == "disabled"
    assert github.get(f"{REPOSITORY}/branches/main").json()["protected"] is False
    assert [github.delete(path).status_code, github.get(path).status_code] == [204, 404]
    environment = f"{REPOSITORY}/environments/production"
    assert github.put(environment, json={"wait_timer": 5}).json()["protection_rules"][0]["wait_timer"] == 5
    assert [github.delete(environment).status_code, github.get(environment).status_code] == [204, 404]


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    seen = []
    for _ in "12":
        with serve(app, context_in(tmp_path)) as url:
            client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False)
            with client:
                client.post("/user/repos", json={"name": "kept", "auto_init": True})
                paths = ("", "/contents/README.md", "/actions/secrets/public-key")
                seen.append([client.get(f"/repos/local-user/kept{path}").json() for path in paths])
    assert seen[0] == seen[1]


@pytest.fixture
def switch(url: str) -> Iterator[Callable[..., None]]:
    """Changes what the plan offers or what the token may do, until the test ends."""

    def change(**switches: Any) -> None:
        httpx.patch(f"{url}/_account/", json=switches, trust_env=False).raise_for_status()

    yield change
    change(**DEFAULTS)


def test_a_free_plan_has_no_rulesets_on_private_repositories(
    github: httpx.Client, site: dict[str, Any], switch: Callable[..., None]
) -> None:
    switch(plan="free")
    path, wanted = f"{REPOSITORY}/rulesets", {"name": "default", "enforcement": "active", "rules": []}
    answers = [github.get(path), github.post(path, json=wanted)]
    assert {(one.status_code, one.json()["message"]) for one in answers} == {
        (403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")
    }
    assert github.get(f"/orgs/{ORGANIZATION}").json()["plan"]["name"] == "free"
    github.patch(REPOSITORY, json={"visibility": "public"}).raise_for_status()
    assert github.post(path, json=wanted).status_code == 201


def test_a_token_does_what_its_scopes_allow_and_every_answer_names_them(
    github: httpx.Client, site: dict[str, Any], switch: Callable[..., None]
) -> None:
    switch(scopes=["repo"])
    assert github.get("/user").headers["x-oauth-scopes"] == "repo"
    file = {"message": "m", "content": encoded("a")}
    assert github.put(f"{REPOSITORY}/contents/a", json=file).status_code == 201
    assert github.put(f"{REPOSITORY}/contents/.github/workflows/a.yml", json=file).status_code == 404
    refused = github.delete(REPOSITORY)
    assert (refused.status_code, refused.json()["message"]) == (403, "Must have admin rights to Repository.")
    switch(scopes=["repo", "workflow", "delete_repo"])
    assert github.put(f"{REPOSITORY}/contents/.github/workflows/a.yml", json=file).status_code == 201
    assert github.delete(REPOSITORY).status_code == 204


def test_a_second_branch_can_be_made_the_default_and_one_that_is_not_there_cannot(
    github: httpx.Client, site: dict[str, Any]
) -> None:
    head = github.get(f"{REPOSITORY}/branches/main").json()["commit"]["sha"]
    assert github.patch(REPOSITORY, json={"default_branch": "develop"}).status_code == 422
    reference = {"ref": "refs/heads/develop", "sha": head}
    assert [github.post(f"{REPOSITORY}/git/refs", json=reference).status_code for _ in "12"] == [201, 422]
    assert github.patch(REPOSITORY, json={"default_branch": "develop"}).json()["default_branch"] == "develop"


def pages(github: httpx.Client, path: str, **query: Any) -> list[list[str]]:
    """Names of the repositories of each page, following the links."""
    answer = github.get(path, params=query)
    found = [[one["name"] for one in answer.json()]]
    while "next" in answer.links:
        answer = github.get(answer.links["next"]["url"])
        found.append([one["name"] for one in answer.json()])
    return found


def test_lists_hold_every_repository_of_the_owner_page_by_page(github: httpx.Client) -> None:
    for number in range(5):
        made = github.post(f"/orgs/{ORGANIZATION}/repos", json={"name": f"site-{number}"})
        made.raise_for_status()
    github.post("/user/repos", json={"name": "own"}).raise_for_status()
    organization = f"/orgs/{ORGANIZATION}/repos"
    names = [f"site-{number}" for number in range(5)]
    assert pages(github, organization, per_page=2) == [names[:2], names[2:4], names[4:]]
    assert pages(github, organization) == [names]
    assert pages(github, "/user/repos", per_page=5) == [names, ["own"]]
    assert pages(github, "/user/repos", affiliation="owner") == [["own"]]
    last = github.get(organization, params={"per_page": 2, "page": 3})
    places = {name: link["url"][-1] for name, link in last.links.items()}
    assert places == {"prev": "2", "first": "1"}
    assert github.get("/orgs/other/repos").status_code == 404
    assert github.post("/orgs/other/repos", json={"name": "site"}).status_code == 404


def test_thirty_repositories_fill_a_page_where_nobody_says_how_many(github: httpx.Client) -> None:
    for number in range(31):
        body = {"name": f"site-{number}"}
        github.post(f"/orgs/{ORGANIZATION}/repos", json=body).raise_for_status()
    assert [len(page) for page in pages(github, f"/orgs/{ORGANIZATION}/repos")] == [30, 1]


def test_a_repository_that_the_token_may_not_see_is_404_and_in_no_list_and_its_name_is_taken(
    github: httpx.Client, site: dict[str, Any], switch: Callable[..., None]
) -> None:
    github.post(f"/orgs/{ORGANIZATION}/repos", json={"name": "other"}).raise_for_status()
    github.patch(REPOSITORY, json={"name": "moved"}).raise_for_status()
    switch(hidden=[f"{ORGANIZATION}/moved"])
    blind = [f"/repos/{ORGANIZATION}/moved", REPOSITORY, f"/repositories/{site['id']}"]
    blind += [f"{path}/contents/README.md" for path in blind]
    assert {github.get(path).status_code for path in blind} == {404}
    assert github.patch(REPOSITORY, json={"description": "x"}).status_code == 404
    assert pages(github, f"/orgs/{ORGANIZATION}/repos") == [["other"]]
    assert pages(github, "/user/repos") == [["other"]]
    taken = github.post(f"/orgs/{ORGANIZATION}/repos", json={"name": "moved"})
    assert taken.json()["errors"][0]["message"] == "name already exists on this account"
    switch(hidden=[])
    assert github.get(f"/repos/{ORGANIZATION}/moved").json()["id"] == site["id"]


def test_a_membership_tells_the_role_to_a_token_that_may_ask(
    github: httpx.Client, url: str, switch: Callable[..., None]
) -> None:
    path = f"/user/memberships/orgs/{ORGANIZATION}"
    roles = []
    for role in ("admin", "member"):
        switch(role=role)
        roles.append((github.get(path).json()["state"], github.get(path).json()["role"]))
    assert roles == [("active", "admin"), ("active", "member")]
    assert github.get("/user/memberships/orgs/other").status_code == 404
    switch(scopes=["repo"])
    assert github.get(path).status_code == 403
    wrong = httpx.patch(f"{url}/_account/", json={"role": "owner"}, trust_env=False)
    assert wrong.status_code == 422


def test_a_fine_grained_token_has_no_scopes_and_its_answers_name_none(
    github: httpx.Client, site: dict[str, Any], switch: Callable[..., None]
) -> None:
    switch(scopes=None)
    assert "x-oauth-scopes" not in github.get("/user").headers
    file = {"message": "m", "content": encoded("a")}
    workflow = f"{REPOSITORY}/contents/.github/workflows/a.yml"
    assert github.put(workflow, json=file).status_code == 201
    assert github.delete(REPOSITORY).status_code == 204


def test_github_describes_every_answer_of_these_tests(contract: Contract | None) -> None:
    if contract is None:
        pytest.skip("npm, or a registry that it reaches, is missing: GitHub's description of its API was not compared")
    assert contract.faults("GET", REPOSITORY, 200, {"name": "site"})
    assert contract.faults("GET", REPOSITORY, 418, {})
