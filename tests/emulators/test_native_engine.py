"""Repository and site through Pulumi's own engine and the real plugins, against the emulators. Needs `pulumi`."""

from pathlib import Path

import pytest

from tests.conftest import Local
from tests.emulators.native import ENGINE
from tests.emulators.site_trial import NAME, Stack

pytestmark = ENGINE


@pytest.fixture
def stack(tmp_path: Path, emulators: Local) -> Stack:
    return Stack(tmp_path, emulators)


def test_repository_and_site_live_drift_are_repaired_and_die(stack: Stack) -> None:
    repository, project = f"/repos/{stack.local.exports['GITHUB_OWNER']}/{NAME}", f"/v9/projects/{NAME}"
    stack.up()
    assert stack.plan() == {}
    assert "made-up-secret" not in stack("stack", "export")

    changed = {"repository": "update", "site-client-name": "update", "deployment": "replace", "probe": "update"}
    assert stack.plan(client_name="Acme Two") == changed
    stack.up(client_name="Acme Two", domain="www.native.example")
    settings = {"client_name": "Acme Two", "domain": "www.native.example"}
    assert stack.plan(**settings) == {}

    stack.api("github", "PATCH", repository, description="by hand")
    stack.api("github", "DELETE", f"{repository}/actions/variables/NEXT_PUBLIC_SUPABASE_URL")
    file = stack.api("github", "GET", f"{repository}/contents/README.md").json()
    stack.api("github", "PUT", f"{repository}/contents/README.md", message="m", content="aGFuZA==", sha=file["sha"])
    (ruleset,) = stack.api("github", "GET", f"{repository}/rulesets").json()
    stack.api("github", "PUT", f"{repository}/rulesets/{ruleset['id']}", **{**ruleset, "enforcement": "disabled"})
    variables = {one["key"]: one["id"] for one in stack.api("vercel", "GET", f"{project}/env").json()["envs"]}
    stack.api("vercel", "PATCH", f"{project}/env/{variables['NEXT_PUBLIC_SUPABASE_URL']}", value="https://hand.example")
    stack.api("vercel", "DELETE", f"{project}/env/{variables['SUPABASE_SECRET_KEY']}")
    stack.api("vercel", "DELETE", f"{project}/domains/www.native.example")
    stack.api("vercel", "PATCH", project, resourceConfig={"functionDefaultRegions": ["iad1"]})
    assert stack.plan(**settings) == {
        "repository": "update",
        "actions-api-url": "create",
        "ruleset": "update",
        "site": "update",
        "site-api-url": "update",
        "site-secret-key": "create",
        "site-domain": "create",
    }
    stack.up(**settings)
    assert stack.plan(**settings) == {}

    stack("destroy", "--yes", "--skip-preview")
    assert stack.api("github", "GET", repository).status_code == 404
    assert stack.api("vercel", "GET", project).status_code == 404


def test_a_site_of_a_team_lives_and_dies(stack: Stack) -> None:
    stack.up(vercel_team="team_local")
    assert stack.plan(vercel_team="team_local") == {}
    stack("destroy", "--yes", "--skip-preview")
    assert stack.api("vercel", "GET", f"/v9/projects/{NAME}?teamId=team_local").status_code == 404
