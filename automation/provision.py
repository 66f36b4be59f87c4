"""Provisions one client and gives the result by steps: supabase, database, github, vercel, n8n."""

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
from components.urn import COMPONENTS, is_component, name_of, parse

STEPS = ("supabase", "database", "github", "vercel", "n8n")
CLIENT = "client"
VERBS = {"create": "created", "update": "updated", "replace": "updated", "delete": "updated", "same": "unchanged"}


@dataclass(frozen=True)
class StepResult:
    """One of the steps.

    Attributes:
        name: one of `STEPS`, or `CLIENT`.
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
        steps: the steps, in the order of `STEPS`.
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
            times[step_of(step.urn)].append(time.monotonic())
        if on_step:
            on_step(step)

    outcome, existing = Outcome(), engine.resources()
    if "project" not in {name_of(resource["urn"]) for resource in existing}:
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


def step_of(urn: str) -> str:
    """Return the step of a resource: the component under the client that holds it.

    Directly under the client (`CLIENT`) stands only what a program without steps has made, until
    the next `up` moves it.
    """
    parents = [kind for kind in parse(urn).types[:-1] if is_component(kind)]
    return parents[1].removeprefix(COMPONENTS).lower() if parents[1:] else CLIENT


def count_by_step(resources: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return how many resources each step holds, those of `STEPS` first."""
    counts = dict.fromkeys(STEPS, 0)
    for resource in resources:
        if not is_component(resource["type"]):
            step = step_of(resource["urn"])
            counts[step] = counts.get(step, 0) + 1
    return counts


def fold(steps: Iterable[Step], times: Mapping[str, Sequence[float]]) -> tuple[StepResult, ...]:
    """Return the steps of an operation: all of `STEPS`, and others where one has resources.

    Args:
        steps: what became of each resource.
        times: the moments, in seconds, at which resources of each step began or ended.
    """
    parts: dict[str, list[Step]] = {name: [] for name in STEPS}
    for step in steps:
        if not is_component(step.type) and step.operation != "refresh":
            parts.setdefault(step_of(step.urn), []).append(step)
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
        urn, kind, step = resource["urn"], resource["type"], steps.get(resource["urn"])
        if not is_component(kind):
            facts = {"step": step_of(urn), "name": name_of(urn), "type": kind, "id": resource["id"]}
            did = {"operation": step and step.operation, "simulated": bool(step and step.simulated)}
            found.append(facts | did)
    return tuple(found)
