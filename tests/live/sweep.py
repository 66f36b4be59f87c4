"""What live runs have left behind in the accounts: found by its name, and deleted.

A name is a run's id. Nothing else is ever listed, and only our own organization, owner and team are looked at.
"""

import itertools
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.live.accounts import Accounts

RUN = re.compile(r"live-[0-9a-f]{8}-[0-9a-f]{4}")
OLD = timedelta(hours=6)  # a run that began later may still be at work
GONE = ("REMOVED", "GOING_DOWN")
PATIENCE, PAUSE = 600.0, 5.0  # seconds; a project cannot be deleted while it comes up


def new_run() -> str:
    """An id that holds the time, in seconds since 1970, and something random."""
    return f"live-{int(time.time()):08x}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class Leftover:
    """Something of a run: its service, the run's id, where it is deleted, when it was made."""

    service: str
    name: str
    path: str
    made: datetime


def find(accounts: Accounts, *, older_than: timedelta = OLD) -> list[Leftover]:
    """Everything whose name is a run's id and that was made longer ago than that, the site before its repository."""
    before = datetime.now(UTC) - older_than
    every = [*_sites(accounts), *_repositories(accounts), *_projects(accounts)]
    return [one for one in every if RUN.fullmatch(one.name) and one.made <= before]


def remove(accounts: Accounts, leftover: Leftover, *, patience: float = PATIENCE) -> str | None:
    """Delete one; None when it is gone, or what the service says against it."""
    assert RUN.fullmatch(leftover.name), leftover
    ends = time.monotonic() + patience
    while True:
        answer = accounts.ask(leftover.service, "DELETE", leftover.path)
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            return None
        coming_up = leftover.service == "supabase" and answer.status_code == httpx.codes.BAD_REQUEST
        if not coming_up or time.monotonic() + PAUSE > ends:
            return f"{leftover.service} {leftover.name}: {answer.status_code} {answer.text[:200]}"
        time.sleep(PAUSE)


def _projects(accounts: Accounts) -> Iterator[Leftover]:
    path, found = f"/v1/organizations/{accounts.exports['SUPABASE_ORG_SLUG']}/projects", 0
    while True:
        answer = accounts.supabase("GET", path, params={"search": "live-", "limit": 100, "offset": found})
        page = answer.raise_for_status().json()["projects"]
        for one in page:
            if one["status"] not in GONE:
                made = datetime.fromisoformat(one["inserted_at"])
                made = made if made.tzinfo else made.replace(tzinfo=UTC)
                yield Leftover("supabase", one["name"], f"/v1/projects/{one['ref']}", made)
        found += len(page)
        if len(page) < 100:
            return


def _repositories(accounts: Accounts) -> Iterator[Leftover]:
    owner, path = accounts.exports["GITHUB_OWNER"], "/orgs/{}/repos"
    if accounts.ask("github", "GET", path.format(owner)).status_code == httpx.codes.NOT_FOUND:
        path = "/user/repos"  # the owner is a person
    for page in itertools.count(1):
        params = {"per_page": 100, "page": page}
        answer = accounts.ask("github", "GET", path.format(owner), params=params).raise_for_status()
        for one in answer.json():
            if one["owner"]["login"].lower() == owner.lower():
                made = datetime.fromisoformat(one["created_at"])
                yield Leftover("github", one["name"], f"/repos/{owner}/{one['name']}", made)
        if "next" not in answer.links:
            return


def _sites(accounts: Accounts) -> Iterator[Leftover]:
    params: dict[str, Any] = {"search": "live-", "limit": "100"}
    while True:
        answer = accounts.ask("vercel", "GET", "/v9/projects", params=params).raise_for_status().json()
        for one in answer["projects"]:
            made = datetime.fromtimestamp(one["createdAt"] / 1000, UTC)
            yield Leftover("vercel", one["name"], f"/v9/projects/{one['id']}", made)
        if (following := answer["pagination"]["next"]) is None:
            return
        params["until"] = str(following)
