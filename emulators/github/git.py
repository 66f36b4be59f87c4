"""What a repository holds: blobs (under their Git hashes), commits, branches, and the calls that reach them."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from emulators.context import Context
from emulators.github.state import timestamp
from emulators.rest import Call, RefusedError
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
            tree[path] = _hash("blob", content)
            repository["blobs"][tree[path]] = base64.b64encode(content).decode()
    made = {"parent": parent, "tree": tree, "message": message, "date": timestamp(context)}
    # Unique and lasting like Git's own, which nothing here computes again.
    made["sha"] = _hash("commit", repr(made).encode())
    repository["commits"][made["sha"]] = made
    repository["branches"][branch] = made["sha"]
    return made


def files(repository: Document, branch: str) -> dict[str, bytes]:
    """Path -> content of everything on a branch."""
    head = _head(repository, branch)
    return {path: base64.b64decode(repository["blobs"][sha]) for path, sha in head["tree"].items()} if head else {}


def read_branch(call: Call, repository: Document) -> Any:
    name = call.path["branch"]
    if name not in repository["branches"]:
        raise RefusedError(404, "Branch not found")
    active = any(one["enforcement"] == "active" for one in repository["rulesets"].values())
    head = _view(repository["commits"][repository["branches"][name]])
    return {"name": name, "commit": head, "protected": active and name == repository["default_branch"]}


def rename_branch(call: Call, repository: Document) -> Any:
    old, new = call.path["branch"], call.body.get("new_name", "")
    if old not in repository["branches"]:
        raise RefusedError(404, "Branch not found")
    if not new or (new != old and new in repository["branches"]):
        raise RefusedError(422, f"Branch {new} already exists" if new else "new_name is missing")
    repository["branches"][new] = repository["branches"].pop(old)
    if repository["default_branch"] == old:
        repository["default_branch"] = new
    return 201, {"name": new, "commit": {"sha": repository["branches"][new]}}


def read_commit(call: Call, repository: Document) -> Any:
    found = _head(repository, call.path["ref"])
    if found is None:
        raise RefusedError(422, f"No commit found for SHA: {call.path['ref']}")
    return {**_view(found), "files": [{"filename": path} for path in found["tree"]]}


def list_commits(call: Call, repository: Document) -> Any:
    """The commits of a branch, newest first; with `path`, those that changed it."""
    path, found = call.query.get("path"), []
    current = _head(repository, call.query.get("sha") or repository["default_branch"])
    while current:
        parent = repository["commits"].get(current["parent"])
        if not path or current["tree"].get(path) != (parent["tree"].get(path) if parent else None):
            found.append(_view(current))
        current = parent
    return found


def read_file(call: Call, repository: Document) -> Any:
    path, ref = call.path["path"].strip("/"), call.query.get("ref") or repository["default_branch"]
    head = _head(repository, ref)
    if head is None:
        raise RefusedError(404, f"No commit found for the ref {ref}")
    if path in head["tree"]:
        encoded = {"encoding": "base64", "content": repository["blobs"][head["tree"][path]]}
        return {**_entry(repository, ref, path, head["tree"][path]), **encoded}
    folder = [name for name in head["tree"] if name.startswith(f"{path}/" if path else "")]
    if not folder:
        raise RefusedError(404, "Not Found")
    return [_entry(repository, ref, name, head["tree"][name]) for name in folder]


def write_file(call: Call, repository: Document) -> Any:
    """Create or replace one file, or delete it; each is a commit, and a replaced file's hash must be named."""
    path, given, removing = call.path["path"], call.body.get("sha") or None, call.method == "DELETE"
    branch = call.body.get("branch") or repository["default_branch"]
    if repository["commits"] and branch not in repository["branches"]:
        raise RefusedError(404, f"Branch {branch} not found")
    head = _head(repository, branch)
    old = head["tree"].get(path) if head else None
    if removing and old is None:
        raise RefusedError(404, "Not Found")
    if old and not given:
        raise RefusedError(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if old != given:
        raise RefusedError(409, f"{path} does not match {given}")
    try:
        content = None if removing else base64.b64decode(call.body.get("content", ""))
    except binascii.Error:
        raise RefusedError(422, "content is not valid Base64") from None
    made = commit(call.context, repository, branch, call.body.get("message") or f"Update {path}", {path: content})
    entry = None if removing else _entry(repository, branch, path, made["tree"][path])
    return 200 if old else 201, {"content": entry, "commit": {"sha": made["sha"], **_view(made)["commit"]}}


def _head(repository: Document, ref: str) -> Document | None:
    """The commit of a branch's name or of a hash."""
    found: Document | None = repository["commits"].get(repository["branches"].get(ref, ref))
    return found


def _entry(repository: Document, ref: str, path: str, sha: str) -> Document:
    full_name = f"{repository['owner']}/{repository['settings']['name']}"
    return {
        "type": "file",
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "size": len(base64.b64decode(repository["blobs"][sha])),
        "url": f"https://api.github.com/repos/{full_name}/contents/{path}?ref={ref}",
        "html_url": f"https://github.com/{full_name}/blob/{ref}/{path}",
    }


def _view(made: Document) -> Document:
    person = {**AUTHOR, "date": made["date"]}
    parents = [{"sha": made["parent"]}] if made["parent"] else []
    content = {"message": made["message"], "author": person, "committer": person}
    return {"sha": made["sha"], "commit": content, "parents": parents}


def _hash(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
