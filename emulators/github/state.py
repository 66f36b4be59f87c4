"""One document per repository, with everything in it: settings, branches, commits, blobs, rulesets, Actions."""

import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from emulators.context import Context
from emulators.store import Document

KIND = "github.repository"


class RefusedError(Exception):
    """An answer of GitHub's that is an error: status, message and, for 422, the list of `errors`."""

    def __init__(self, status: int, message: str, *errors: Document) -> None:
        super().__init__(message)
        self.status, self.message, self.errors = status, message, errors


def context_of(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


def find(context: Context, full_name: str) -> Document | None:
    """The repository `owner/name`, in any letter case, or None."""
    return context.store.get(KIND, full_name.lower())


def load(request: Request, *, write: bool = False) -> Document:
    """The repository of the request's path; what an archived one refuses is refused when `write`."""
    repository = find(context_of(request), "{owner}/{repo}".format(**request.path_params))
    if repository is None:
        raise RefusedError(404, "Not Found")
    if write and repository["settings"]["archived"]:
        raise RefusedError(403, "Repository was archived so is read-only.")
    return repository


def save(context: Context, repository: Document) -> None:
    repository["updated_at"] = timestamp(context)
    context.store.put(KIND, f"{repository['owner']}/{repository['settings']['name']}".lower(), repository)


def timestamp(context: Context) -> str:
    return context.clock().strftime("%Y-%m-%dT%H:%M:%SZ")


def number(*parts: str) -> int:
    """A stable id for something of this name made at this time."""
    return int(hashlib.sha256("/".join(parts).encode()).hexdigest()[:8], 16)


async def body(request: Request) -> Document:
    try:
        content = json.loads(await request.body() or b"{}")
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise RefusedError(400, "Problems parsing JSON")
    return content


def reply(request: Request, content: Any, status: int = 200) -> Response:
    """Answer with an ETag, or with 304 to who has this answer already."""
    response = JSONResponse(content, status)
    response.headers["etag"] = f'W/"{hashlib.sha256(bytes(response.body)).hexdigest()}"'
    if request.method == "GET" and request.headers.get("if-none-match") == response.headers["etag"]:
        return Response(status_code=304, headers={"etag": response.headers["etag"]})
    return response
