"""One document per repository, with everything in it: settings, branches, commits, blobs, rulesets, Actions."""

import hashlib
from collections.abc import Callable
from typing import Any

from emulators.context import Context
from emulators.rest import Call, Handler, RefusedError
from emulators.store import Document

KIND = "github.repository"


def find(context: Context, full_name: str) -> Document | None:
    """The repository `owner/name`, in any letter case, or None."""
    return context.store.get(KIND, full_name.lower())


def load(call: Call) -> Document:
    """The repository of the call's path."""
    repository = find(call.context, "{owner}/{repo}".format(**call.path))
    if repository is None:
        raise RefusedError(404, "Not Found")
    return repository


def save(context: Context, repository: Document) -> None:
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


def listing(part: str) -> Handler:
    """All of a repository's named parts."""

    def handle(call: Call, repository: Document) -> Any:
        found = [shown(one) for one in repository[part].values()]
        return found if part == "rulesets" else {"total_count": len(found), part: found}

    return inside(handle)


def named(call: Call, repository: Document, part: str) -> Document:
    found: Document | None = repository[part].get(call.path["name"].upper())
    if found is None:
        raise RefusedError(404, "Not Found")
    return found


def shown(one: Document) -> Document:
    return {field: value for field, value in one.items() if field != "digest"}


def timestamp(context: Context) -> str:
    return context.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def number(*parts: str) -> int:
    """A stable id for something of this name made at this time."""
    return int(hashlib.sha256("/".join(parts).encode()).hexdigest()[:8], 16)
