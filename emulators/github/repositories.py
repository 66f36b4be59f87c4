"""Repositories: create, from a template too, read, change, rename, archive, delete."""

import re

from starlette.requests import Request
from starlette.responses import Response

from emulators.context import Context
from emulators.github import git
from emulators.github.state import KIND, RefusedError, body, context_of, find, load, number, reply, save, timestamp
from emulators.store import Document

ON = "has_issues has_projects has_wiki has_downloads allow_merge_commit allow_rebase_merge allow_squash_merge"
OFF = """private has_discussions has_pages is_template archived allow_forking allow_auto_merge allow_update_branch
    delete_branch_on_merge web_commit_signoff_required"""
PARTS = ("branches", "commits", "blobs", "rulesets", "variables", "secrets", "environments")
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


async def create(request: Request) -> Response:
    wanted = await body(request)
    context = context_of(request)
    owner = request.path_params.get("org") or request.app.state.user
    repository = _new(context, owner, wanted)
    if wanted.get("auto_init"):
        text = f"# {wanted['name']}\n{wanted.get('description') or ''}".encode()
        git.commit(context, repository, "main", "Initial commit", {"README.md": text})
    save(context, repository)
    return reply(request, view(repository), 201)


async def generate(request: Request) -> Response:
    """Create from a template: its files in one first commit, without its history."""
    template, wanted, context = load(request), await body(request), context_of(request)
    if not template["settings"]["is_template"]:
        raise RefusedError(404, "Not Found")
    repository = _new(context, wanted.get("owner") or request.app.state.user, wanted)
    repository["template_repository"] = {
        "name": template["settings"]["name"],
        "full_name": f"{template['owner']}/{template['settings']['name']}",
        "owner": {"login": template["owner"]},
    }
    branch = template["default_branch"]
    git.commit(context, repository, branch, "Initial commit", git.files(template, branch))
    repository["default_branch"] = branch
    save(context, repository)
    return reply(request, view(repository), 201)


async def read(request: Request) -> Response:
    return reply(request, view(load(request)))


async def listing(request: Request) -> Response:
    every = context_of(request).store.all(KIND).values()
    return reply(request, [view(one) for one in every if one["owner"] == request.path_params["org"]])


async def update(request: Request) -> Response:
    repository, wanted, context = load(request), await body(request), context_of(request)
    settings = repository["settings"]
    if settings["archived"] and wanted.get("archived") is not False:
        raise RefusedError(403, "Repository was archived so is read-only.")
    if branch := wanted.get("default_branch"):
        if branch not in repository["branches"]:
            raise RefusedError(
                422, "Validation Failed", _error("default_branch", f"The branch {branch} was not found.")
            )
        repository["default_branch"] = branch
    name = wanted.get("name") or settings["name"]
    if name.lower() != settings["name"].lower():
        _check_name(context, repository["owner"], name)
        context.store.delete(KIND, f"{repository['owner']}/{settings['name']}".lower())
    _apply(settings, wanted)
    save(context, repository)
    return reply(request, view(repository))


async def replace_topics(request: Request) -> Response:
    repository, wanted = load(request, write=True), await body(request)
    repository["settings"]["topics"] = sorted(wanted.get("names", []))
    save(context_of(request), repository)
    return reply(request, {"names": repository["settings"]["topics"]})


async def delete(request: Request) -> Response:
    repository = load(request)
    context_of(request).store.delete(KIND, f"{repository['owner']}/{repository['settings']['name']}".lower())
    return Response(status_code=204)


def view(repository: Document) -> Document:
    """The repository as the API shows it to an administrator."""
    settings, owner = repository["settings"], repository["owner"]
    full_name = f"{owner}/{settings['name']}"
    url = f"https://github.com/{full_name}"
    shown = {
        **settings,
        "id": repository["id"],
        "node_id": f"R_{repository['id']}",
        "full_name": full_name,
        "owner": {"login": owner, "id": number(owner), "type": "Organization"},
        "html_url": url,
        "clone_url": f"{url}.git",
        "git_url": f"git://github.com/{full_name}.git",
        "ssh_url": f"git@github.com:{full_name}.git",
        "svn_url": url,
        "url": f"https://api.github.com/repos/{full_name}",
        "default_branch": repository["default_branch"],
        "language": None,
        "fork": False,
        "disabled": False,
        "size": 0,
        "permissions": {"admin": True, "push": True, "pull": True},
        "security_and_analysis": {"secret_scanning": {"status": "disabled"}},
        "created_at": repository["created_at"],
        "updated_at": repository["updated_at"],
        "pushed_at": repository["updated_at"],
    }
    if "template_repository" in repository:
        shown["template_repository"] = repository["template_repository"]
    return shown


def _new(context: Context, owner: str, wanted: Document) -> Document:
    name = str(wanted.get("name", ""))
    _check_name(context, owner, name)
    now = timestamp(context)
    repository: Document = {
        "id": number(owner, name, now),
        "owner": owner,
        "default_branch": "main",
        "created_at": now,
        "settings": {**DEFAULTS, "name": name},
    }
    repository |= {
        part: {} for part in ("branches", "commits", "blobs", "rulesets", "variables", "secrets", "environments")
    }
    _apply(repository["settings"], wanted)
    return repository


def _check_name(context: Context, owner: str, name: str) -> None:
    if not re.fullmatch(r"[\w.-]{1,100}", name):
        raise RefusedError(422, "Repository creation failed.", _error("name", "is invalid"))
    if find(context, f"{owner}/{name}"):
        raise RefusedError(422, "Repository creation failed.", _error("name", "name already exists on this account"))


def _apply(settings: Document, wanted: Document) -> None:
    settings.update({key: value for key, value in wanted.items() if key in settings and value is not None})
    if wanted.get("visibility"):
        settings["private"] = wanted["visibility"] != "public"
    elif "private" in wanted:
        settings["visibility"] = "private" if wanted["private"] else "public"


def _error(field: str, message: str) -> Document:
    return {"resource": "Repository", "code": "custom", "field": field, "message": message}
