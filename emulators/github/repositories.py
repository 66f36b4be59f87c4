"""Repositories: create, from a template too, read, change, rename, archive, delete."""

import re
from typing import Any

from emulators.context import Context
from emulators.github import git
from emulators.github.state import KIND, find, key, load, number, save, timestamp
from emulators.rest import Call, RefusedError
from emulators.store import Document

USER = "local-user"
ON = "has_issues has_projects has_wiki has_downloads allow_merge_commit allow_rebase_merge allow_squash_merge"
OFF = """private has_discussions has_pages is_template archived allow_forking allow_auto_merge allow_update_branch
    delete_branch_on_merge web_commit_signoff_required"""
DEFAULTS: Document = {
    **dict.fromkeys(ON.split(), True),
    **dict.fromkeys(OFF.split(), False),
    "description": "",
    "homepage": "",
    "visibility": "public",
    "topics": [],
    "merge_commit_title": "MERGE_MESSAGE",
    "merge_commit_message": "PR_TITLE",
    "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
    "squash_merge_commit_message": "COMMIT_MESSAGES",
}
PARTS = ("branches", "commits", "blobs", "rulesets", "variables", "secrets", "environments")


def create(call: Call) -> Any:
    repository = _new(call.context, call.path.get("org", USER), call.body)
    if call.body.get("auto_init"):
        text = f"# {call.body['name']}\n{call.body.get('description') or ''}"
        git.commit(call.context, repository, "main", "Initial commit", {"README.md": text.encode()})
    save(call.context, repository)
    return 201, view(repository)


def generate(call: Call) -> Any:
    """Create from a template: its files in one first commit, without its history."""
    template = load(call)
    if not template["settings"]["is_template"]:
        raise RefusedError(404, "Not Found")
    repository = _new(call.context, call.body.get("owner") or USER, call.body)
    repository["template"] = {"name": template["settings"]["name"], "owner": {"login": template["owner"]}}
    branch = repository["default_branch"] = template["default_branch"]
    git.commit(call.context, repository, branch, "Initial commit", git.files(template, branch))
    save(call.context, repository)
    return 201, view(repository)


def listing(call: Call) -> Any:
    return [view(one) for one in call.context.store.all(KIND).values() if one["owner"] == call.path["org"]]


def repository(call: Call) -> Any:
    """Read, change or delete one."""
    found = load(call)
    settings = found["settings"]
    if call.method == "DELETE":
        call.context.store.delete(KIND, key(found))
        return 204, None
    if call.method == "PATCH":
        if settings["archived"] and call.body.get("archived") is not False:
            raise RefusedError(403, "Repository was archived so is read-only.")
        found["default_branch"] = call.body.get("default_branch") or found["default_branch"]
        name = call.body.get("name") or settings["name"]
        if name.lower() != settings["name"].lower():
            _check_name(call.context, found["owner"], name)
            call.context.store.delete(KIND, key(found))
        _apply(settings, call.body)
        save(call.context, found)
    return view(found)


def view(found: Document) -> Document:
    """The repository as the API shows it to an administrator."""
    full_name = f"{found['owner']}/{found['settings']['name']}"
    url = f"https://github.com/{full_name}"
    return {
        **found["settings"],
        "id": found["id"],
        "node_id": f"R_{found['id']}",
        "full_name": full_name,
        "owner": {"login": found["owner"], "id": number(found["owner"]), "type": "Organization"},
        "html_url": url,
        "clone_url": f"{url}.git",
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "svn_url": url,
        "url": f"https://api.github.com/repos/{full_name}",
        "default_branch": found["default_branch"],
        "language": None,
        "fork": False,
        "permissions": {"admin": True, "push": True, "pull": True},
        "security_and_analysis": {"secret_scanning": {"status": "disabled"}},
        "created_at": found["created_at"],
        "updated_at": found["updated_at"],
        **({"template_repository": found["template"]} if "template" in found else {}),
    }


def _new(context: Context, owner: str, wanted: Document) -> Document:
    name = str(wanted.get("name", ""))
    _check_name(context, owner, name)
    now = timestamp(context)
    made: Document = {"id": number(owner, name, now), "owner": owner, "default_branch": "main", "created_at": now}
    made |= {"settings": {**DEFAULTS, "name": name}, **{part: {} for part in PARTS}}
    _apply(made["settings"], wanted)
    return made


def _check_name(context: Context, owner: str, name: str) -> None:
    taken = find(context, f"{owner}/{name}") is not None
    if taken or not re.fullmatch(r"[\w.-]{1,100}", name):
        message = "name already exists on this account" if taken else "is invalid"
        error = {"resource": "Repository", "code": "custom", "field": "name", "message": message}
        raise RefusedError(422, "Repository creation failed.", errors=[error])


def _apply(settings: Document, wanted: Document) -> None:
    settings.update({field: value for field, value in wanted.items() if field in settings and value is not None})
    if wanted.get("visibility"):
        settings["private"] = wanted["visibility"] != "public"
    elif "private" in wanted:
        settings["visibility"] = "private" if wanted["private"] else "public"
