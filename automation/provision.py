"""Provisions one client and tells the result as five steps: supabase, database, github, vercel, n8n."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from automation.clients import ProvisioningJob, write_client
from automation.engine import Engine, OnStep, Outcome, Step
from automation.preflight.run import diagnose
from automation.recovery.orphans import compare_with_orphans
from automation.rivals import read_claims, refuse_rivals
from automation.workspace import Workspace, open_workspace

STEPS = ("supabase", "database", "github", "vercel", "n8n")
BY_NAME = {
    **dict.fromkeys(("db-password", "project", "endpoints", "secret-key", "settings", "owner", "pause"), "supabase"),
    **dict.fromkeys(("schema", "isolation-check", "final-backup"), "database"),
    "probe": "vercel",
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
        warnings: a line each of what works and wants somebody's attention.
    """

    client_id: str
    engine: str
    steps: tuple[StepResult, ...]
    resources: tuple[dict[str, Any], ...]
    outputs: dict[str, Any]
    seconds: float
    error: str | None = None
    warnings: tuple[str, ...] = ()

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
    workspace: Workspace | None = None,
    refresh: bool = False,
    gone: Collection[str] = (),
    on_step: OnStep | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> ProvisioningResult:
    """Create or update one client; writes the client's file when there is none.

    What can be refused for a new client is refused before anything is created: by a preview, then by the doctor.

    Args:
        job: the client's facts.
        local: use the emulators of this machine.
        root: the repository's root, the current folder by default.
        workspace: one that is open already; `local` and `root` then do not count.
        refresh: look at the remote systems first, so that changes made by hand are undone.
        gone: names of resources that the operator says are gone; see `Engine.up`.
        on_step: called as resources start and end.
        say: called for a new client with what the doctor found worth saying.

    Raises:
        OperatorError: a fact or a setting is refused, or the operation could not start; nothing was created.
    """
    root = workspace.root if workspace else root or Path.cwd()
    write_client(job, root)
    workspace = workspace or open_workspace(root, local=local, writes=True)
    engine = workspace.engine(job.client_id)
    times: dict[str, list[float]] = defaultdict(list)

    def see(step: Step) -> None:
        if not is_component(step.type):
            times[step_of(step.name, step.type)].append(time.monotonic())
        if on_step:
            on_step(step)

    outcome, existing = Outcome(), engine.resources()
    if not any(resource["urn"].endswith("::project") for resource in existing):
        outcome = engine.preview()
        if not outcome.error:
            refuse_rivals(job.client_id, read_claims(root, local=workspace.local))
            alike = compare_with_orphans(job.client_id, workspace)
            for line in (*alike, *diagnose(workspace, job.client_id, existing)):
                say(line)
    if not outcome.error:
        outcome = engine.up(refresh=refresh, gone=gone, on_step=see)
    return ProvisioningResult(
        client_id=job.client_id,
        engine=engine.name,
        steps=fold((step for step in outcome.steps if step.status != "planned"), times),
        resources=_resources(engine, outcome),
        outputs={key: value for key, value in outcome.outputs.items() if key not in outcome.secret_outputs},
        seconds=round(outcome.seconds, 2),
        error=outcome.error,
        warnings=_warnings(outcome),
    )


def _warnings(outcome: Outcome) -> tuple[str, ...]:
    """What the engine said besides the error that ended the operation."""
    error = outcome.error or ""
    same = {f"{step.name}: {step.error}" for step in outcome.steps if step.error and step.error == error}
    return tuple(text for text in dict.fromkeys(outcome.diagnostics) if text not in same and text not in error)


def step_of(name: str, kind: str) -> str:
    """Which of the five steps a resource belongs to, by its logical name and type token."""
    package = kind.rpartition(":")[0] if kind.startswith("pulumi-python:") else kind.partition(":")[0]
    return BY_PACKAGE.get(package) or BY_NAME.get(name, "supabase")


def is_component(kind: str) -> bool:
    """Whether the type is a component of ours: a group, nothing that exists."""
    return kind.startswith("client-environments:")


def fold(steps: Iterable[Step], times: Mapping[str, Sequence[float]]) -> tuple[StepResult, ...]:
    """The five steps of an operation; `times` holds the moments, in seconds, at which resources began or ended."""
    parts: dict[str, list[Step]] = {name: [] for name in STEPS}
    for step in steps:
        if not is_component(step.type) and step.operation != "refresh":
            parts[step_of(step.name, step.type)].append(step)
    return tuple(_fold(name, part, times.get(name) or (0.0,)) for name, part in parts.items())


def _fold(name: str, steps: Sequence[Step], times: Sequence[float]) -> StepResult:
    failed = [step for step in steps if step.status == "failed"]
    found = {"failed"} if failed else {VERBS.get(step.operation, "unchanged") for step in steps}
    status = "updated" if len(found) > 1 else next(iter(found), "skipped")
    error = f"{failed[0].name}: {failed[0].error}" if failed else None
    return StepResult(name, status, round(times[-1] - times[0], 2), error, any(step.simulated for step in steps))


def _resources(engine: Engine, outcome: Outcome) -> tuple[dict[str, Any], ...]:
    steps = {step.urn: step for step in outcome.steps if step.operation != "refresh"}
    found = []
    for resource in engine.resources() if steps else ():
        name, kind, step = resource["urn"].split("::", 3)[3], resource["type"], steps.get(resource["urn"])
        if not is_component(kind):
            facts = {"step": step_of(name, kind), "name": name, "type": kind, "id": resource["id"]}
            did = {"operation": step and step.operation, "simulated": bool(step and step.simulated)}
            found.append(facts | did)
    return tuple(found)
