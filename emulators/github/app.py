"""GitHub's REST API, as far as the resources of a client need it, under `/` and under `/api/v3/`.

One token and one organization are known. Any other token gets 401, any other owner 404.
"""

import asyncio

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from emulators import documents
from emulators.context import Context
from emulators.github import actions, git, repositories, rulesets
from emulators.github.state import RefusedError, number, reply

TOKEN = "local-github-token"  # noqa: S105 (opens nothing but this emulator)
USER = "local-user"
ORGANIZATION = "local-agency"
DOCUMENTATION = "https://docs.github.com/rest"


def exports(url: str) -> dict[str, str]:
    """The environment variables that lead the provider here."""
    return {"GITHUB_BASE_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_OWNER": ORGANIZATION}


def app(context: Context) -> Starlette:
    """The GitHub emulator over a store."""
    starlette = Starlette(
        routes=[*documents.routes(), Mount("/api/v3", routes=_routes()), *_routes()],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_authenticate)],
        exception_handlers={RefusedError: _refuse, 404: _not_found, 405: _not_found},
    )
    starlette.state.context = context
    # One request at a time: each reads a document, changes it and writes it back as a whole.
    starlette.state.turn = asyncio.Lock()
    starlette.state.user = USER
    return starlette


async def _authenticate(request: Request, call_next: RequestResponseEndpoint) -> Response:
    given = request.headers.get("authorization", "").split(" ")[-1]
    if given == TOKEN or request.url.path.startswith("/_rehearsal/"):
        async with request.app.state.turn:
            return await call_next(request)
    return _error(401, "Bad credentials" if given else "Requires authentication")


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return _error(error.status, error.message, *error.errors)


async def _not_found(request: Request, error: Exception) -> Response:
    return _error(404, "Not Found")


def _error(status: int, message: str, *errors: dict[str, object]) -> Response:
    body: dict[str, object] = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
    return JSONResponse(body | {"errors": list(errors)} if errors else body, status)


async def _user(request: Request) -> Response:
    return reply(request, {"login": USER, "id": number(USER), "type": "User"})


async def _organization(request: Request) -> Response:
    login = request.path_params["org"]
    if login != ORGANIZATION:
        raise RefusedError(404, "Not Found")
    plan = {"name": "team", "private_repos": 999999}
    return reply(request, {"login": login, "id": number(login), "type": "Organization", "plan": plan})


async def _no_content(request: Request) -> Response:
    raise RefusedError(404, "Not Found")


def _routes() -> list[Route]:
    repository = "/repos/{owner}/{repo}"
    table = [
        ("GET", "/user", _user),
        ("POST", "/user/repos", repositories.create),
        ("GET", "/orgs/{org}", _organization),
        ("GET", "/users/{org}", _organization),
        ("GET", "/orgs/{org}/repos", repositories.listing),
        ("POST", "/orgs/{org}/repos", repositories.create),
        ("GET", repository, repositories.read),
        ("PATCH", repository, repositories.update),
        ("DELETE", repository, repositories.delete),
        ("POST", f"{repository}/generate", repositories.generate),
        ("PUT", f"{repository}/topics", repositories.replace_topics),
        ("GET", f"{repository}/vulnerability-alerts", _no_content),
        ("GET", f"{repository}/commits", git.list_commits),
        ("GET", f"{repository}/commits/{{ref:path}}", git.read_commit),
        ("POST", f"{repository}/branches/{{branch:path}}/rename", git.rename_branch),
        ("GET", f"{repository}/branches/{{branch:path}}", git.read_branch),
        ("GET", f"{repository}/contents/{{path:path}}", git.read_file),
        ("PUT DELETE", f"{repository}/contents/{{path:path}}", git.write_file),
        ("GET", f"{repository}/rulesets", rulesets.listing),
        ("POST", f"{repository}/rulesets", rulesets.create),
        ("GET PUT DELETE", f"{repository}/rulesets/{{id}}", rulesets.ruleset),
        ("GET", f"{repository}/actions/variables", actions.list_variables),
        ("POST", f"{repository}/actions/variables", actions.create_variable),
        ("GET PATCH DELETE", f"{repository}/actions/variables/{{name}}", actions.variable),
        ("GET", f"{repository}/actions/secrets", actions.list_secrets),
        ("GET", f"{repository}/actions/secrets/public-key", actions.public_key),
        ("PUT", f"{repository}/actions/secrets/{{name}}", actions.put_secret),
        ("GET DELETE", f"{repository}/actions/secrets/{{name}}", actions.secret),
        ("GET PUT DELETE", f"{repository}/environments/{{name}}", actions.environment),
    ]
    return [Route(path, endpoint, methods=methods.split()) for methods, path, endpoint in table]
