"""Rehearsal of a Pulumi stack, where Pulumi cannot be had: the same program, real dynamic providers, no accounts.

One operation runs the program in a process of its own, against a resource monitor of ours, with the real server of the
dynamic providers beside it. Commands and passwords are real too; GitHub and Vercel resources are simulated.
"""

import json
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.engine import OnStep, Outcome
from automation.interrupt import deferred, requested
from automation.losses import plan_first
from common.errors import OperatorError
from components.urn import name_of, type_of
from local.rehearsal.deletion import refresh_all
from local.rehearsal.deployment import Deployment
from local.rehearsal.forking import Program, Started, start
from local.rehearsal.journal import Journal, Stopped
from local.rehearsal.monitor import PARALLEL, Log, Monitor, serving
from local.rehearsal.project import Project, read_project
from local.rehearsal.providers import Providers, require_loopback
from local.rehearsal.state import Snapshot, StateFile
from local.rehearsal.values import has_secret, masked, plain

LANGUAGE = Path(__file__).with_name("language.py")
PACKAGES = ("pulumi", "pulumi_github", "pulumiverse_vercel", "pulumi_random", "pulumi_command", "ruamel.yaml")
ORGANIZATION = "organization"
LOOK = 1.0  # seconds between two looks at whether anything happens


@dataclass
class _Operation:
    """The parts of one running operation."""

    project: Project
    journal: Journal
    deployment: Deployment
    monitor: Monitor
    providers: Providers
    log: Log
    address: str


