"""GitHub's REST API, as far as the resources of a client need it, under `/` and under `/api/v3/`.

One token and one organization are known. Any other token gets 401, any other owner 404. What plan
and token offer, and which repositories the token sees, is switched at `/_account`. A renamed
repository is reached by a redirect.
"""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from local.emulators import documents
from local.emulators.context import Context
from local.emulators.github import account, actions, git, repositories, switches
from local.emulators.github.account import ORGANIZATION, guarded, may_delete, may_write, paid
from local.emulators.github.state import entry, inside, listing
from local.emulators.rest import RefusedError, Service

TOKEN = "local-github-token"  # noqa: S105 (opens nothing but this emulator)


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead the provider here."""
    return {"GITHUB_BASE_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_OWNER": ORGANIZATION}


def app(context: Context) -> Starlette:
    """The GitHub emulator over a store."""
    service = Service(_check, _error, account.headers)
    apart = [*documents.routes(), *switches.routes()]
    return service.app(context, *apart, service.mount("/api/v3", TABLE), service.mount("/", TABLE))


def _check(request: Request) -> None:
    given = request.headers.get("authorization", "").split(" ")[-1]
    if given != TOKEN:
        raise RefusedError(401, "Bad credentials" if given else "Requires authentication")


def _error(refused: RefusedError) -> Any:
    documentation = {"documentation_url": "https://docs.github.com/rest", "status": str(refused.status)}
    return {"message": refused.message, **refused.extra, **documentation}


REPOSITORY = "/repos/{owner}/{repo}"
NUMBERED = "/repositories/{id:int}"  # where redirects of renamed repositories lead
ROUTES = [
    ("GET", "/user", account.user),
    ("GET", "/user/memberships/orgs/{org}", account.membership),
    ("GET", "/user/repos", repositories.of_user),
    ("POST", "/user/repos", repositories.create),
    ("GET", "/orgs/{org}", account.organization),
    ("GET", "/orgs/{org}/repos", repositories.of_organization),
    ("POST", "/orgs/{org}/repos", repositories.create),
    ("GET PATCH DELETE", REPOSITORY, guarded(may_delete, repositories.repository)),
    ("POST", f"{REPOSITORY}/generate", repositories.generate),
    ("GET", f"{REPOSITORY}/commits", inside(git.list_commits)),
    ("GET", f"{REPOSITORY}/commits/{{ref:path}}", inside(git.read_commit)),
    ("POST", f"{REPOSITORY}/branches/{{branch:path}}/rename", inside(git.rename_branch)),
    ("GET", f"{REPOSITORY}/branches/{{branch:path}}", inside(git.read_branch)),
    ("POST", f"{REPOSITORY}/git/refs", inside(git.create_branch)),
    ("GET", f"{REPOSITORY}/contents/{{path:path}}", inside(git.read_file)),
    ("PUT DELETE", f"{REPOSITORY}/contents/{{path:path}}", guarded(may_write, inside(git.write_file))),
    ("GET", f"{REPOSITORY}/rulesets", guarded(paid, listing("rulesets"))),
    ("POST", f"{REPOSITORY}/rulesets", guarded(paid, inside(actions.put_ruleset))),
    ("PUT", f"{REPOSITORY}/rulesets/{{name}}", guarded(paid, inside(actions.put_ruleset))),
    ("GET DELETE", f"{REPOSITORY}/rulesets/{{name}}", guarded(paid, entry("rulesets"))),
    ("GET", f"{REPOSITORY}/actions/variables", listing("variables", per_page=10)),
    ("POST", f"{REPOSITORY}/actions/variables", inside(actions.create_variable)),
    ("PATCH", f"{REPOSITORY}/actions/variables/{{name}}", inside(actions.update_variable)),
    ("GET DELETE", f"{REPOSITORY}/actions/variables/{{name}}", entry("variables")),
    ("GET", f"{REPOSITORY}/actions/secrets", listing("secrets")),
    ("GET", f"{REPOSITORY}/actions/secrets/public-key", inside(actions.public_key)),
    ("PUT", f"{REPOSITORY}/actions/secrets/{{name}}", inside(actions.put_secret)),
    ("GET DELETE", f"{REPOSITORY}/actions/secrets/{{name}}", entry("secrets")),
    ("PUT", f"{REPOSITORY}/environments/{{name}}", inside(actions.put_environment)),
    ("GET DELETE", f"{REPOSITORY}/environments/{{name}}", entry("environments")),
]
TABLE = ROUTES + [
    (methods, path.replace(REPOSITORY, NUMBERED), handler)
    for methods, path, handler in ROUTES
    if path.startswith(REPOSITORY)
]
