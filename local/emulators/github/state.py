"""One document per repository: settings, branches, commits, blobs, rulesets, Actions.

A renamed repository is found at its old name by a redirect, until another one takes that name.
"""

import hashlib
import re
from collections.abc import Callable
from typing import Any

from local.emulators.context import Context
from local.emulators.github.paging import page
from local.emulators.github.switches import hides
from local.emulators.rest import Call, Handler, RefusedError
from local.emulators.store import Document

KIND = "github.repository"
MOVED = "github.moved"  # old full name -> {"id"}


class MovedError(RefusedError):
    """The repository has another name: GitHub sends the caller to its address by number."""

    def __init__(self, call: Call, identifier: int) -> None:
        rest = re.sub(r"^/repos/[^/]+/[^/?]+", "", call.route)
        address = f"{call.base}/repositories/{identifier}{rest}"
        super().__init__(301 if call.method == "GET" else 307, "Moved Permanently", url=address)
        self.headers = {"location": address}


def find(context: Context, full_name: str) -> Document | None:
    """The repository `owner/name`, in any letter case, or None."""
    return context.store.get(KIND, full_name.lower())


def load(call: Call) -> Document:
    """The repository of the call's path, by name or by number.

    Raises:
        RefusedError: there is none, or the token may not see it; GitHub answers both alike.
        MovedError: it has another name now.
    """
    if "id" in call.path:
        return _visible(call.context, _by_id(call.context, int(call.path["id"])))
    full_name = "{owner}/{repo}".format(**call.path)
    moved = call.context.store.get(MOVED, full_name.lower())
    present = _by_id(call.context, moved["id"]) if moved else find(call.context, full_name)
    found = _visible(call.context, present)
    if key(found) != full_name.lower():
        raise MovedError(call, found["id"])
    return found


def visible(context: Context) -> list[Document]:
    """Every repository that the token may see."""
    return [one for one in context.store.all(KIND).values() if not hides(context, key(one))]


def rename(context: Context, repository: Document, name: str) -> None:
    """Give a repository another name; its old one leads to it."""
    context.store.delete(KIND, key(repository))
    context.store.put(MOVED, key(repository), {"id": repository["id"]})
    repository["settings"]["name"] = name


def save(context: Context, repository: Document) -> None:
    """Keep a repository; a redirect from its name ends."""
    context.store.delete(MOVED, key(repository))
    repository["updated_at"] = timestamp(context)
    context.store.put(KIND, key(repository), repository)


def key(repository: Document) -> str:
    return f"{repository['owner']}/{repository['settings']['name']}".lower()


def inside(handler: Callable[[Call, Document], Any]) -> Handler:
    """A handler for something in a repository: given it, and kept what it changed. Archived ones are read-only."""

    def handle(call: Call) -> Any:
        repository = load(call)
        if call.method != "GET" and repository["settings"]["archived"]:
            raise RefusedError(403, "Repository was archived so is read-only.")
        answer = handler(call, repository)
        if call.method != "GET":
            save(call.context, repository)
        return answer

    return handle


def entry(part: str) -> Handler:
    """Read or delete one of a repository's named parts."""

    def handle(call: Call, repository: Document) -> Any:
        found = named(call, repository, part)
        if call.method == "DELETE":
            del repository[part][call.path["name"].upper()]
            return 204, None
        return shown(found)

    return inside(handle)


def listing(part: str, per_page: int = 30) -> Handler:
    """A repository's named parts, in pages."""

    def handle(call: Call, repository: Document) -> Any:
        found = [shown(one) for one in repository[part].values()]
        entries, links = page(call, found, per_page)
        listed = entries if part == "rulesets" else {"total_count": len(found), part: entries}
        return 200, listed, links

    return inside(handle)


def named(call: Call, repository: Document, part: str) -> Document:
    found: Document | None = repository[part].get(call.path["name"].upper())
    if found is None:
        raise RefusedError(404, "Not Found")
    return found


def _by_id(context: Context, identifier: int) -> Document | None:
    every = context.store.all(KIND).values()
    return next((one for one in every if one["id"] == identifier), None)


def _visible(context: Context, found: Document | None) -> Document:
    if found is None or hides(context, key(found)):
        raise RefusedError(404, "Not Found")
    return found


def shown(one: Document) -> Document:
    return {field: value for field, value in one.items() if field != "digest"}


def timestamp(context: Context) -> str:
    return context.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def number(*parts: str) -> int:
    """A stable id for something of this name made at this time."""
    return int(hashlib.sha256("/".join(parts).encode()).hexdigest()[:8], 16)
