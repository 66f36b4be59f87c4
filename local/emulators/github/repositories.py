"""Repositories: create, from a template too, read, change, rename, archive, delete."""

import itertools
import re
from typing import Any

from local.emulators.context import Context
from local.emulators.github import git
from local.emulators.github.account import ORGANIZATION, known_organization
from local.emulators.github.paging import page
from local.emulators.github.state import KIND, find, key, load, number, rename, save, timestamp, visible
from local.emulators.github.switches import USER
from local.emulators.github.views import person, places
from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document

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
COUNTS = """forks forks_count network_count open_issues open_issues_count size stargazers_count subscribers_count
    watchers watchers_count"""
PERMISSIONS = ("admin", "maintain", "push", "triage", "pull")
PARTS = ("branches", "commits", "blobs", "rulesets", "variables", "secrets", "environments")


def create(call: Call) -> Any:
    owner = known_organization(call) if "org" in call.path else USER
    repository = _new(call.context, owner, call.body)
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
    owner = call.body.get("owner") or USER
    if owner not in (USER, ORGANIZATION):
        raise RefusedError(404, "Not Found")
    repository = _new(call.context, owner, call.body)
    repository["template"] = view(template)
    branch = repository["default_branch"] = template["default_branch"]
    git.commit(call.context, repository, branch, "Initial commit", git.files(template, branch))
    save(call.context, repository)
    return 201, view(repository)


def of_organization(call: Call) -> Any:
    """The organization's repositories that the token may see."""
    owner = known_organization(call)
    shown, links = page(call, [one for one in visible(call.context) if one["owner"] == owner])
    return 200, [view(one) for one in shown], links


def of_user(call: Call) -> Any:
    """The repositories that the token's user reaches, by owning them or by the organization."""
    wanted = call.query.get("affiliation", "owner,collaborator,organization_member").split(",")
    owners = {"owner": USER, "organization_member": ORGANIZATION}
    reached = {owners[one] for one in wanted if one in owners}
    shown, links = page(call, [one for one in visible(call.context) if one["owner"] in reached])
    return 200, [view(one) for one in shown], links


def repository(call: Call) -> Any:
    """Read, change or delete one."""
    found = load(call)
    if call.method == "DELETE":
        call.context.store.delete(KIND, key(found))
        return 204, None
    if call.method == "PATCH":
        _change(call, found)
        return view(found)
    return {**view(found), "temp_clone_token": ""}


def view(found: Document) -> Document:
    """The repository as the API shows it to an administrator."""
    full_name = f"{found['owner']}/{found['settings']['name']}"
    kind = "User" if found["owner"] == USER else "Organization"
    return {
        **dict.fromkeys(COUNTS.split(), 0),
        **places(full_name),
        **found["settings"],
        "id": found["id"],
        "node_id": f"R_{found['id']}",
        "full_name": full_name,
        "owner": person(found["owner"], kind),
        "default_branch": found["default_branch"],
        "language": None,
        "license": None,
        "disabled": False,
        "fork": False,
        "permissions": dict.fromkeys(PERMISSIONS, True),
        "use_squash_pr_title_as_default": False,
        "security_and_analysis": {"secret_scanning": {"status": "disabled"}},
        "created_at": found["created_at"],
        "updated_at": found["updated_at"],
        "pushed_at": found["updated_at"],
        **({"organization": person(found["owner"], kind)} if kind == "Organization" else {}),
        **({"template_repository": found["template"]} if "template" in found else {}),
    }


def _new(context: Context, owner: str, wanted: Document) -> Document:
    name = str(wanted.get("name", ""))
    _check_name(context, owner, name)
    now = timestamp(context)
    made: Document = {
        "id": _unused_id(context, owner, name, now),
        "owner": owner,
        "default_branch": "main",
        "created_at": now,
    }
    made |= {"settings": {**DEFAULTS, "name": name}, **{part: {} for part in PARTS}}
    _apply(made["settings"], wanted)
    return made


def _unused_id(context: Context, *parts: str) -> int:
    """A number that no repository has; a name may be taken again within the same second."""
    taken = {one["id"] for one in context.store.all(KIND).values()}
    numbers = (number(*parts, str(attempt)) for attempt in itertools.count())
    return next(one for one in numbers if one not in taken)


def _change(call: Call, found: Document) -> None:
    settings, wanted = found["settings"], call.body
    if settings["archived"] and wanted.get("archived") is not False:
        raise RefusedError(403, "Repository was archived so is read-only.")
    branch = found["default_branch"] = wanted.get("default_branch") or found["default_branch"]
    if found["branches"] and branch not in found["branches"]:
        raise _refused("Validation Failed", "default_branch", f"The branch {branch} was not found.")
    name = wanted.get("name") or settings["name"]
    if name.lower() != settings["name"].lower():
        _check_name(call.context, found["owner"], name)
        rename(call.context, found, name)
    _apply(settings, wanted)
    save(call.context, found)


def _check_name(context: Context, owner: str, name: str) -> None:
    taken = find(context, f"{owner}/{name}") is not None
    if taken or not re.fullmatch(r"[\w.-]{1,100}", name):
        raise _refused(
            "Repository creation failed.", "name", "name already exists on this account" if taken else "is invalid"
        )


def _refused(what: str, field: str, message: str) -> RefusedError:
    error = {"resource": "Repository", "code": "custom", "field": field, "message": message}
    return RefusedError(422, what, errors=[error])


def _apply(settings: Document, wanted: Document) -> None:
    settings.update({field: value for field, value in wanted.items() if field in settings and value is not None})
    if wanted.get("visibility"):
        settings["private"] = wanted["visibility"] != "public"
    elif "private" in wanted:
        settings["visibility"] = "private" if wanted["private"] else "public"
