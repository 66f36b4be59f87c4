"""One client in local mode over the emulators of this test process, with the engine rehearsed or with Pulumi's."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from automation import installer
from automation.cli import app
from automation.workspace import open_engine
from components.urn import name_of
from tests.layout import PROGRAM

ROOT = Path(__file__).parents[2]
LINKS = (*PROGRAM, "local", ".venv")
NO_INSTALLER = "http://127.0.0.1:9/install.sh"
HAS_PULUMI = shutil.which("pulumi") is not None
MakeClient = Callable[[str], "Client"]


@dataclass
class Client:
    """One client in local mode, over the emulators of this test process."""

    name: str
    root: Path
    emulators: Any
    local: bool = True

    @property
    def project_name(self) -> str:
        """Name of the project, the repository and the site."""
        return f"client-{self.name}-local"

    @property
    def flags(self) -> list[str]:
        """Options that every verb takes for this client."""
        return ["--local"] if self.local else []

    def __call__(self, verb: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a verb; the exit code and what the JSON object says about the client."""
        result = CliRunner().invoke(app, [verb, self.name, *self.flags, "--json", *words])
        return result.exit_code, json.loads(result.stdout)["clients"][0]

    def bring_up(self) -> None:
        """Create it by the engine alone, for tests that begin with a client; what `up` asks before is not theirs."""
        assert open_engine(self.name, local=self.local, root=self.root).up().error is None

    def state(self) -> dict[str, Any]:
        """Name -> resource, with its secrets in clear."""
        return self._resources(secrets=True)

    def secrets(self) -> list[tuple[str, str]]:
        """Every value that the state encrypts, and where it stands there."""
        clear, masked = self.state(), self._resources(secrets=False)
        return [place for name in masked for place in _hidden(clear[name]["outputs"], masked[name]["outputs"], name)]

    def _resources(self, *, secrets: bool) -> dict[str, Any]:
        resources = open_engine(self.name, local=self.local, root=self.root).resources(secrets=secrets)
        return {name_of(resource["urn"]): resource for resource in resources}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        state = self.state()
        dsn, password = state["schema"]["outputs"]["dsn"], state["db-password"]["outputs"]["result"]
        with psycopg.connect(dsn, password=password, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def projects(self) -> list[str]:
        # Other tests of this process leave more projects than a page holds.
        route = f"/v1/organizations/{self.emulators.exports['SUPABASE_ORG_SLUG']}/projects?search={self.project_name}"
        projects = self.emulators.supabase("GET", route).json()["projects"]
        return [project["name"] for project in projects if project["name"] == self.project_name]


def _hidden(clear: Any, masked: Any, path: str) -> Iterator[tuple[str, str]]:
    if masked == "[secret]":
        yield path, clear if isinstance(clear, str) else json.dumps(clear)
    elif isinstance(masked, dict):
        for name, part in masked.items():
            yield from _hidden(clear[name], part, f"{path}.{name}")
    elif isinstance(masked, list):
        for index, part in enumerate(masked):
            yield from _hidden(clear[index], part, f"{path}[{index}]")


PULUMI = pytest.param(
    "pulumi",
    marks=[pytest.mark.engine, pytest.mark.skipif(not HAS_PULUMI, reason="the pulumi command is not on PATH")],
)


@pytest.fixture(params=["rehearsal", PULUMI])
def make_client(request, emulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Makes a client in a folder of its own; in rehearsal Pulumi's engine, should there be one, is out of sight."""
    for name in LINKS:
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("Pulumi.prod.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".local/emulators").mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": emulators.exports, "services": emulators.urls}
    (tmp_path / ".local/emulators/ready.json").write_text(json.dumps(ready))
    if request.param == "rehearsal":
        folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder, "pulumi").exists()]
        monkeypatch.setenv("PATH", os.pathsep.join(folders))
        monkeypatch.setattr(installer, "SITE", NO_INSTALLER)
    monkeypatch.chdir(tmp_path)

    def make(name: str) -> Client:
        name = f"{name}-{request.param}"
        text = (ROOT / "Pulumi.acme.yaml").read_text().replace("acme", name)
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
        return Client(name, tmp_path, emulators)

    return make
