"""Repository and site through Pulumi's own engine and the real plugins, against the emulators. Needs `pulumi`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import Local

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi command is not on PATH"),
]
NAME = "client-native-local"
PROGRAM = """
import os
from dataclasses import replace
from pathlib import Path
import pulumi
import pulumi_github as github
from components import repository, site
from tests.wiring import SETTINGS

# Two files instead of all: the provider takes a second for each.
repository.STARTER = Path("starter")
options = {key.removeprefix("SET_"): value for key, value in os.environ.items() if key.startswith("SET_")}
archive = options.pop("archive_on_destroy", "") == "yes"
settings = replace(SETTINGS, project_name="%s", protect=False, archive_on_destroy=archive, **options)
parent = pulumi.ComponentResource("test:index:Client", "client")
made = repository.declare_repository(settings, api_url="https://x.example", publishable_key="p", parent=parent)
site.declare_site(
    settings, repository_full_name=made.full_name, repository_content=made.content, api_url="https://x.example",
    publishable_key="p", secret_key=pulumi.Output.secret("made-up-secret"), parent=parent,
)
if archive:
    # Not part of a client, but of what the emulator offers.
    inside = pulumi.ResourceOptions(depends_on=made.content)
    github.ActionsSecret("secret", repository="%s", secret_name="A", value="made-up-secret", opts=inside)
    github.RepositoryEnvironment("production", repository="%s", environment="production", wait_timer=5, opts=inside)
"""


class Stack:
    """The trial stack: the `pulumi` command on it, and both services' APIs to look and to meddle."""

    def __init__(self, folder: Path, local: Local) -> None:
        self.folder, self.local = folder, local
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": "client-environments", "runtime": runtime}))
        (folder / "__main__.py").write_text(PROGRAM.replace("%s", NAME))
        (folder / "starter").mkdir()
        (folder / "starter/README.md").write_text("# Site\n")
        (folder / "starter/vercel.json").write_text("{}\n")
        self("stack", "init", "native")

    def __call__(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, **self.local.exports, "PYTHONPATH": str(ROOT), "PULUMI_CONFIG_PASSPHRASE": "test"}
        environment |= {"PULUMI_BACKEND_URL": self.folder.as_uri(), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        environment |= {f"SET_{key}": value for key, value in settings.items()}
        command = ["pulumi", *arguments, "--non-interactive", "--color=never"]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def up(self, **settings: str) -> None:
        self("up", "--yes", "--skip-preview", "--refresh", "--run-program", **settings)

    def plan(self, **settings: str) -> dict[str, str]:
        """What a preview with refresh would do, by name; steps that change nothing left out."""
        shown = json.loads(self("preview", "--json", "--refresh", "--run-program", **settings).stdout)
        steps = {step["urn"].split("::")[-1]: step["op"] for step in shown["steps"]}
        return {name: operation for name, operation in steps.items() if operation not in ("same", "refresh")}

    def api(self, service: str, method: str, path: str, **body: Any) -> httpx.Response:
        token = self.local.exports["GITHUB_TOKEN" if service == "github" else "VERCEL_API_TOKEN"]
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.local.urls[service]}{path}"
        return httpx.request(method, url, headers=headers, json=body or None, trust_env=False)


@pytest.fixture
def stack(tmp_path: Path, emulators: Local) -> Stack:
    return Stack(tmp_path, emulators)


def test_repository_and_site_live_drift_are_repaired_and_die(stack: Stack) -> None:
    repository, project = f"/repos/{stack.local.exports['GITHUB_OWNER']}/{NAME}", f"/v9/projects/{NAME}"
    stack.up()
    assert stack.plan() == {}
    assert "made-up-secret" not in stack("stack", "export").stdout

    assert stack.plan(client_name="Acme Two") == {"repository": "update", "site-client-name": "update"}
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


def test_a_repository_from_a_template_is_archived_with_its_files(stack: Stack) -> None:
    owner = stack.local.exports["GITHUB_OWNER"]
    stack.api("github", "POST", f"/orgs/{owner}/repos", name="base", is_template=True, auto_init=True)
    stack.api("github", "POST", f"/repos/{owner}/base/branches/main/rename", new_name="trunk")
    settings = {"repository_template": f"{owner}/base", "archive_on_destroy": "yes", "vercel_team": "team_local"}
    stack.up(**settings)
    assert stack.plan(**settings) == {}
    assert stack.plan(**{**settings, "repository_template": f"{owner}/other"}) == {}

    stack("destroy", "--yes", "--skip-preview")
    kept = stack.api("github", "GET", f"/repos/{owner}/{NAME}").json()
    assert (kept["archived"], kept["default_branch"]) == (True, "main")
    assert stack.api("github", "GET", f"/repos/{owner}/{NAME}/contents/README.md").status_code == 200
    stack.api("github", "DELETE", f"/repos/{owner}/{NAME}")
