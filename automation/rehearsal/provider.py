"""What a provider does for the engine, and the base of those that run inside this process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from automation.rehearsal.diff import differences
from automation.rehearsal.state import Resource
from automation.rehearsal.values import Properties


class ProviderError(Exception):
    """A provider's refusal or failure, in one line."""


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


class Provider(Protocol):
    """The six operations. Inputs may hold secrets and, in previews, unknowns; every method raises `ProviderError`."""

    simulated: bool

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        """The inputs to use, and the reasons to refuse them."""

    def diff(self, old: Resource, news: Mapping[str, Any]) -> Diff:
        """Whether the change of inputs is one, and whether it needs a new resource."""

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        """Id and outputs of a new resource."""

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        """The outputs of a resource changed in place."""

    def planned(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        """The outputs that a preview of an update may know; what is missing is unknown."""

    def read(self, old: Resource) -> Live | None:
        """The live resource, or None when it is gone."""

    def delete(self, old: Resource) -> None:
        """Delete it; fine when it is gone already."""


class InProcess:
    """Base of the providers of this process: inputs as they are, a change of an `identity` property replaces."""

    simulated = False
    identity: frozenset[str] = frozenset()

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        return dict(news), []

    def diff(self, old: Resource, news: Mapping[str, Any]) -> Diff:
        changed = {str(path[0]) for path in differences(old.inputs, dict(news))}
        return Diff(bool(changed), frozenset(changed & self.identity))

    def planned(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        return dict(news)

    def read(self, old: Resource) -> Live | None:
        return Live(old.id, old.outputs)

    def delete(self, old: Resource) -> None:
        """Nothing to delete."""
