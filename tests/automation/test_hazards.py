"""What an operator can break on this machine is one line with what to do, by every verb, under both engines."""

import errno
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from pulumi.automation import CommandError, CommandResult
from typer.testing import CliRunner

from automation import cli, local, pulumi_engine
from automation.cli import app
from common.errors import OperatorError
from components import dynamic
from local.emulators.server import _remembered_ports
from local.emulators.store import Store
from tests.automation.conftest import ROOT, keep_rehearsal
from tests.automation.local_client import PULUMI
from tests.automation.test_pulumi_engine import PROGRAM, PROVIDER
from tests.layout import LIBRARIES

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
    for name in (".venv", "components", *LIBRARIES, "sql"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".local/emulators").mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": emulators.exports, "services": emulators.urls}
    (folder / ".local/emulators/ready.json").write_text(json.dumps(ready))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    if engine == "rehearsal":
        keep_rehearsal(folder)
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("engine", ["rehearsal"], indirect=True)
def test_a_disk_that_is_full_when_the_state_is_written_ends_an_up_that_the_next_one_finishes(project: Path) -> None:
    partial = project / ".local/rehearsal/acme.new"
    partial.symlink_to("/dev/full")
    content = run("up")
    assert content["exit_code"] == 2
    assert "acme.json: cannot be written: No space left on device. Make room for it" in told(content)
    partial.unlink()
    assert run("up")["clients"][0]["error"] is None


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
@pytest.mark.parametrize("report", ["no/such/folder/report.md", ".", "Pulumi.yaml/report.md"])
def test_a_report_that_cannot_be_written_is_said_before_a_client_is_looked_at(
    agency, report: str, words: tuple[str, ...]
) -> None:
    result = agency.run("drift", "acme", "--markdown", report, *words)
    assert result.exit_code == 2
    assert report in result.stderr
    assert not UNEXPECTED.search(result.output)
    assert agency.engines["acme"].calls == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_report_that_a_full_disk_does_not_take_costs_nothing_of_what_was_found(agency) -> None:
    code, content = agency.json("drift", "acme", "--markdown", "/dev/full")
    assert code == 2
    assert str(content["error"]).startswith("this machine: No space left on device. Free some space")
    assert content["clients"][0]["client_id"] == "acme"
    assert content["clients"][0]["error"] is None


def test_ctrl_c_at_a_question_changes_nothing(agency, monkeypatch: pytest.MonkeyPatch, make_step) -> None:
    agency.engines["acme"].state = [
        {"urn": make_step("project").urn, "type": "project", "id": "1", "protect": False, "outputs": {}}
    ]

    def interrupted(*_: object, **__: object) -> str:
        raise typer.Abort

    monkeypatch.setattr(cli, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    monkeypatch.setattr(cli.typer, "prompt", interrupted)
    result = agency.run("destroy", "acme")
    assert result.exit_code == 2
    assert "destroy: not confirmed. Nothing was changed." in result.stderr
    assert agency.engines["acme"].calls == []


@pytest.mark.parametrize("file", ["documents.sqlite", "ports.json"])
def test_damaged_files_of_the_emulators_are_one_line_or_no_obstacle(tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_text("damaged " * 100)
    if file == "ports.json":
        assert _remembered_ports(tmp_path / file) == {}
        return
    with pytest.raises(RuntimeError, match=r"documents\.sqlite: file is not a database. Delete .* to begin anew"):
        Store(tmp_path / file)


def test_a_log_that_cannot_be_written_keeps_no_provider_from_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".local").write_text("in the way")
    monkeypatch.setattr(dynamic, "LOG", logging.getLogger("a logger of its own"))
    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(sys, "tracebacklimit", None, raising=False)
    Broken().configure(None)  # type: ignore[arg-type]
    with pytest.raises(OperatorError, match=r"Its traceback is lost: \.local/log/provider\.log cannot be written"):
        Broken().create({})


def test_an_error_of_the_system_in_a_provider_says_what_to_do() -> None:
    with pytest.raises(OperatorError, match=r"a/path: No space left on device\. Free some space"):
        Broken().update("", {}, {})


class Broken(dynamic.Provider):
    """Fails as nobody foresaw, and as the system does."""

    @dynamic.operation
    def create(self, props: dict[str, Any]) -> Any:
        raise ZeroDivisionError

    @dynamic.operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/path")


FULL_DISK = (
    "error: 2 errors occurred:\n\t1) blob (code=Unknown): write /s/acme.json.tmp: no space left on device\n\t2) Unknown"
)


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (FULL_DISK, "/s/acme.json.tmp: no space left on device. Free some space and run it again"),
        ("error: open /s/acme.json: permission denied", "/s/acme.json: permission denied. Make it writable"),
        # Seen: the lock that a full disk left, once there is space again.
        ("error: unexpected end of JSON input", "acme: a file of the state backend is cut off. A full disk leaves"),
        (
            "error: failed to load checkpoint: place 1: invalid",
            "acme: failed to load checkpoint: place 1: invalid. Resto",
        ),
        ("error: policy: permission denied for table x", "acme: policy: permission denied for table x"),
    ],
)
def test_what_a_full_disk_does_to_pulumis_own_state_says_what_to_do(stderr: str, expected: str) -> None:
    error = CommandError(CommandResult("", stderr, 255))
    assert str(pulumi_engine._refusal(error, "acme")).startswith(expected)
