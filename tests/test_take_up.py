"""What a bare `pulumi up` imports and refuses; tests/automation/test_bare_pulumi.py runs it under the engine."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from common.errors import OperatorError
from components.settings import STACK_MARK
from components.take_up import REPOSITORY, RULESET, SITE, TOKENS, TakeUp, take_up
from tests.conftest import Local
from tests.wiring import SETTINGS

NAME = "taken-up"
OURS = replace(SETTINGS, project_name=NAME)
API_URL = "https://abcdefghijklmnopqrst.supabase.co"
UP = {"endpoints": {"api_url": API_URL}}
VARIABLE = "github:index/actionsVariable:ActionsVariable"
SITE_VARIABLE = "vercel:index/projectEnvironmentVariable:ProjectEnvironmentVariable"
DESCRIBED = {"name": NAME, "description": f"Site of {SETTINGS.client_name}"}

Begin = Callable[[Mapping[str, Any]], TakeUp]


@pytest.fixture
def services(emulators: Local, monkeypatch: pytest.MonkeyPatch) -> Iterator[Local]:
    """The emulators, where the environment leads; what a test has made of this name goes at its end."""
    for name, value in emulators.exports.items():
        monkeypatch.setenv(name, value)
    yield emulators
    ask(emulators, "github", "DELETE", f"/repos/{emulators.exports['GITHUB_OWNER']}/{NAME}")
    ask(emulators, "vercel", "DELETE", f"/v9/projects/{NAME}")


@pytest.fixture
def begin(services: Local) -> Iterator[Begin]:
    """Begins for a state that holds these outputs."""
    begun: list[TakeUp] = []

    def make(state: Mapping[str, Any]) -> TakeUp:
        begun.append(TakeUp(OURS, state))
        return begun[-1]

    yield make
    for one in begun:
        one.end()


def ask(services: Local, service: str, method: str, path: str, **body: Any) -> Any:
    token = services.exports["GITHUB_TOKEN" if service == "github" else "VERCEL_API_TOKEN"]
    base = f"{services.urls['github']}/api/v3" if service == "github" else services.urls["vercel"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = services.http.request(method, f"{base}{path}", headers=headers, json=body or None)
    return answer.json() if answer.content else None


def make_repository(services: Local, api_url: str = API_URL) -> None:
    """A repository with a ruleset and the variable that proves whose it is."""
    owner = services.exports["GITHUB_OWNER"]
    ask(services, "github", "POST", f"/orgs/{owner}/repos", **DESCRIBED, auto_init=True)
    inside = f"/repos/{owner}/{NAME}"
    ruleset = {"name": "default-branch", "target": "branch", "enforcement": "active"}
    ask(services, "github", "POST", f"{inside}/rulesets", **ruleset)
    ask(services, "github", "POST", f"{inside}/actions/variables", name="NEXT_PUBLIC_SUPABASE_URL", value=api_url)


def make_site(services: Local, *, linked: bool) -> str:
    """A site, linked to the repository or to nothing; its id."""
    repository = f"{services.exports['GITHUB_OWNER']}/{NAME}"
    link = {"gitRepository": {"type": "github", "repo": repository}} if linked else {}
    made: str = ask(services, "vercel", "POST", "/v10/projects", name=NAME, **link)["id"]
    return made


def told(wanted: TakeUp, kind: str, role: str, **props: Any) -> tuple[str | None, list[str]]:
    """Id that a resource is imported by, and the inputs that the import leaves alone."""
    opts = pulumi.ResourceOptions(ignore_changes=["template"])
    resource: Any = None
    found = wanted(pulumi.ResourceTransformationArgs(resource, kind, role, props, opts))
    return (None, []) if found is None else (found.opts.import_, list(found.opts.ignore_changes or ()))


def test_what_is_proved_by_its_variable_is_imported_with_all_that_is_inside(services: Local, begin: Begin) -> None:
    make_repository(services)
    site = make_site(services, linked=True)
    wanted = begin(UP)
    assert told(wanted, REPOSITORY, "repository", **DESCRIBED, auto_init=True, template=None) == (
        NAME,
        ["template", "name", "description", "autoInit"],
    )
    ruleset, _ = told(wanted, RULESET, "ruleset", name="default-branch", repository=pulumi.Output.from_input(NAME))
    assert ruleset is not None
    assert ruleset.startswith(f"{NAME}:")
    assert ruleset.removeprefix(f"{NAME}:").isdecimal()
    variable = told(wanted, VARIABLE, "actions-api-url", variable_name="NEXT_PUBLIC_SUPABASE_URL")
    assert variable == (f"{NAME}:NEXT_PUBLIC_SUPABASE_URL", ["template", "variableName"])
    assert told(wanted, SITE, "site", name=NAME)[0] == site
    assert wanted.taken == ["repository", "ruleset", "actions-api-url", "site"]


def test_a_variable_of_a_site_is_imported_below_team_and_site(services: Local, begin: Begin) -> None:
    make_repository(services)
    site = make_site(services, linked=True)
    body = {"key": "COLOUR", "value": "red", "type": "plain", "target": ["production"]}
    made = ask(services, "vercel", "POST", f"/v10/projects/{site}/env", **body)["created"]["id"]
    state = {**UP, "repository": {}, "site": {"id": site}}
    found = told(begin(state), SITE_VARIABLE, "site-colour", key="COLOUR", targets=("production",))
    assert found[0] == f"{site}/{made}"
    # The plugin wants the team before the site, but the emulator shows no team's site without its name.
    wanted = TakeUp(replace(OURS, vercel_team="team_local"), state)
    assert wanted._import_id(SITE_VARIABLE, made, {"projectId": site}) == f"team_local/{site}/{made}"


@pytest.mark.parametrize(
    ("state", "api_url"),
    [
        pytest.param(UP, "https://somebody-else.supabase.co", id="another client's variable"),
        pytest.param({"db-password": {}}, API_URL, id="a state that knows no API yet"),
    ],
)
def test_a_repository_without_proof_is_refused_with_what_to_do(
    services: Local, begin: Begin, state: Mapping[str, Any], api_url: str
) -> None:
    make_repository(services, api_url)
    with pytest.raises(OperatorError, match=f"acme: {NAME} exists already at GitHub. Nothing proves") as refusal:
        told(begin(state), REPOSITORY, "repository", **DESCRIBED)
    assert "clients up acme" in str(refusal.value)


def test_a_site_that_is_linked_to_nothing_is_refused(services: Local, begin: Begin) -> None:
    make_site(services, linked=False)
    with pytest.raises(OperatorError, match=f"{NAME} exists already at Vercel"):
        told(begin({}), SITE, "site", name=NAME)


def test_what_the_state_holds_and_what_does_not_exist_is_left_to_the_engine(services: Local, begin: Begin) -> None:
    assert told(begin(UP), REPOSITORY, "repository", **DESCRIBED) == (None, [])
    make_repository(services)
    assert told(begin({**UP, "repository": {}}), REPOSITORY, "repository", **DESCRIBED) == (None, [])
    assert told(begin({}), "command:local:Command", "probe", create="true") == (None, [])


def test_the_command_line_and_a_preview_without_tokens_ask_nobody() -> None:
    tokens = dict.fromkeys(TOKENS, "made-up")
    assert take_up(OURS, {**tokens, STACK_MARK: "/somewhere:acme"}) is None
    assert take_up(OURS, {**tokens, "GITHUB_TOKEN": ""}) is None
