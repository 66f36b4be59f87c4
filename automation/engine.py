"""What an engine does for one stack, whichever engine it is: Pulumi's own, or the rehearsal of it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from components.urn import name_of, type_of

Path = TypeVar("Path")


@dataclass(frozen=True)
class Step:
    """One resource in one operation.

    Attributes:
        urn: the resource's URN.
        operation: `create`, `update`, `replace`, `delete`, `same`, `read` or `refresh`.
        status: `planned` (previews), `running`, `done` or `failed`.
        changed: property paths that differ; where some do for certain, those alone.
        asked: those of `changed` that the program asked for at the last update already, so that only a refresh can have
            moved the state away from them.
        unknown_only: true when the only differences are values a preview cannot know.
        simulated: true when no real provider carried it out.
        seconds: wall time of the step.
        error: one line, when failed.
    """

    urn: str
    operation: str
    status: str = "done"
    changed: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()
    unknown_only: bool = False
    simulated: bool = False
    seconds: float = 0.0
    error: str | None = None

    @property
    def type(self) -> str:
        """The resource's own type token, without its parents."""
        return type_of(self.urn)

    @property
    def name(self) -> str:
        """The resource's logical name."""
        return name_of(self.urn)


@dataclass(frozen=True)
class Outcome:
    """What one operation did: its steps in order of completion, diagnostics, outputs and the error that ended it.

    `blocked` are the steps, `delete` or `replace`, that `protect` kept from being planned or begun.
    """

    steps: tuple[Step, ...] = ()
    diagnostics: tuple[str, ...] = ()
    outputs: Mapping[str, Any] = field(default_factory=dict)
    secret_outputs: frozenset[str] = frozenset()
    seconds: float = 0.0
    error: str | None = None
    blocked: tuple[Step, ...] = ()

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that are not `same`, `read` or `refresh`."""
        return tuple(step for step in self.steps if step.operation not in {"same", "read", "refresh"})


def outputs_by_name(resources: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Return the outputs of resources as `Engine.resources` gives them, by logical name."""
    return {name_of(resource["urn"]): resource["outputs"] for resource in resources}


def certain(paths: Sequence[Path], unknown: Callable[[Path], bool]) -> tuple[tuple[Path, ...], bool]:
    """What to tell of the paths that differ, as `changed` and `unknown_only` of a step.

    Args:
        paths: in the engine's own form.
        unknown: whether a preview cannot know the new value at one of them.
    """
    known = tuple(path for path in paths if not unknown(path))
    return known or tuple(paths), bool(paths) and not known


OnStep = Callable[[Step], None]
"""Called once when a step starts (`running`) and once when it ends (`done`, `failed`; `planned` in previews)."""


class Engine(Protocol):
    """One client's stack under one engine. Every method returns an `Outcome`; a failed operation is an outcome with
    `error` set, and only what keeps an operation from starting raises `OperatorError`."""

    name: str
    """`pulumi v3.272.0`, or `rehearsal`."""

    def preview(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        """Plan without changing anything; with `refresh`, against what the remote systems hold now."""

    def up(self, *, refresh: bool = False, gone: Collection[str] = (), on_step: OnStep | None = None) -> Outcome:
        """Make the remote systems what the program says; with `refresh`, look at what they hold first.

        A client that has a project, repository or site is previewed first. Raises `OperatorError`, with nothing
        changed, when the plan deletes one of them and creates another; see `automation.losses`.

        `gone` names resources that may leave the state although their token does not show that they are gone.
        """

    def refresh(self, *, on_step: OnStep | None = None) -> Outcome:
        """Bring the state up to what the remote systems hold."""

    def destroy(self, *, on_step: OnStep | None = None) -> Outcome:
        """Delete everything in the stack, in reverse order."""

    def outputs(self) -> Outcome:
        """The outputs of the last update: an outcome without steps. Raises `OperatorError` when there is no stack."""

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        """The resources in state, in the order of creation, as `{urn, type, id, protect, outputs}`; secrets are masked
        as `[secret]` unless asked for. Empty when there is no stack."""
