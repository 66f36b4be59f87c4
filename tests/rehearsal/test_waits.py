"""A step that does not end is given up, told, and looked for by the next run: nothing keeps an operation for ever."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from automation import limits, pulumi_command
from local.emulators.vercel.app import app
from local.rehearsal import command, dynamic, simulated
from local.rehearsal import engine as rehearsal
from local.rehearsal.provider import UncertainError
from tests.emulators.serving import Clock, context_in, serve
from tests.rehearsal.conftest import Bench

STACK, DEPLOYMENT = "urn:pulumi:s::p::", "vercel:index/deployment:Deployment::deployment"


class HalfWay(Clock):
    """Stands still half a minute after the first time that it is asked: a build of a minute never ends."""

    def __call__(self) -> datetime:
        told, self.now = self.now, datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
        return told


def test_a_deployment_that_stays_building_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated, "DEPLOYMENT_SECONDS", 0.2)
    context = replace(context_in(tmp_path), startup=60.0, clock=HalfWay())
    project = {"name": "s", "gitRepository": {"repo": "a/s"}}
    with serve(app, context) as url, closing(simulated.SimulatedProvider("vercel", url)) as provider:
        site, _ = provider.create(f"{STACK}vercel:index/project:Project::site", project)
        with pytest.raises(UncertainError) as refusal:
            provider.create(f"{STACK}{DEPLOYMENT}", {"projectId": site, "ref": "main"})
    assert " is still BUILDING after 0.2 s. Look at its log at Vercel" in str(refusal.value)


def test_a_command_that_does_not_end_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STEP_SECONDS", 0.5)
    bench.program("from pulumi_command import local\nlocal.Command('long', create='sleep 600')")
    bench.run("up", fails=True)
    assert bench.outcome.error == "running 'sleep 600': did not end within 0.5 s"


def test_a_create_that_does_not_end_is_given_up_and_made_by_the_next_up(
    either: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = either.things / "held"
    with monkeypatch.context() as short:
        # Not before the create has begun: what comes before may take its time.
        short.setattr(limits, "longest", lambda _: 1.0 if held.exists() else 3600.0)
        short.setattr(dynamic, "longest", lambda _: 5.0)
        short.setattr(dynamic, "STOP_SECONDS", 0.5)
        short.setattr(pulumi_command, "FIRST_PATIENCE", 0.5)
        either.program("Thing('a', hold=True)")
        either.run("up", fails=True)
    told = str(either.outcome.error)
    assert "a: no end within 1 s" in told or "the provider did not answer within 5 s" in told
    assert "un it again" in told
    (either.things / "release").touch()
    either.up("Thing('a')")
    assert [resource["id"] for resource in either.engine.resources()] == ["a-plain"]


def test_a_program_in_which_nothing_happens_is_killed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STEP_SECONDS", 1.5)
    monkeypatch.setattr(rehearsal, "LOOK", 0.1)
    bench.program("import time\ntime.sleep(600)")
    bench.run("up", fails=True)
    assert str(bench.outcome.error).startswith("the program: no end within 1.5 s; see ")
