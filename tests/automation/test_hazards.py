"""What an operator can break on this machine is one line with what to do, by every verb, under both engines."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from automation import local
from automation.cli import app
from tests.automation.conftest import ROOT
from tests.automation.local_client import PULUMI
from tests.automation.test_pulumi_engine import PROGRAM, PROVIDER

VERBS = ("status", "outputs", "preview", "drift", "up", "rotate", "doctor", "destroy --yes")
SHORT = ("status", "preview", "up", "destroy --yes")
UNEXPECTED = re.compile(r"unexpected [A-Z]\w+\.")
Break = Callable[[Path], object]


@pytest.fixture(params=["rehearsal", PULUMI])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def project(engine: str, folder: Path, emulators, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client acme, whose program has two resources, over the emulators of this test process."""
    (folder / "Pulumi.nordwind.yaml").unlink()
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "provider.py").write_text(PROVIDER)
    (folder / "size").write_text("small")
    for name in (".venv", "components", "sql"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".local/emulators").mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": emulators.exports, "services": emulators.urls}
    (folder / ".local/emulators/ready.json").write_text(json.dumps(ready))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if engine == "rehearsal":
        (folder / ".local/rehearsal").mkdir()
        (folder / ".local/rehearsal/other.json").write_text("{}")
        folders = [name for name in os.environ["PATH"].split(os.pathsep) if not shutil.which("pulumi", path=name)]
        monkeypatch.setenv("PATH", os.pathsep.join(folders))
    return folder


def state_of(root: Path, engine: str) -> Path:
    """The file that holds acme's state, which is made first under Pulumi's engine."""
    if engine == "rehearsal":
        return root / ".local/rehearsal/acme.json"
    run("up")
    (found,) = (root / ".local/pulumi/state/.pulumi/stacks").rglob("acme.json")
    return found


def run(verb: str) -> dict[str, Any]:
    words = verb.split()
    result = CliRunner().invoke(app, [words[0], "acme", "--local", "--json", *words[1:]])
    content: dict[str, Any] = json.loads(result.stdout)
    content["exit_code"] = result.exit_code
    return content


def told(content: dict[str, Any]) -> str:
    """Everything that a run says about what failed."""
    return " ".join(str(each.get("error") or "") for each in (content, *content["clients"])).strip()


def write(path: str, content: str) -> Break:
    def damage(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)

    return damage


def in_the_way(path: str) -> Break:
    """A file where a folder has to be."""

    def damage(root: Path) -> None:
        shutil.rmtree(root / path, ignore_errors=True)
        (root / path).write_text("in the way")

    return damage


def a_folder(path: str) -> Break:
    """A folder where a file has to be."""

    def damage(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).mkdir(parents=True)

    return damage


def dangling(path: str) -> Break:
    def damage(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to("nowhere")

    return damage


DEEP = "config:\n  a: " + "[" * 3000
BROKEN: dict[str, Break] = {
    "client's file without config": write("Pulumi.acme.yaml", "encryptionsalt: v1:abc\n"),
    "client's file a list": write("Pulumi.acme.yaml", "- config\n"),
    "client's file deeply nested": write("Pulumi.acme.yaml", DEEP),
    "client's file a folder": a_folder("Pulumi.acme.yaml"),
    "client's file a dangling link": dangling("Pulumi.acme.yaml"),
    "Pulumi.yaml no YAML": write("Pulumi.yaml", "name: [\n"),
    "Pulumi.yaml a list": write("Pulumi.yaml", "- name\n"),
    "Pulumi.yaml without a runtime": write("Pulumi.yaml", "name: client-environments\n"),
    "environment's file no YAML": write("Pulumi.local.yaml", "config: [\n"),
    "environment's file a folder": a_folder("Pulumi.local.yaml"),
    ".local a file": in_the_way(".local"),
    "ready.json empty": write(".local/emulators/ready.json", "{}"),
    "ready.json a list": write(".local/emulators/ready.json", "[]"),
    "ready.json of other types": write(".local/emulators/ready.json", '{"pid": "x", "services": [], "exports": 3}'),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_before_the_first_run_is_one_line(
    project: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where the emulators would have to be started, that fails too.
    refused = subprocess.CompletedProcess([], 1, "", "emulators: the database does not start\n")
    monkeypatch.setattr(local, "run_to_end", lambda *_, **__: refused)
    BROKEN[name](project)
    for verb in VERBS if "client" in name else SHORT:
        content = run(verb)
        assert not UNEXPECTED.search(told(content)), verb
        assert content["exit_code"] == 2 or not told(content), verb


DAMAGED = {"empty": "", "no JSON": "{", "a list": "[]", "an object": "{}", "deeply nested": "[" * 100_000}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_state_is_one_line(project: Path, engine: str, name: str) -> None:
    path = state_of(project, engine)
    path.write_text(DAMAGED[name])
    for verb in VERBS:
        if name == "an object" and verb in {"outputs", "preview", "drift"}:
            continue  # to Pulumi's engine an empty state; what changes anything looks closer
        content = run(verb)
        assert content["exit_code"] == 2, verb
        assert not UNEXPECTED.search(told(content)), verb
        assert [each["client_id"] for each in content["clients"]] == ["acme"], verb
        assert "Restore it" in told(content), verb
    assert path.read_text() == DAMAGED[name]
