"""What a repository holds: blobs (under their Git hashes), commits, branches, and the calls that reach them."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any

from local.emulators.context import Context
from local.emulators.github.paging import page
from local.emulators.github.state import number, timestamp
from local.emulators.github.views import API, WEB, addresses, person
from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document

UNSIGNED = {"verified": False, "reason": "unsigned", "signature": None, "payload": None}
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
    return _branch(repository, name)


def rename_branch(call: Call, repository: Document) -> Any:
    old, new = call.path["branch"], call.body.get("new_name", "")
    if old not in repository["branches"]:
        raise RefusedError(404, "Branch not found")
    if not new or new in repository["branches"]:
        raise RefusedError(422, f"Branch {new} already exists" if new else "new_name is missing")
    repository["branches"][new] = repository["branches"].pop(old)
    if repository["default_branch"] == old:
        repository["default_branch"] = new
    return 201, _branch(repository, new)


def create_branch(call: Call, repository: Document) -> Any:
    ref, sha = call.body.get("ref", ""), call.body.get("sha")
    name = ref.removeprefix("refs/heads/")
    if name in repository["branches"] or name == ref or sha not in repository["commits"]:
        raise RefusedError(422, "Reference already exists" if name in repository["branches"] else "Invalid request")
    repository["branches"][name] = sha
    url = f"{_places(repository)[0]}/git"
    commit = {"type": "commit", "sha": sha, "url": f"{url}/commits/{sha}"}
    return 201, {"ref": ref, "node_id": f"REF_{number(ref)}", "url": f"{url}/{ref}", "object": commit}


def read_commit(call: Call, repository: Document) -> Any:
    found = _head(repository, call.path["ref"])
    if found is None:
        raise RefusedError(422, f"No commit found for SHA: {call.path['ref']}")
    return _view(repository, found)


def list_commits(call: Call, repository: Document) -> Any:
    """The commits of a branch, newest first; with `path`, those that changed it."""
    path, found = call.query.get("path"), []
    current = _head(repository, call.query.get("sha") or repository["default_branch"])
    while current:
        parent = repository["commits"].get(current["parent"])
        if not path or current["tree"].get(path) != (parent["tree"].get(path) if parent else None):
            found.append(_view(repository, current))
        current = parent
    return 200, *page(call, found)


def read_file(call: Call, repository: Document) -> Any:
    path, ref = call.path["path"].strip("/"), call.query.get("ref") or repository["default_branch"]
    head = _head(repository, ref)
    if head is None:
        raise RefusedError(404, f"No commit found for the ref {ref}")
    if path in head["tree"]:
        encoded = {"encoding": "base64", "content": repository["blobs"][head["tree"][path]]}
        return {**_entry(repository, ref, path, head["tree"][path]), **encoded}
    prefix = f"{path}/" if path else ""
    inside = [name.removeprefix(prefix) for name in head["tree"] if name.startswith(prefix)]
    if not inside:
        raise RefusedError(404, "Not Found")
    children = dict.fromkeys(name.partition("/")[0] for name in inside)
    return [_child(repository, ref, head, f"{prefix}{name}") for name in children]


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
    return 200 if old else 201, {"content": entry, "commit": _written(repository, made)}


def _head(repository: Document, ref: str) -> Document | None:
    """The commit of a branch's name or of a hash."""
    found: Document | None = repository["commits"].get(repository["branches"].get(ref, ref))
    return found


def _entry(repository: Document, ref: str, path: str, sha: str) -> Document:
    """A file without its content."""
    _, web = _places(repository)
    return {
        **_content_links(repository, ref, path, sha, "blob"),
        "type": "file",
        "size": len(base64.b64decode(repository["blobs"][sha])),
        "download_url": f"{web}/raw/{ref}/{path}",
    }


def _child(repository: Document, ref: str, head: Document, path: str) -> Document:
    """A file or a folder as the list of its folder shows it."""
    if path in head["tree"]:
        return _entry(repository, ref, path, head["tree"][path])
    below = {name: sha for name, sha in head["tree"].items() if name.startswith(f"{path}/")}
    links = _content_links(repository, ref, path, _hash("tree", repr(below).encode()), "tree")
    return {**links, "type": "dir", "size": 0, "download_url": None}


def _content_links(repository: Document, ref: str, path: str, sha: str, kind: str) -> Document:
    """Name, hash and addresses of a file (`blob`) or a folder (`tree`)."""
    api, web = _places(repository)
    links = {
        "url": f"{api}/contents/{path}?ref={ref}",
        "html_url": f"{web}/{kind}/{ref}/{path}",
        "git_url": f"{api}/git/{kind}s/{sha}",
    }
    return {
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": sha,
        "_links": {"self": links["url"], "git": links["git_url"], "html": links["html_url"]},
        **links,
    }


def _branch(repository: Document, name: str) -> Document:
    active = any(one["enforcement"] == "active" for one in repository["rulesets"].values())
    url, page = (
        f"{place}/{part}/{name}" for place, part in zip(_places(repository), ("branches", "tree"), strict=True)
    )
    return {
        "name": name,
        "commit": _view(repository, repository["commits"][repository["branches"][name]]),
        "protected": active and name == repository["default_branch"],
        "protection": {"enabled": False},
        "protection_url": f"{url}/protection",
        "_links": {"self": url, "html": page},
    }


def _view(repository: Document, made: Document) -> Document:
    """A commit, with the files that it changed."""
    url, page = (f"{place}/{part}" for place, part in zip(_places(repository), ("commits", "commit"), strict=True))
    before = repository["commits"].get(made["parent"], {"tree": {}})["tree"]
    changed = sorted(path for path in before.keys() | made["tree"].keys() if before.get(path) != made["tree"].get(path))
    author = {**AUTHOR, "date": made["date"]}
    content = {"message": made["message"], "author": author, "committer": author, "comment_count": 0}
    tree = _hash("tree", repr(made["tree"]).encode())
    return {
        "sha": made["sha"],
        "node_id": f"C_{number(made['sha'])}",
        "commit": {**content, "url": f"{url}/{made['sha']}", "tree": {"sha": tree, "url": f"{url}/{tree}"}},
        "author": person(AUTHOR["name"]),
        "committer": person(AUTHOR["name"]),
        "parents": [{"sha": made["parent"], "url": f"{url}/{made['parent']}"}] if made["parent"] else [],
        "files": [_change(before.get(path), made["tree"].get(path), path, url) for path in changed],
        "url": f"{url}/{made['sha']}",
        "html_url": f"{page}/{made['sha']}",
        **addresses(f"{url}/{made['sha']}", "comments"),
    }


def _written(repository: Document, made: Document) -> Document:
    """A commit as the answer to a written file shows it: Git's own part of it."""
    whole = _view(repository, made)
    part = {name: value for name, value in whole["commit"].items() if name != "comment_count"}
    outside = {name: whole[name] for name in ("sha", "node_id", "html_url", "parents")}
    return {**part, **outside, "verification": UNSIGNED}


def _change(old: str | None, new: str | None, path: str, url: str) -> Document:
    what = {"filename": path, "sha": new, "status": "added" if old is None else "modified" if new else "removed"}
    links = dict.fromkeys(("blob_url", "raw_url", "contents_url"), f"{url}/{path}")
    return {**what, **dict.fromkeys(("additions", "deletions", "changes"), 0), **links}


def _places(repository: Document) -> tuple[str, str]:
    """Addresses of the repository, for programs and for people."""
    full_name = f"{repository['owner']}/{repository['settings']['name']}"
    return f"{API}/repos/{full_name}", f"{WEB}/{full_name}"


def _hash(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
