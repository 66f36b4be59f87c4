"""`pulumi up` without the command line, as docs/bare-pulumi.md says it; collisions; what a state has lost."""

import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.automation.local_client import LINKS
from tests.conftest import Local
from tests.emulators.native import ENGINE, ROOT

pytestmark = ENGINE
PAGE = ROOT / "docs/bare-pulumi.md"
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".local", "__pycache__", ".*_cache")
NOT_FOUND = {"method": "GET", "times": 100_000, "status": 404}
GITHUB_BLIND = {**NOT_FOUND, "path": ".*/repos/.*", "body": '{"message": "Not Found"}'}
VERCEL_BLIND = {**NOT_FOUND, "path": r"/v\d+/projects/.*", "body": '{"error": {"code": "not_found", "message": "no"}}'}


def commands(section: str) -> list[str]:
    """The blocks of commands of a section of the page."""
    text = PAGE.read_text().split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"```bash\n(.*?)```", text, re.DOTALL)


def tree(text: str) -> set[tuple[int, str, str]]:
    """Depth, type and name of the resources in what `pulumi stack` prints; plugins and starter files left out."""
    block = textwrap.dedent(text.partition("\n")[2].partition("\n\n")[0])
    drawn = re.findall(r"^([│├└─ ]*)(\S+:\S+) +(\S+)$", block, re.MULTILINE)
    found = {(len(branch) // 3, kind, name) for branch, kind, name in drawn}
    return {each for each in found if not each[1].startswith("pulumi:providers:") and "starter/" not in each[2]}


def pulumi_home(folder: Path) -> Path:
    """A home of Pulumi's own, so that no login is left behind; plugins that are there are used."""
    home, plugins = folder / "pulumi-home", Path(os.environ.get("PULUMI_HOME", Path.home() / ".pulumi")) / "plugins"
    home.mkdir()
    plugins.mkdir(parents=True, exist_ok=True)
    (home / "plugins").symlink_to(plugins)
    return home


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without anything that leads to a stack, an account or an emulator."""
    led = re.compile(r"PULUMI_|CLIENT_ENV|SUPABASE_|GITHUB_|VERCEL_|HTTPS?_PROXY|SSL_CERT_FILE", re.IGNORECASE)
    kept = {name: value for name, value in os.environ.items() if not led.match(name)}
    return {**kept, "PULUMI_SKIP_UPDATE_CHECK": "true", **more}


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    """A fresh copy of the repository, whose emulators are stopped at the end."""
    tmp_path.chmod(0o755)
    copied = tmp_path / "copy"
    shutil.copytree(ROOT, copied, ignore=LEFT_OUT)
    (copied / ".venv").symlink_to(ROOT / ".venv")
    if (ROOT / ".local/tools").exists():
        (copied / ".local").mkdir()
        (copied / ".local/tools").symlink_to(ROOT / ".local/tools")
    yield copied
    stop = [".venv/bin/python", "-m", "local.emulators", "stop"]
    subprocess.run(stop, cwd=copied, capture_output=True, check=True)


def test_the_page_s_commands_create_a_client_change_nothing_more_and_delete_it(copy: Path, tmp_path: Path) -> None:
    created, deleted = commands("On this machine, against the emulators")
    environment = clean_environment(PULUMI_HOME=str(pulumi_home(tmp_path)))
    # Each block goes on in the shell of the one before.
    marked = f"{created}\necho ==== && pulumi stack && {{\n{deleted}\n}}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", marked],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    came_up, _, went = done.stdout.partition("====\n")
    assert re.findall(r"Resources:\n    \+ (\d+) created", came_up) != []
    assert len(re.findall(r"Resources:\n    \d+ unchanged", came_up)) >= 3
    assert re.findall(r".*\[diff:.*", came_up.partition("created\n")[2]) == []
    assert re.search(r"project_ref +[a-z]{20}\b", went)
    assert tree(went.partition("TYPE")[2]) == tree(PAGE.read_text().partition("\nTYPE")[2])
    assert re.search(r"Resources:\n    - \d+ deleted", went)
    assert (copy / "Pulumi.nordwind.yaml").exists()


@dataclass
class Bare:
    """One client's stack under the `pulumi` command alone, over the emulators of this test process."""

    root: Path
    emulators: Local
    environment: dict[str, str]
    name: str = "bare"
    project: str = "client-bare-local"

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = ["pulumi", "--non-interactive", "--color=never", *words, "--stack", self.name]
        return subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)

    def __call__(self, *words: str) -> str:
        """Standard output of a command that has to succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self, *words: str) -> str:
        return self("up", "--yes", "--skip-preview", *words)

    def refused(self) -> str:
        """The one error of a preview that has to fail."""
        done = self.run("preview")
        assert done.returncode != 0
        (said,) = set(re.findall(rf"error: ({self.name}: .*)", done.stdout + done.stderr))
        return said

    def github(self, method: str, path: str, **body: Any) -> Any:
        return self._ask(method, f"{self.emulators.urls['github']}/api/v3{path}", "GITHUB_TOKEN", body)

    def vercel(self, method: str, path: str, **body: Any) -> Any:
        return self._ask(method, f"{self.emulators.urls['vercel']}{path}", "VERCEL_API_TOKEN", body)

    def _ask(self, method: str, url: str, token: str, body: dict[str, Any]) -> Any:
        headers = {"Authorization": f"Bearer {self.emulators.exports[token]}"}
        answer = self.emulators.http.request(method, url, headers=headers, json=body or None)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @property
    def repository(self) -> str:
        """Path of the repository in GitHub's API."""
        return f"/repos/{self.emulators.exports['GITHUB_OWNER']}/{self.project}"


@pytest.fixture
def bare(emulators: Local, tmp_path: Path) -> Iterator[Bare]:
    """A client whose services are emptied of its name at the end."""
    for name in LINKS:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Pulumi.local.yaml", tmp_path)
    text = (ROOT / "Pulumi.acme.yaml").read_text().replace("acme", "bare")
    (tmp_path / "Pulumi.bare.yaml").write_text(f"{text}  github:writeDelayMs: 1\n")
    (tmp_path / "state").mkdir()
    backend = {"PULUMI_BACKEND_URL": (tmp_path / "state").as_uri(), "PULUMI_CONFIG_PASSPHRASE": "made up"}
    environment = clean_environment(**emulators.exports, **backend, CLIENT_ENVIRONMENT="local")
    stack = Bare(tmp_path, emulators, environment)
    stack("stack", "init")
    yield stack
    for url in emulators.urls.values():
        emulators.http.delete(f"{url}/_emulator/faults")
    stack("destroy", "--yes", "--skip-preview")


def counts(said: str) -> dict[str, int]:
    """What became of the resources, from the summary of an update."""
    summary = said.rpartition("Resources:\n")[2]
    return {what: int(number) for number, what in re.findall(r"(\d+) (\w+)", summary.partition("\n\n")[0])}


def test_a_repository_of_that_name_is_refused_in_one_line_before_anything_is_created(bare: Bare) -> None:
    owner = bare.emulators.exports["GITHUB_OWNER"]
    bare.github("POST", f"/orgs/{owner}/repos", name=bare.project, private=True)
    said = bare.refused()
    assert said.startswith(f"bare: {bare.project} exists already at GitHub. Nothing proves")
    assert "choose another projectName" in said
    assert bare.run("up", "--yes", "--skip-preview").returncode != 0
    assert counts(bare("destroy", "--yes", "--skip-preview")).keys() <= {"deleted"}
    assert bare.github("GET", bare.repository)["name"] == bare.project
    bare.github("DELETE", bare.repository)


def test_a_site_of_that_name_is_refused_in_one_line_before_anything_is_created(bare: Bare) -> None:
    bare.vercel("POST", "/v10/projects", name=bare.project)
    said = bare.refused()
    assert said.startswith(f"bare: {bare.project} exists already at Vercel. Nothing proves")
    assert "choose another projectName" in said
    bare.vercel("DELETE", f"/v9/projects/{bare.project}")


def test_a_supabase_project_of_that_name_is_refused_with_what_to_do(bare: Bare) -> None:
    body = {"name": bare.project, "organization_slug": "local-agency", "db_pass": "somebody-s", "region": "eu-west-2"}
    ref = bare.emulators.supabase("POST", "/v1/projects", json=body).raise_for_status().json()["ref"]
    done = bare.run("up", "--yes", "--skip-preview")
    assert done.returncode != 0
    (said,) = set(re.findall(r"error: (?:OperatorError: )?(.*SUPABASE_DB_PASSWORD.*)", done.stdout))
    assert bare.project in said
    assert "adopt: true" in said
    assert "Traceback" not in done.stdout
    bare.emulators.supabase("DELETE", f"/v1/projects/{ref}").raise_for_status()


@pytest.mark.long
@pytest.mark.parametrize(("service", "fault"), [("github", GITHUB_BLIND), ("vercel", VERCEL_BLIND)])
def test_what_a_blind_refresh_dropped_is_taken_up_again_as_it_is_there(
    bare: Bare, service: str, fault: dict[str, Any]
) -> None:
    bare.up()
    before = (bare.github("GET", bare.repository), bare.vercel("GET", f"/v9/projects/{bare.project}"))
    file = bare.github("GET", f"{bare.repository}/contents/README.md")
    mine = {"message": "ours", "content": "b3Vycw==", "sha": file["sha"]}
    bare.github("PUT", f"{bare.repository}/contents/README.md", **mine)
    url = f"{bare.emulators.urls[service]}/_emulator/faults"
    bare.emulators.http.post(url, json=fault).raise_for_status()
    assert counts(bare("refresh", "--yes", "--skip-preview"))["deleted"] >= 5
    bare.emulators.http.delete(url).raise_for_status()

    assert counts(bare.up())["imported"] >= 5
    bare.up()  # brings in line what an import leaves as it was
    assert counts(bare.up()).keys() == {"unchanged"}
    bare("preview", "--refresh", "--run-program", "--expect-no-changes")
    after = (bare.github("GET", bare.repository), bare.vercel("GET", f"/v9/projects/{bare.project}"))
    assert [each["id"] for each in after] == [each["id"] for each in before]
    assert bare.github("GET", f"{bare.repository}/contents/README.md")["content"].strip() == "b3Vycw=="
