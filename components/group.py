"""The components that a client's environment holds: one for each service, each a step of `up`."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import pulumi

from components.urn import COMPONENTS


class Group(pulumi.ComponentResource):
    """A component directly under the client's environment; its class name is its step.

    Children name each other's values, never the group: a resource that depends on a component
    waits for all of its children.

    Args:
        client: the client's `ClientEnvironment`.
        paused: the client's project is paused, so inputs in `needs_running` stay as recorded.
    """

    needs_running: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Child -> the inputs that only a running project takes.

    While `paused: true` they stay as the state holds them, so that a paused client shows no change
    and takes all that came meanwhile once it runs again. An input that says where the resource is,
    or that cannot change at all, still counts.
    """

    def __init__(self, client: pulumi.Resource, *, paused: bool = False) -> None:
        kind = type(self).__name__
        opts = pulumi.ResourceOptions(parent=client)
        super().__init__(f"{COMPONENTS}{kind}", kind.lower(), {}, opts)
        self._client, self._paused = client, paused

    def options(self, name: str = "", *, ignore_changes: Iterable[str] = (), **more: Any) -> pulumi.ResourceOptions:
        """Return the options of a child, with the alias that keeps what an older program made.

        Children stood directly under the client until the groups came. Without the alias an `up`
        creates each of them anew and deletes the old one, a client's database included.

        Args:
            name: the child's logical name, as in `needs_running`.
            ignore_changes: inputs whose changes never count.
            more: further options.
        """
        at_rest = self.needs_running.get(name, frozenset()) if self._paused else frozenset()
        return pulumi.ResourceOptions(
            parent=self,
            aliases=[pulumi.Alias(parent=self._client)],
            ignore_changes=sorted({*ignore_changes, *at_rest}) or None,
            **more,
        )
