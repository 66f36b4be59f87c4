"""The Automation API against Pulumi's own engine, on a program of one dynamic resource. Needs the `pulumi` command."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automation.drift import find_drift
from automation.pulumi_engine import PulumiEngine
from common.errors import OperatorError
from tests.automation.conftest import ROOT

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi command is not on PATH"),
]

PROVIDER = """
import os
import sys
from pathlib import Path
from pulumi.dynamic import CreateResult, ReadResult, ResourceProvider, UpdateResult

class ThingProvider(ResourceProvider):
    def configure(self, req):
        sys.tracebacklimit = 0
    def create(self, props):
        if props["size"] == "huge":
            raise ValueError("size 'huge' is not offered. Take less")
        if "GATE" in os.environ:
            with open(Path(os.environ["GATE"], "go")) as gate:
                gate.read()
        return CreateResult("thing-1", {**props, "ref": "abc", "key": "hush"})
    def update(self, id, olds, news):
        return UpdateResult({**news, "ref": "abc", "key": "hush"})
    def read(self, id, props):
        live = Path("live-size")
        if live.exists() and "hint" not in props:
            props = {**props, "size": live.read_text()}
        inputs = {key: props[key] for key in ("size", "hint", "__provider") if key in props}
        return ReadResult(id, props, inputs)
    def delete(self, id, props):
        pass
"""
PROGRAM = """
import pulumi
from pathlib import Path
from provider import ThingProvider
from pulumi.dynamic import Resource

class Thing(Resource, module="supabase", name="Thing"):
    ref: pulumi.Output[str]
    key: pulumi.Output[str]
    def __init__(self, name, size, hint=None):
        secret = pulumi.ResourceOptions(additional_secret_outputs=["key"])
        super().__init__(ThingProvider(), name, {"size": size, "hint": hint, "ref": None, "key": None}, secret)

thing = Thing("project", Path("size").read_text())
Thing("endpoints", "small", thing.ref)
pulumi.export("project_ref", thing.ref)
pulumi.export("secret_key", thing.key)
"""


@pytest.fixture
def project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (folder / "__main__.py").write_text(PROGRAM)
    (folder / "provider.py").write_text(PROVIDER)
    (folder / "size").write_text("small")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


@pytest.fixture(scope="module")
def command():
    from pulumi.automation import PulumiCommand

    return PulumiCommand()


@pytest.fixture
def engine(project: Path, command) -> PulumiEngine:
    return PulumiEngine(project, "acme", {"PATH": os.environ["PATH"]}, command, local=True)


def plan(outcome):
    assert outcome.error is None
    return [(step.operation, step.name, step.changed) for step in outcome.steps if step.operation != "refresh"]


def seen(changes):
    return [(change.resource, change.operation, change.properties) for change in changes]


def test_a_client_lives_and_the_committed_file_stays_as_it_is(project: Path, engine: PulumiEngine) -> None:
    committed = (project / "Pulumi.acme.yaml").read_text()
    with pytest.raises(OperatorError, match="has no stack yet"):
        engine.outputs()
    assert plan(engine.preview()) == [("create", "project", ()), ("create", "endpoints", ())]
    assert engine.resources() == []
    made = engine.up()
    assert plan(made) == [("create", "project", ()), ("create", "endpoints", ())]
    assert (dict(made.outputs), made.secret_outputs) == ({"project_ref": "abc", "secret_key": "hush"}, {"secret_key"})
    assert [step[0] for step in plan(engine.up())] == ["same", "same"]
    assert "hush" not in str(engine.resources())
    assert engine.resources(secrets=True)[0]["outputs"]["key"] == "hush"
    assert [step.operation for step in engine.destroy().steps if step.operation == "delete"] == ["delete", "delete"]
    assert engine.resources() == []
    assert (project / "Pulumi.acme.yaml").read_text() == committed


def test_program_and_hand_are_told_apart_and_unknowns_are_not_drift(project: Path, engine: PulumiEngine) -> None:
    assert engine.up().error is None
    assert find_drift("acme", engine).as_json()["hand"] == ()
    (project / "size").write_text("large")
    mine = find_drift("acme", engine)
    assert seen(mine.program) == [("project", "update", ("size",))]
    assert (mine.hand, mine.follows) == ((), ("endpoints",))
    (project / "live-size").write_text("tiny")
    both = find_drift("acme", engine)
    assert seen(both.program) == seen(both.hand) == [("project", "update", ("size",))]
    (project / "size").write_text("small")
    theirs = find_drift("acme", engine)
    assert theirs.program == ()
    assert seen(theirs.hand) == [("project", "update", ("size",))]


def test_a_failure_is_one_line_of_the_providers_own(project: Path, engine: PulumiEngine) -> None:
    (project / "size").write_text("huge")
    steps = []
    outcome = engine.up(on_step=steps.append)
    assert outcome.error == "ValueError: size 'huge' is not offered. Take less"
    assert [(step.name, step.status) for step in steps] == [("project", "running"), ("project", "failed")]


def open_gate(gate: Path, process: subprocess.Popen[str]) -> int:
    """The writing end of a pipe, once the provider reads from it; fails when the process ends before."""
    while process.poll() is None:
        try:
            return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def test_one_ctrl_c_saves_what_is_being_created_and_leaves_no_lock(project: Path, emulators, tmp_path_factory) -> None:
    gate, state = tmp_path_factory.mktemp("gate"), tmp_path_factory.mktemp("state")
    os.mkfifo(gate / "go")
    backend = {"PULUMI_BACKEND_URL": f"file://{state}", "PULUMI_CONFIG_PASSPHRASE": "made up"}
    environment = {**os.environ, **emulators.exports, **backend, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "automation", "up", "acme"],
        env={**environment, "GATE": str(gate)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    descriptor = open_gate(gate / "go", process)
    os.killpg(process.pid, signal.SIGINT)
    assert process.stderr is not None
    assert "Stopping: what is running ends first" in process.stderr.readline() + process.stderr.readline()
    os.close(descriptor)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Traceback" not in said
    assert not list(state.glob(".pulumi/locks/**/*.json"))
    from pulumi.automation import PulumiCommand

    engine = PulumiEngine(project, "acme", environment, PulumiCommand(), local=False)
    assert [resource["id"] for resource in engine.resources()][:1] == ["thing-1"]
    assert plan(engine.up())[0] == ("same", "project", ())
