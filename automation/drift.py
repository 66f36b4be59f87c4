"""Tells apart what this program would change and what somebody changed by hand, per resource and property."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from automation.engine import Engine, OnStep, Outcome, Step
from automation.provision import step_of
from components.urn import is_component, parse

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Change:
    """One resource that differs.

    Attributes:
        resource: its logical name.
        type: its type token.
        step: which of the five steps it belongs to.
        operation: what `up` would do: `create`, `update`, `replace` or `delete`.
        properties: paths of the properties that differ; empty for a create or delete.
        simulated: true when no real provider looked.
    """

    resource: str
    type: str
    step: str
    operation: str
    properties: tuple[str, ...] = ()
    simulated: bool = False


@dataclass(frozen=True)
class Drift:
    """What differs for one client.

    Attributes:
        client: the client id.
        program: changes that this program and its settings bring.
        hand: changes made to the remote systems by something else.
        follows: names of resources that may change as a consequence; a preview cannot know.
        notes: what the program or a provider had to say, such as what was not looked at because the client is paused.
        error: one line when it could not be told.
    """

    client: str
    program: tuple[Change, ...] = ()
    hand: tuple[Change, ...] = ()
    follows: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding in JSON's types."""
        return asdict(self)


def find_drift(client: str, engine: Engine, on_step: OnStep | None = None) -> Drift:
    """Preview twice, without and with a look at the remote systems, and compare. Changes nothing.

    Raises:
        OperatorError: a preview could not start.
    """
    plain = engine.preview(on_step=on_step)
    if plain.error:
        return Drift(client, error=plain.error)
    refreshed = engine.preview(refresh=True, on_step=on_step)
    if refreshed.error:
        return Drift(client, error=refreshed.error)
    return compare(client, plain, refreshed)


def compare(client: str, plain: Outcome, refreshed: Outcome) -> Drift:
    """The drift between a plain preview and one with refresh.

    What the plain preview plans comes from the program, except where the program asks for what it asked for at the last
    update: there a refresh took something made by hand into the state. By hand is what only the refreshed preview
    plans: another resource, another operation, more properties; and a planned property whose remote value moved
    meanwhile.
    """
    program, after = _asked_for(_planned(plain.steps)), _planned(refreshed.steps)
    moved = {_key(step): set(step.changed) for step in refreshed.steps if step.operation == "refresh"}
    by_hand = []
    for key, step in after.items():
        before = program.get(key)
        if before is None or before.operation != step.operation:
            by_hand.append(_change(step, step.changed))
        elif extra := {*step.changed} - {*before.changed} | ({*step.changed} & moved.get(key, set())):
            by_hand.append(_change(step, sorted(extra)))
    unknown = {step.name for step in (*plain.steps, *refreshed.steps) if step.unknown_only}
    certain = {step.name for step in (*program.values(), *after.values())}
    return Drift(
        client,
        program=tuple(_change(step, step.changed) for step in program.values()),
        hand=tuple(by_hand),
        follows=tuple(sorted(unknown - certain)),
        notes=tuple(dict.fromkeys(refreshed.diagnostics)),
    )


def _key(step: Step) -> Key:
    """Tell a resource from others, also while it moves: a plan names its new parent, a refresh its old one."""
    return parse(step.urn).identity


def _planned(steps: Iterable[Step]) -> Mapping[Key, Step]:
    quiet = {"same", "read", "refresh"}
    return {
        _key(step): step
        for step in steps
        if step.operation not in quiet and not step.unknown_only and not is_component(step.type)
    }


def _asked_for(planned: Mapping[Key, Step]) -> Mapping[Key, Step]:
    """The planned steps with the properties that the program asks for anew, and without those that have none."""
    anew = {
        key: replace(step, changed=tuple(path for path in step.changed if path not in step.asked))
        for key, step in planned.items()
    }
    return {key: step for key, step in anew.items() if step.changed or not planned[key].asked}


def _change(step: Step, properties: Iterable[str]) -> Change:
    named = tuple(properties) if step.operation in {"update", "replace"} else ()
    return Change(step.name, step.type, step_of(step.urn), step.operation, named, step.simulated)