class Rehearsal:
    """Implements `automation.engine.Engine`.

    Args:
        root: the folder of `Pulumi.yaml` and `__main__.py`, where the program and its providers run.
        stack: the stack's name.
        environment: complete environment of the program and provider processes.
        state_folder: takes the state, its lock, and what program and providers print.

    Raises:
        OperatorError: a service's address in the environment is not on this machine.
    """

    name = "rehearsal"

    def __init__(self, root: Path, stack: str, environment: Mapping[str, str], state_folder: Path) -> None:
        require_loopback(environment)
        self._root, self._stack, self._log = root, stack, state_folder / f"{stack}.log"
        self._environment = dict(environment)
        self._state = StateFile(state_folder, stack, environment)

    def preview(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        return self._run(lambda operation: self._declare(operation, refresh=refresh), on_step, writes=False)

    def up(self, *, refresh: bool = False, gone: Collection[str] = (), on_step: OnStep | None = None) -> Outcome:
        # Documents of the emulators are there for everybody, so `gone` has nothing to decide.
        refused = plan_first(self._stack, self.resources(), lambda: self.preview(refresh=refresh))
        if refused is not None:
            return refused
        return self._run(lambda operation: self._declare(operation, refresh=refresh), on_step)

    def refresh(self, *, on_step: OnStep | None = None) -> Outcome:
        self._require_stack()
        return self._run(lambda operation: refresh_all(operation.journal, operation.providers, alone=True), on_step)

    def destroy(self, *, on_step: OnStep | None = None) -> Outcome:
        if not self._state.path.exists():
            return Outcome()
        return self._run(self._delete_everything, on_step)

    def outputs(self) -> Outcome:
        self._require_stack()
        outputs = self._state.load().outputs()
        return Outcome(outputs=plain(outputs), secret_outputs=_secret_names(outputs))

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        show = plain if secrets else masked
        return [
            {
                "urn": item.urn,
                "type": item.type,
                "id": item.id,
                "protect": item.protect,
                "outputs": show({key: value for key, value in item.outputs.items() if key != "__provider"}),
            }
            for item in self._state.load().resources
            if not item.type.startswith("pulumi:")
        ]

    def _require_stack(self) -> None:
        if not self._state.path.exists():
            raise OperatorError("has no stack yet", self._stack, f"Run: clients up {self._stack}")

    def _run(self, work: Callable[[_Operation], None], on_step: OnStep | None, *, writes: bool = True) -> Outcome:
        """One operation, from the state before to the state after; its processes have ended when this returns."""
        began, project = time.monotonic(), read_project(self._root, self._stack)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with deferred(), self._state.lock() if writes else nullcontext() as lock:
            before = self._state.load()
            journal = Journal(before, self._state.save if writes else None, on_step)
            log, variables = Log(), self._variables(project)
            pending = before.pending if before.resources else None
            providers = Providers(self._root, variables, project.config, self._log, pending)
            deployment = Deployment(journal, providers)
            monitor = Monitor(deployment, journal, project.name, self._stack)
            with serving(monitor, log) as address:
                operation = _Operation(project, journal, deployment, monitor, providers, log, address)
                try:
                    providers.start(address, lock)
                    with suppress(Stopped):
                        work(operation)
                finally:
                    monitor.wait()
                    providers.stop()
                    journal.save()
        return _outcome(operation, before, time.monotonic() - began)

    def _declare(self, operation: _Operation, *, refresh: bool) -> None:
        """Run the program, then delete what it no longer declares."""
        if refresh:
            refresh_all(operation.journal, operation.providers)
            operation.journal.require_running()
        code = self._run_program(operation)
        operation.monitor.wait()
        operation.journal.require_running()
        if code and not operation.log.errors:
            operation.log.errors.append(f"the program ended with exit code {code}; see {self._log}")
        if not operation.log.errors:
            operation.journal.settle()
            operation.deployment.deletion.delete_all(operation.deployment.unused())

    def _delete_everything(self, operation: _Operation) -> None:
        """Delete what is in state, and what interrupted or failed creates have made."""
        journal = operation.journal
        known = {type_of(urn) for urn in (*journal.pending, *(item.urn for item in journal.kept))}
        for made in operation.providers.made_by(self._stack, known):
            journal.keep(made)
        operation.deployment.deletion.delete_all(journal.kept)
        if not journal.errors:
            journal.settle()

    def _run_program(self, operation: _Operation) -> int:
        project, dry_run = operation.project, str(operation.journal.preview).lower()
        arguments = [operation.address, project.name, self._stack, ORGANIZATION, str(PARALLEL), dry_run]
        environment = {**self._variables(project), "PULUMI_CONFIG": json.dumps(dict(project.config))}
        program = Program(LANGUAGE, arguments, PACKAGES, self._root, environment)
        with self._log.open("ab") as log, start(program, output=log, errors=log) as process:
            return self._wait(process, operation.journal)

    def _wait(self, program: Started, journal: Journal) -> int:
        """Return the exit code of the program; one for which nothing happens any more is killed."""
        while True:
            try:
                return program.wait(LOOK)
            except subprocess.TimeoutExpired:
                if reason := journal.progress.overdue():
                    journal.errors.append(f"{reason}; see {self._log}")
                    program.kill()

    def _variables(self, project: Project) -> dict[str, str]:
        names = {"PULUMI_PROJECT": project.name, "PULUMI_STACK": self._stack, "PULUMI_ORGANIZATION": ORGANIZATION}
        return {**self._environment, **names}


def _outcome(operation: _Operation, before: Snapshot, seconds: float) -> Outcome:
    journal, log = operation.journal, operation.log
    interrupted = ["interrupted: what was running has ended and is saved; run it again"] if requested() else []
    # What the program says after the operation ended early is only that it did.
    said = [*journal.errors, *interrupted] or log.errors
    reasons = [step.error for step in journal.steps if step.error] or said
    cut_off = [
        f"{name_of(urn)}: the last {operation} was cut off; it is looked for and done again"
        for urn, operation in before.pending.items()
    ]
    outputs = journal.snapshot().outputs()
    return Outcome(
        steps=tuple(journal.steps),
        blocked=tuple(journal.blocked),
        diagnostics=(*cut_off, *log.warnings, *said),
        outputs=masked(outputs),
        secret_outputs=_secret_names(outputs),
        seconds=seconds,
        error=reasons[0] if reasons else None,
    )


def _secret_names(outputs: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, value in outputs.items() if has_secret(value))
