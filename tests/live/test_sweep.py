"""What is swept: runs' leftovers in our own accounts, old enough, and nothing that is called otherwise."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from tests.conftest import Local
from tests.live.accounts import Accounts
from tests.live.sweep import Leftover, find, new_run, remove

OTHERS = ("live-music", "prod-live-6a1f00c2-9e3b")


@pytest.fixture(scope="module")
def accounts(local: Local) -> Iterator[Accounts]:
    """The emulators as accounts, with things in them that are no run's."""
    found = Accounts(local.exports)
    for name in OTHERS:
        make(found, name)
    yield found
    for name in OTHERS:
        for service, path in paths(found, name):
            found.ask(service, "DELETE", path)


def make(accounts: Accounts, name: str) -> None:
    owner, organization = accounts.exports["GITHUB_OWNER"], accounts.exports["SUPABASE_ORG_SLUG"]
    project = {"name": name, "organization_slug": organization, "db_pass": "correct-horse-battery"}
    for service, path, body in (
        ("supabase", "/v1/projects", project | {"region": "eu-west-2"}),
        ("github", f"/orgs/{owner}/repos", {"name": name, "private": True}),
        ("vercel", "/v9/projects", {"name": name}),
    ):
        accounts.ask(service, "POST", path, json=body).raise_for_status()


def paths(accounts: Accounts, name: str) -> list[tuple[str, str]]:
    """Service and path of everything of a name."""
    organization, owner = accounts.exports["SUPABASE_ORG_SLUG"], accounts.exports["GITHUB_OWNER"]
    projects = accounts.supabase("GET", f"/v1/organizations/{organization}/projects").json()["projects"]
    found = [("supabase", f"/v1/projects/{one['ref']}") for one in projects if one["name"] == name]
    wanted = (("github", f"/repos/{owner}/{name}"), ("vercel", f"/v9/projects/{name}"))
    return found + [each for each in wanted if accounts.ask(each[0], "GET", each[1]).is_success]


def test_leftovers_of_a_run_are_found_in_all_three_services_and_nothing_else_is(accounts: Accounts) -> None:
    run = new_run()
    make(accounts, run)
    assert [one for one in find(accounts) if one.name == run] == []
    every = find(accounts, older_than=timedelta(0))
    found = [one for one in every if one.name == run]
    assert {one.service for one in found} == {"supabase", "github", "vercel"}
    assert not [one for one in every if one.name in OTHERS]
    assert [remove(accounts, one) for one in found] == [None] * 3
    assert paths(accounts, run) == []
    assert all(len(paths(accounts, name)) == 3 for name in OTHERS)
    assert [remove(accounts, one) for one in found] == [None] * 3, "what is gone already is no failure"


def test_what_a_service_refuses_to_delete_is_told(accounts: Accounts, emulators: Local) -> None:
    run = new_run()
    make(accounts, run)
    found = [one for one in find(accounts, older_than=timedelta(0)) if one.name == run]
    emulators.fault("github", method="DELETE", path="/repos/.*", status=403, body="Must have admin rights")
    told = [remove(accounts, one) for one in found]
    assert [text for text in told if text] == [f"github {run}: 403 Must have admin rights"]
    assert [remove(accounts, one) for one in found] == [None] * 3


def test_nothing_is_deleted_that_is_not_called_like_a_run(accounts: Accounts) -> None:
    path = f"/repos/{accounts.exports['GITHUB_OWNER']}/live-music"
    with pytest.raises(AssertionError):
        remove(accounts, Leftover("github", "live-music", path, None))  # type: ignore[arg-type]
    assert accounts.ask("github", "GET", path).status_code == httpx.codes.OK
