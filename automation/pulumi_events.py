"""Turns the event stream of Pulumi's engine into steps."""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi.automation import EngineEvent, events

from automation import github_errors, vercel_errors
from automation.engine import OnStep, Step, certain
from automation.limits import Progress
from components.asked import asked_before

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's mark of a secret, not one
COLOURS = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")
OURS = "pulumi-python:dynamic"
PROTECTED = re.compile(r"\bprotect(?:ed|ion)\b")
ENDED = re.compile(r"(?:update|preview|refresh|destroy) failed")
# Of a replacement only the creating half counts: its other steps are the same change once more.
OPERATIONS = {
    "create": "create",
    "update": "update",
    "create-replacement": "replace",
    "delete": "delete",
    "same": "same",
    "read": "read",
    "refresh": "refresh",
    "import": "create",
    "import-replacement": "replace",
}


class Recorder:
    """Turns the engine's events into steps, in order of completion.

    `planned` is what a preview would create, `failed` what was not created, as far as the engine knows, `blocked` the
    steps that `protect` forbids.
    """

    def __init__(self, on_step: OnStep | None, environment: Mapping[str, str]) -> None:
        self.steps: list[Step] = []
        self.planned: list[events.StepEventStateMetadata] = []
        self.failed: list[events.StepEventStateMetadata] = []
        self.blocked: list[Step] = []
        self.diagnostics: list[str] = []
        self._errors: dict[str, str] = {}
        self._began: dict[tuple[str, str], float] = {}
        self._on_step, self._environment = on_step, environment
        self.progress = Progress()

    def see(self, event: EngineEvent) -> None:
        self.progress.alive()
        if event.diagnostic_event:
            self._diagnose(event.diagnostic_event)
        elif event.resource_pre_event:
            self._begin(event.resource_pre_event.metadata, planning=bool(event.resource_pre_event.planning))
        elif event.res_outputs_event:
            planning = bool(event.res_outputs_event.planning)
            self._end(event.res_outputs_event.metadata, "planned" if planning else "done")
        elif event.res_op_failed_event:
            self._end(event.res_op_failed_event.metadata, "failed")

    def error(self) -> str | None:
        """The first error: of a resource if there is one, else of the program."""
        failed = [step.error for step in self.steps if step.error]
        return failed[0] if failed else next(iter(self._errors.values()), None)

    def _diagnose(self, event: events.DiagnosticEvent) -> None:
        urn = event.urn or ""
        text = vercel_errors.explained(github_errors.explained(_told(event.message, urn), urn), urn)
        if event.severity == "error":
            self._errors.setdefault(urn, text)
            if PROTECTED.search(text) and urn:
                # Of a step that protection forbids the engine tells nothing but this error.
                operation = "replace" if "replace" in text else "delete"
                self.blocked.append(Step(urn, operation, "failed", error=text))
            if ENDED.fullmatch(text):
                return  # says no more than the error that ended it
        if event.severity in {"error", "warning"} and text:
            self.diagnostics.append(text)

    def _begin(self, metadata: events.StepEventMetadata, *, planning: bool) -> None:
        self._began[metadata.urn, metadata.op] = time.monotonic()
        if planning and metadata.op.value == "create" and metadata.new:
            self.planned.append(metadata.new)
        self.progress.begin(metadata.urn, metadata.type)
        step = _step(metadata, "running", 0.0)
        if step and not planning and self._on_step:
            self._on_step(step)

    def _end(self, metadata: events.StepEventMetadata, status: str) -> None:
        self.progress.end(metadata.urn)
        seconds = time.monotonic() - self._began.get((metadata.urn, metadata.op), time.monotonic())
        error = self._failure(metadata) if status == "failed" else None
        if error and metadata.op.value == "create" and metadata.new:
            self.failed.append(metadata.new)
        step = _step(metadata, status, seconds, error)
        # A component ends twice, once for its inputs and once for its outputs.
        if step and (step.urn, step.operation) not in {(each.urn, each.operation) for each in self.steps}:
            self.steps.append(step)
            if self._on_step:
                self._on_step(step)

    def _failure(self, metadata: events.StepEventMetadata) -> str:
        team = ((metadata.new.inputs if metadata.new else None) or {}).get("teamId")
        return vercel_errors.with_build_log(self._errors.get(metadata.urn, "failed"), team, self._environment)


def _step(metadata: events.StepEventMetadata, status: str, seconds: float, error: str | None = None) -> Step | None:
    operation = OPERATIONS.get(str(metadata.op.value))
    # Providers and the stack itself are the engine's own business.
    if operation is None or metadata.type.startswith("pulumi:"):
        return None
    changed = _changed(metadata, operation)
    inputs = (metadata.new.inputs if metadata.new else None) or {}
    changed, unknown = certain(changed, lambda path: UNKNOWN in str(_at(inputs, path)))
    asked = asked_before(changed, metadata.old.outputs if metadata.old else None, inputs)
    return Step(metadata.urn, operation, status, changed, asked, unknown, seconds=seconds, error=error)


def _changed(metadata: events.StepEventMetadata, operation: str) -> tuple[str, ...]:
    if metadata.detailed_diff:
        return tuple(sorted(metadata.detailed_diff))
    if operation not in {"update", "replace", "refresh"} or metadata.old is None or metadata.new is None:
        return ()
    old, new = metadata.old.inputs or {}, metadata.new.inputs or {}
    # A provider without detail names properties, outputs among them; secrets cannot be compared here.
    named = {*old, *new} & {*(metadata.diffs or ())}
    return tuple(sorted(named or {key for key in {*old, *new} if old.get(key) != new.get(key)}))


def _at(inputs: Any, path: str) -> Any:
    """The value at a property path such as `environment.NAME` or `rules[0].id`; None where there is none."""
    for key in re.findall(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.\[\]]+)', path):
        try:
            inputs = inputs[int(key[1])] if key[1] else inputs[key[0] or key[2]]
        except (KeyError, IndexError, TypeError):
            return None
        if inputs == UNKNOWN:
            break
    return inputs


def _told(text: str, urn: str) -> str:
    """A message in one line; below it, one item a line, what one of our own providers lists."""
    first, *rest = COLOURS.sub("", text).rstrip().split("\n")
    if OURS not in urn or any(line and not line.startswith("  ") for line in rest):
        return one_line(text)
    return "\n".join([one_line(first), *(line.rstrip() for line in rest if line.strip())])


def text_lines(text: str) -> Iterator[str]:
    """The lines of a message that say something, without colours."""
    return (line.strip() for line in COLOURS.sub("", text).splitlines() if line.strip())


def one_line(text: str) -> str:
    """A message in one line, without colours; of a traceback only what it ends with."""
    lines = list(text_lines(text))
    if any(line.startswith("Traceback ") for line in lines):
        lines = [lines[0].partition("Traceback ")[0] or "The program failed:", lines[-1]]
    return " ".join(lines).replace("OperatorError: ", "", 1)
