"""An agency of two clients in a folder of its own, and engines that remember what was asked of them."""

import json
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from automation import runner
from automation.cli import app
from automation.engine import OnStep, Outcome, Step
from automation.local import LOCAL_PASSPHRASE
from common.errors import OperatorError
from components.settings import ClientSettings, load_settings
from local.rehearsal.state import Snapshot, StateFile
from local.rehearsal.vault import PASSPHRASE
from tests.automation.local_client import make_client  # noqa: F401

ROOT = Path(__file__).parents[2]
PREFIX = "urn:pulumi:{}::client-environments::client-environments:index:ClientEnvironment${}::{}"
"""A URN as programs without steps wrote it; old states hold them."""
TYPES = {
    "db-password": "random:index/randomPassword:RandomPassword",
    "project": "pulumi-python:dynamic/supabase:Project",
    "endpoints": "pulumi-python:dynamic/supabase:Endpoints",
    "schema": "pulumi-python:dynamic/schema:Schema",
    "isolation-check": "command:local:Command",
    "repository": "github:index/repository:Repository",
    "site": "vercel:index/project:Project",
    "workflows": "pulumi-python:dynamic/n8n:Workflow",
}


HOLDERS = {
    **dict.fromkeys(("db-password", "project", "endpoints"), "Supabase"),
    **dict.fromkeys(("schema", "isolation-check"), "Database"),
    "repository": "GitHub",
    "site": "Vercel",
    "workflows": "N8n",
}


def step(name: str, operation: str = "create", client: str = "acme", **more: Any) -> Step:
    """A step of a resource of the client environment."""
    kind = f"client-environments:index:{HOLDERS[name]}${TYPES[name]}"
    return Step(PREFIX.format(client, kind, name), operation, **more)


def keep_rehearsal(folder: Path) -> None:
    """Let the rehearsal engine stand in without asking the installer's site, as a state of another client does."""
    states = folder / ".local/rehearsal"
    states.mkdir(parents=True)
    StateFile(states, "other", {PASSPHRASE: LOCAL_PASSPHRASE}).save(Snapshot())


@dataclass
class FakeEngine:
    """Gives the prepared outcomes and notes the calls; `raises` stands for an operation that cannot start."""

    steps: tuple[Step, ...] = ()
    refreshed: tuple[Step, ...] | None = None
    error: str | None = None
    raises: str | None = None
    state: list[dict[str, Any]] = field(default_factory=list)
    values: Mapping[str, Any] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    said: tuple[str, ...] = ()
    name: str = "rehearsal"

    def _outcome(self, call: str, steps: tuple[Step, ...], on_step: OnStep | None) -> Outcome:
        self.calls.append(call)
        if self.raises:
            raise OperatorError(self.raises)
        for each in steps:
            if on_step:
                on_step(replace(each, status="running"))
                on_step(each)
        secret = frozenset({"secret_key"} & set(self.values))
        return Outcome(steps, self.said, self.values, secret, seconds=1.5, error=self.error)

    def preview(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        steps = self.refreshed if refresh and self.refreshed is not None else self.steps
        return self._outcome("preview --refresh" if refresh else "preview", steps, on_step)

    def up(self, *, refresh: bool = False, gone: Collection[str] = (), on_step: OnStep | None = None) -> Outcome:
        return self._outcome("up --refresh" if refresh else "up", self.steps, on_step)

    def refresh(self, *, on_step: OnStep | None = None) -> Outcome:
        return self._outcome("refresh", self.steps, on_step)

    def destroy(self, *, on_step: OnStep | None = None) -> Outcome:
        return self._outcome("destroy", self.steps, on_step)

    def outputs(self) -> Outcome:
        return self._outcome("outputs", (), None)

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        return self.state


ORPHANS: Mapping[str, list[Any]] = {"found": [], "unknown": []}
"""What the services hold of no stack."""
REMAINING: Mapping[str, list[str]] = {"deleted": [], "left": []}
"""What the services hold of a client beside its state."""


@dataclass(frozen=True)
class FakeWorkspace:
    """Clients' engines by name."""

    engines: Mapping[str, FakeEngine]
    root: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    engine_name: str = "rehearsal"
    pulumi: None = None
    local: bool = False
    refusal: str = ""

    def engine(self, client: str, *, leaving: bool = False) -> FakeEngine:
        return self.engines[client]

    def settings(self, client: str) -> ClientSettings:
        return load_settings(client, self.root, None, {"SUPABASE_ORG_SLUG": "agency"})

    def stacks(self) -> list[str]:
        return [name for name, engine in self.engines.items() if engine.state]

    def state_of(self, stack: str) -> list[dict[str, Any]]:
        return self.engines[stack].state

    def orphans(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {name: list(lines) for name, lines in ORPHANS.items()}

    def remains(self, identity: Any, *, delete: bool) -> Mapping[str, list[str]]:
        return REMAINING

    def diagnose(self, client: str, resources: Any) -> list[dict[str, str]]:
        failed = {"name": "GitHub plan", "says": self.refusal, "state": "failed", "remedy": ""}
        place = {"name": "Supabase project", "says": f"{client} is new", "state": "ok", "remedy": ""}
        return [failed] if self.refusal else [place]


@dataclass(frozen=True)
class Agency:
    """The folder, the engines, and the command line over them."""

    root: Path
    engines: dict[str, FakeEngine]
    opened: list[str]

    def run(self, *words: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(app, words, input=answer)

    def json(self, *words: str) -> tuple[int, dict[str, Any]]:
        result = self.run(*words, "--json")
        content: dict[str, Any] = json.loads(result.stdout)
        return result.exit_code, content


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the project's files and the clients acme and nordwind; the current folder."""
    for name in ("Pulumi.yaml", "Pulumi.prod.yaml", "Pulumi.local.yaml", "Pulumi.acme.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    text = (tmp_path / "Pulumi.acme.yaml").read_text()
    (tmp_path / "Pulumi.nordwind.yaml").write_text(text.replace("acme", "nordwind").replace("Acme", "Nordwind"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def agency(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Agency:
    """The command line with fake engines for both clients."""
    engines, opened = {"acme": FakeEngine(), "nordwind": FakeEngine()}, []
    secret = {"GITHUB_TOKEN": "ghp_" + "abcdefgh" * 4, "SUPABASE_ORG_SLUG": "agency"}

    def open_fake(root: Path, **options: Any) -> FakeWorkspace:
        opened.append(str(options))
        return FakeWorkspace(engines, root, secret)

    monkeypatch.setattr(runner, "open_workspace", open_fake)
    return Agency(folder, engines, opened)


@pytest.fixture
def make_step() -> Callable[..., Step]:
    """Makes a step of a resource by its logical name."""
    return step
