"""Decides, for each declared resource, between create, same, update and replace, and carries it out."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from automation.engine import Step, certain
from components.asked import asked_before
from local.rehearsal.deletion import Deletion
from local.rehearsal.diff import (
    Path,
    at,
    covers,
    differ,
    differences,
    ignore,
    parsed,
    without_repickled_provider,
    written,
)
from local.rehearsal.goal import Goal
from local.rehearsal.journal import Journal, Stopped
from local.rehearsal.provider import Diff, Provider, ProviderError
from local.rehearsal.providers import Providers
from local.rehearsal.state import Resource
from local.rehearsal.values import UNKNOWN, Properties, has_unknown, mark_secrets, plain, redact


@dataclass(frozen=True)
class Change:
    """What became of one comparison: the paths that differ, whether that counts, and whether it replaces."""

    paths: tuple[Path, ...]
    counts: bool
    replaces: bool
    delete_before: bool


class Deployment:
    """Registers resources of one operation against the state before; safe for threads."""

    def __init__(self, journal: Journal, providers: Providers) -> None:
        self._journal, self._providers = journal, providers
        self._seen: set[str] = set()
        self._recreated: set[str] = set()
        self._lock = threading.Lock()
        self.deletion = Deletion(journal, providers)

    def register(self, goal: Goal) -> Resource:
        """Make a resource what the program says.

        Raises:
            Stopped: it failed, or nothing new may begin.
        """
        self._journal.require_running()
        try:
            old = self._old(goal)
            if not goal.resource.custom:
                return self._register_component(goal.resource, old)
            return self._register_custom(goal, old)
        except ProviderError as error:
            self._journal.fail(goal.resource.name, redact(str(error), goal.resource.inputs))
            raise Stopped from None

    def unused(self) -> list[Resource]:
        """The resources of the state before that the program no longer declares, and old halves of replacements."""
        return [item for item in self._journal.kept if item.delete or item.urn not in self._seen]

    def _old(self, goal: Goal) -> Resource | None:
        urn = goal.resource.urn
        with self._lock:
            if urn in self._seen:
                raise ProviderError("is declared twice: another resource has the same type, name and parent")
            olds = {item.urn: item for item in self._journal.kept if not item.delete}
            old = next((olds[name] for name in (urn, *goal.aliases) if name in olds), None)
            self._seen |= {urn} if old is None else {urn, old.urn}
            return old

    def _register_component(self, new: Resource, old: Resource | None) -> Resource:
        changed = old is not None and differ(old.inputs, new.inputs)
        operation = "create" if old is None else "update" if changed else "same"
        with self._journal.step(Step(new.urn, operation), new):
            new = replace(new, outputs=old.outputs if old else {})
            self._journal.put(new, old)
        return new

    def _register_custom(self, goal: Goal, old: Resource | None) -> Resource:
        provider = self._providers.find(goal.resource.type)
        if old is None:
            return self._create(provider, goal, None, Step(goal.resource.urn, "create"))
        if old.pending_replacement or old.urn in self._recreated:
            return self._create(provider, goal, old, Step(goal.resource.urn, "replace"))
        new = _checked(provider, goal, old)
        change = _compare(provider, goal, old, new)
        paths, unknown = certain(change.paths, lambda path: has_unknown(at(new.inputs, path)))
        changed = tuple(map(written, paths))
        if not change.counts:
            step = Step(new.urn, "same", simulated=provider.simulated)
            return self._settle(goal, new, old, step, lambda: (old.id, old.outputs))
        if not change.replaces:
            asked = asked_before(changed, plain(old.outputs), plain(new.inputs))
            step = Step(new.urn, "update", "done", changed, asked, unknown, provider.simulated)
            update = provider.planned if self._journal.preview else provider.update
            return self._settle(goal, new, old, step, lambda: (old.id, update(old, new.inputs)))
        if new.protect and old.protect:
            refusal = "is protected and would be replaced: remove `protect` first"
            self._journal.block(Step(new.urn, "replace", changed=changed), new.name, refusal)
            raise Stopped
        if change.delete_before:
            self._delete_before(old)
        return self._create(provider, goal, old, Step(new.urn, "replace", changed=changed, unknown_only=unknown))

    def _create(self, provider: Provider, goal: Goal, old: Resource | None, step: Step) -> Resource:
        new = _checked(provider, goal, None)
        step = replace(step, simulated=provider.simulated)
        if self._journal.preview:
            return self._settle(goal, new, old, step, lambda: ("", new.inputs))
        return self._settle(goal, new, old, step, lambda: provider.create(new.urn, new.inputs))

    def _settle(
        self, goal: Goal, new: Resource, old: Resource | None, step: Step, work: Callable[[], tuple[str, Properties]]
    ) -> Resource:
        """One step whose work gives id and outputs; a replaced resource stays in the state until it is deleted."""
        with self._journal.step(step, new):
            id_, outputs = work()
            new = replace(new, id=id_, outputs=mark_secrets(outputs, new.inputs, names=goal.secret_outputs))
            self._journal.put(new, old, condemn=step.operation == "replace")
        return new

    def _delete_before(self, old: Resource) -> None:
        """Delete a resource ahead of its new half, and before it all that would be replaced with it."""
        for item in [*reversed(self._replaced_with(old)), old]:
            if item.protect and item is not old:
                raise ProviderError(f"cannot be replaced: {item.name} depends on it and is protected")
            self._recreated.add(item.urn)
            self.deletion.delete_for_replacement(item)

    def _replaced_with(self, root: Resource) -> list[Resource]:
        """The dependents, direct or not, whose provider would replace them when what they take from `root` is new."""
        found = {root.urn: root}
        for item in self._journal.kept:
            if item.urn in self._seen or item.delete or item.pending_replacement or not item.custom:
                continue
            touched = {key for key, urns in item.property_dependencies.items() if found.keys() & set(urns)}
            if touched & item.inputs.keys():
                news: Properties = {key: UNKNOWN if key in touched else item.inputs[key] for key in item.inputs}
                if _replaces(self._providers.find(item.type).diff(item, news), item, news, ()):
                    found[item.urn] = item
        return list(found.values())[1:]


def _checked(provider: Provider, goal: Goal, old: Resource | None) -> Resource:
    """The declared resource with the inputs that its provider makes of the program's."""
    resource = goal.resource
    inputs = ignore(resource.inputs, old.inputs, goal.ignore_changes) if old else resource.inputs
    checked, reasons = provider.check(resource.urn, old.inputs if old else {}, inputs)
    if reasons:
        raise ProviderError("; ".join(reasons))
    marked = mark_secrets(checked, inputs)
    return replace(resource, inputs=without_repickled_provider(marked, old.inputs) if old else marked)


def _compare(provider: Provider, goal: Goal, old: Resource, new: Resource) -> Change:
    diff = provider.diff(old, new.inputs)
    paths = tuple(differences(old.inputs, ignore(new.inputs, old.inputs, goal.ignore_changes)))
    before, after = old.replacement_trigger, new.replacement_trigger
    triggered = None not in (before, after) and differ(before, after)
    counts = triggered or (bool(paths) if diff.changes is None else diff.changes)
    replaces = triggered or _replaces(diff, old, new.inputs, goal.replace_on_changes)
    delete_before = diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
    return Change(paths, counts, replaces, delete_before)


def _replaces(diff: Diff, old: Resource, news: Properties, replace_on_changes: tuple[str, ...]) -> bool:
    if diff.changes is False:
        return False
    paths = tuple(differences(old.inputs, news))
    return bool(paths or diff.changes) and (
        bool(diff.replaces) or any(covers(parsed(text), path) for text in replace_on_changes for path in paths)
    )
