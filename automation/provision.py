"""Provisions one client and tells the result as five steps: supabase, database, github, vercel, n8n."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automation.clients import ProvisioningJob, write_client
from automation.engine import Engine, OnStep, Outcome, Step
from automation.workspace import open_workspace

STEPS = ("supabase", "database", "github", "vercel", "n8n")
BY_NAME = {
    **dict.fromkeys(("db-password", "project", "endpoints", "secret-key", "settings", "owner"), "supabase"),
    **dict.fromkeys(("schema", "isolation-check", "final-backup"), "database"),
}
BY_PACKAGE = {"github": "github", "vercel": "vercel", "pulumi-python:dynamic/n8n": "n8n"}
VERBS = {"create": "created", "update": "updated", "replace": "updated", "delete": "updated", "same": "unchanged"}


@dataclass(frozen=True)
class StepResult:
    """One of the five steps.

    Attributes:
        name: one of `STEPS`.
        status: `created`, `updated`, `unchanged`, `failed` or `skipped`.
        seconds: from the start of its first resource to the end of its last.
        error: one line, when failed.
        simulated: true when a part of it was not carried out by a real provider.
    """

    name: str
    status: str
    seconds: float = 0.0
    error: str | None = None
    simulated: bool = False


@dataclass(frozen=True)
class ProvisioningResult:
    """What an update did for one client; `as_json` holds no secret.

    Attributes:
        client_id: the client.
        engine: the engine's name.
        steps: the five steps, in the order of `STEPS`.
        resources: what the client now has, as `{step, name, type, id, operation, simulated}`; `operation` is None for
            what the update did not reach.
        outputs: the stack's outputs, without the secret ones.
        seconds: wall time.
        error: one line, when the update failed.
    """

    client_id: str
    engine: str
    steps: tuple[StepResult, ...]
    resources: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]
    seconds: float
    error: str | None = None

    @property
    def status(self) -> str:
        """`failed`, `created`, `updated` or `unchanged`, whichever of these comes first among the steps."""
        found = {step.status for step in self.steps} | ({"failed"} if self.error else set())
        return next(status for status in ("failed", "created", "updated", "unchanged", "skipped") if status in found)

    def as_json(self) -> dict[str, Any]:
        """The result in JSON's types."""
        return {**asdict(self), "status": self.status}


def provision(
    job: ProvisioningJob,
    *,
    local: bool = False,
    root: Path | None = None,
    engine: Engine | None = None,
    on_step: OnStep | None = None,
) -> ProvisioningResult:
    """Create or update one client; writes the client's file when there is none.

    Args:
        job: the client's facts.
        local: use the emulators of this machine.
        root: the repository's root, the current folder by default.
        engine: the client's stack when it is open already.
        on_step: called as resources start and end.

    Raises:
        OperatorError: a fact or a setting is refused, or the operation could not start; nothing was created.
    """
    root = root or Path.cwd()
    write_client(job, root)
    engine = engine or open_workspace(root, local=local, writes=True).engine(job.client_id)
    clock = _Clock(on_step)
    outcome = engine.up(on_step=clock.see)
    return ProvisioningResult(
        client_id=job.client_id,
        engine=engine.name,
        steps=fold(outcome.steps, clock.seconds),
        resources=_resources(engine, outcome),
        outputs={key: value for key, value in outcome.outputs.items() if key not in outcome.secret_outputs},
        seconds=round(outcome.seconds, 2),
        error=outcome.error,
    )


def step_of(name: str, kind: str) -> str:
    """Which of the five steps a resource belongs to.

    Args:
        name: the resource's logical name.
        kind: its type token.
    """
    package = kind.rpartition(":")[0] if kind.startswith("pulumi-python:") else kind.partition(":")[0]
    return BY_PACKAGE.get(package) or BY_NAME.get(name, "supabase")


def is_component(kind: str) -> bool:
    """Whether the type is a component of ours: a group, nothing that exists."""
    return kind.startswith("client-environments:")


class _Clock:
    """Passes steps on and notes when each of the five began and ended."""

    def __init__(self, on_step: OnStep | None) -> None:
        self._on_step = on_step
        self._spans: dict[str, tuple[float, float]] = {}

    def see(self, step: Step) -> None:
        now, name = time.monotonic(), step_of(step.name, step.type)
        began, _ = self._spans.get(name, (now, now))
        if not is_component(step.type):
            self._spans[name] = (began, now)
        if self._on_step:
            self._on_step(step)

    def seconds(self, name: str) -> float:
        began, ended = self._spans.get(name, (0.0, 0.0))
        return round(ended - began, 2)


def fold(steps: Iterable[Step], seconds: Callable[[str], float]) -> tuple[StepResult, ...]:
    """The five steps of an operation; `seconds` tells how long each took."""
    carried = [step for step in steps if not is_component(step.type) and step.operation != "refresh"]
    return tuple(
        _fold(name, [step for step in carried if step_of(step.name, step.type) == name], seconds(name))
        for name in STEPS
    )


def _fold(name: str, steps: Sequence[Step], seconds: float) -> StepResult:
    failed = [step for step in steps if step.status == "failed"]
    found = {"failed"} if failed else {VERBS.get(step.operation, "unchanged") for step in steps}
    if found >= {"created", "updated"} or found >= {"created", "unchanged"}:
        status = "updated"
    else:
        status = next(
            (status for status in ("failed", "created", "updated", "unchanged") if status in found), "skipped"
        )
    error = f"{failed[0].name}: {failed[0].error}" if failed else None
    return StepResult(name, status, seconds, error, any(step.simulated for step in steps))


def _resources(engine: Engine, outcome: Outcome) -> tuple[dict[str, Any], ...]:
    if not outcome.steps:
        return ()
    steps = {step.urn: step for step in outcome.steps if step.operation != "refresh"}
    return tuple(
        {
            "step": step_of(name, resource["type"]),
            "name": name,
            "type": resource["type"],
            "id": resource["id"],
            "operation": step.operation if step else None,
            "simulated": bool(step and step.simulated),
        }
        for resource in engine.resources()
        if not is_component(resource["type"])
        for step, name in [(steps.get(resource["urn"]), resource["urn"].split("::", 3)[3])]
    )
