"""What a provider does for the engine."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from local.rehearsal.diff import differences
from local.rehearsal.state import Resource
from local.rehearsal.values import Properties


class ProviderError(Exception):
    """A refusal or failure of a provider: one line, below it the lines of a list or of a statement with its caret."""


class UncertainError(ProviderError):
    """A failure after which the operation may have been carried out: no answer, or no whole one."""


@dataclass(frozen=True)
class Diff:
    """A provider's view of a change: `changes` is None when it leaves the comparison of inputs to the engine."""

    changes: bool | None = None
    replaces: frozenset[str] = field(default_factory=frozenset)
    delete_before_replace: bool = False


@dataclass(frozen=True)
class Live:
    """What `read` found: outputs, and inputs when the provider gives them."""

    id: str
    outputs: Properties
    inputs: Properties | None = None


class Provider(ABC):
    """The six operations, and `planned`. Inputs may hold secrets and, in previews, unknowns.

    This base is one that runs inside this process: inputs stay as they are, a change of a property named in `identity`
    replaces, nothing drifts and nothing has to be deleted. Every method may raise `ProviderError`.
    """

    simulated = False
    identity: frozenset[str] = frozenset()

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        """The inputs to use, and the reasons to refuse them."""
        return dict(news), []

    def diff(self, old: Resource, news: Mapping[str, Any]) -> Diff:
        """Whether the change of inputs is one, and whether it needs a new resource."""
        changed = {str(path[0]) for path in differences(old.inputs, dict(news))}
        return Diff(bool(changed), frozenset(changed & self.identity))

    @abstractmethod
    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        """Id and outputs of a new resource."""

    @abstractmethod
    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        """The outputs of a resource changed in place."""

    def planned(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        """The outputs that a preview of an update may know; what is missing is unknown."""
        return dict(news)

    def read(self, old: Resource) -> Live | None:
        """The live resource, or None when it is gone."""
        return Live(old.id, old.outputs)

    def delete(self, old: Resource) -> None:  # noqa: B027 - most have nothing to delete
        """Delete it; fine when it is gone already."""
