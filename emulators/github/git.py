"""What a repository holds: blobs (under their Git hashes), commits, branches, and the routes to files."""

import base64
import binascii
import hashlib
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from emulators.context import Context
from emulators.github.state import RefusedError, body, context_of, load, reply, save, timestamp
from emulators.store import Document

AUTHOR = {"name": "local-user", "email": "local-user@users.noreply.github.com"}


def commit(
    context: Context, repository: Document, branch: str, message: str, changes: Mapping[str, bytes | None]
) -> Document:
    """Put one commit on a branch: path -> new content, or None for a removed file."""
    parent = repository["branches"].get(branch)
    tree = dict(repository["commits"][parent]["tree"]) if parent else {}
    for path, content in changes.items():
        tree.pop(path, None)
        if content is not None:
            sha = _hash("blob", content)
            repository["blobs"][sha] = base64.b64encode(content).decode()
            tree[path] = sha
    now = context.clock()
    who = f"{AUTHOR['name']} <{AUTHOR['email']}> {int(now.timestamp())} +0000"
    lines = [f"tree {_tree_hash(tree)}", *([f"parent {parent}"] if parent else []), f"author {who}", f"committer {who}"]
    made = {
        "sha": _hash("commit", "\n".join([*lines, "", message]).encode()),
        "parent": parent,
        "tree": tree,
        "message": message,
        "date": timestamp(context),
    }
    repository["commits"][made["sha"]] = made
    repository["branches"][branch] = made["sha"]
    return made


def files(repository: Document, branch: str) -> dict[str, bytes]:
    """Path -> content of everything on a branch."""
    head = repository["branches"].get(branch)
    tree = repository["commits"][head]["tree"] if head else {}
    return {path: base64.b64decode(repository["blobs"][sha]) for path, sha in tree.items()}


async def read_branch(request: Request) -> Response:
    repository, name = load(request), request.path_params["branch"]
    if name not in repository["branches"]:
        raise RefusedError(404, "Branch not found")
    head = _view(repository, repository["commits"][repository["branches"][name]])
    active = any(one["enforcement"] == "active" for one in repository["rulesets"].values())
    protected = active and name == repository["default_branch"]
    return reply(request, {"name": name, "commit": head, "protected": protected})


async def rename_branch(request: Request) -> Response:
    repository, old = load(request, write=True), request.path_params["branch"]
    new = (await body(request)).get("new_name", "")
    if old not in repository["branches"]:
        raise RefusedError(404, "Branch not found")
    if not new or (new != old and new in repository["branches"]):
        raise RefusedError(422, f"Branch {new} already exists" if new else "new_name is missing")
    repository["branches"][new] = repository["branches"].pop(old)
    if repository["default_branch"] == old:
        repository["default_branch"] = new
    save(context_of(request), repository)
    return reply(request, {"name": new, "commit": {"sha": repository["branches"][new]}, "protected": False}, 201)


async def read_commit(request: Request) -> Response:
    repository, ref = load(request), request.path_params["ref"]
    found = repository["commits"].get(repository["branches"].get(ref, ref))
    if found is None:
        raise RefusedError(422, f"No commit found for SHA: {ref}")
    return reply(request, {**_view(repository, found), "files": [{"filename": path} for path in found["tree"]]})


async def list_commits(request: Request) -> Response:
    """The commits of a branch, newest first; with `path`, those that changed it."""
    repository, path = load(request), request.query_params.get("path")
    sha = request.query_params.get("sha") or repository["default_branch"]
    found, current = [], repository["commits"].get(repository["branches"].get(sha, sha))
    while current:
        parent = repository["commits"].get(current["parent"])
        if not path or current["tree"].get(path) != (parent["tree"].get(path) if parent else None):
            found.append(_view(repository, current))
        current = parent
    return reply(request, found)


async def read_file(request: Request) -> Response:
    repository, path = load(request), request.path_params["path"].strip("/")
    ref = request.query_params.get("ref") or repository["default_branch"]
    head = repository["commits"].get(repository["branches"].get(ref, ref))
    if head is None:
        raise RefusedError(
            404, f"No commit found for the ref {ref}" if repository["commits"] else "This repository is empty."
        )
    if path in head["tree"]:
        return reply(request, _entry(repository, ref, path, head["tree"][path], content=True))
    folder = [name for name in head["tree"] if name.startswith(f"{path}/" if path else "")]
    if not folder:
        raise RefusedError(404, "Not Found")
    return reply(request, [_entry(repository, ref, name, head["tree"][name], content=False) for name in folder])


async def write_file(request: Request) -> Response:
    """Create or replace one file, or delete it; each is a commit, and a replaced file's hash must be named."""
    repository, path, wanted = load(request, write=True), request.path_params["path"], await body(request)
    branch, removing = wanted.get("branch") or repository["default_branch"], request.method == "DELETE"
    if repository["commits"] and branch not in repository["branches"]:
        raise RefusedError(404, f"Branch {branch} not found")
    head = repository["commits"].get(repository["branches"].get(branch))
    old = head["tree"].get(path) if head else None
    if removing and old is None:
        raise RefusedError(404, "Not Found")
    if old and not wanted.get("sha"):
        raise RefusedError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if old != (wanted.get("sha") or None):
        raise RefusedError(409, f"{path} does not match {wanted['sha']}")
    try:
        content = None if removing else base64.b64decode(wanted.get("content", ""), validate=False)
    except binascii.Error:
        raise RefusedError(422, "content is not valid Base64") from None
    context = context_of(request)
    made = commit(context, repository, branch, wanted.get("message") or f"Update {path}", {path: content})
    save(context, repository)
    entry = None if removing else _entry(repository, branch, path, made["tree"][path], content=False)
    return reply(request, {"content": entry, "commit": _commit(repository, made)}, 200 if old else 201)


def _entry(repository: Document, ref: str, path: str, sha: str, *, content: bool) -> Document:
    full_name = f"{repository['owner']}/{repository['settings']['name']}"
    encoded = repository["blobs"][sha]
    entry = {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(base64.b64decode(encoded)),
        "url": f"https://api.github.com/repos/{full_name}/contents/{path}?ref={ref}",
        "git_url": f"https://api.github.com/repos/{full_name}/git/blobs/{sha}",
        "html_url": f"https://github.com/{full_name}/blob/{ref}/{path}",
        "download_url": None,
    }
    return entry | {"encoding": "base64", "content": encoded} if content else entry


def _view(repository: Document, made: Document) -> Document:
    """A commit as the repository API shows it; inside, as the Git API does."""
    return {"sha": made["sha"], "commit": _commit(repository, made), "parents": _parents(made)}


def _commit(repository: Document, made: Document) -> Document:
    person = {**AUTHOR, "date": made["date"]}
    full_name = f"{repository['owner']}/{repository['settings']['name']}"
    return {
        "sha": made["sha"],
        "message": made["message"],
        "author": person,
        "committer": person,
        "tree": {"sha": _tree_hash(made["tree"])},
        "parents": _parents(made),
        "html_url": f"https://github.com/{full_name}/commit/{made['sha']}",
    }


def _parents(made: Document) -> list[Document]:
    return [{"sha": made["parent"]}] if made["parent"] else []


def _hash(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()


def _tree_hash(tree: Mapping[str, str]) -> str:
    # Stable and unique like Git's, but not Git's: nothing here asks for folders as trees of their own.
    return _hash("tree", "\n".join(f"{path} {sha}" for path, sha in sorted(tree.items())).encode())
