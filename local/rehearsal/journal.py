"""What one operation does to a stack, step by step: the state it leaves, the steps it tells of, and when to stop."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from automation.engine import OnStep, Step
from automation.interrupt import requested
from automation.limits import Progress
from local.rehearsal.provider import ProviderError, UncertainError
from local.rehearsal.state import Resource, Snapshot
from local.rehearsal.values import Properties, redact

Save = Callable[[Snapshot], None]


class Stopped(Exception):  # noqa: N818 - not an error: the operation ends early, for a reason told elsewhere
    """Nothing new begins: a step failed, or the operator asked to stop."""


class Journal:
    """Records steps and writes the state after each; safe for threads.

    Args:
        before: the state to start from.
        save: writes the state; None in a preview, which changes nothing.
        on_step: told when a step starts and when it ends.
    """

    def __init__(self, before: Snapshot, save: Save | None, on_step: OnStep | None) -> None:
        self.preview = save is None
        self.steps: list[Step] = []
        self.blocked: list[Step] = []
        self.errors: list[str] = []
        self._kept, self._made = list(before.resources), list[Resource]()
        self._pending = dict(before.pending)
        self._save, self._on_step, self._lock = save, on_step, threading.RLock()
        self.progress = Progress()

    @property
    def kept(self) -> list[Resource]:
        """The resources of the state before that are still as they were, in order."""
        with self._lock:
            return list(self._kept)

    @property
    def pending(self) -> dict[str, str]:
        """The operations that were begun and not seen to end: URN -> operation."""
        with self._lock:
            return dict(self._pending)

    def snapshot(self) -> Snapshot:
        """The state as it is now."""
        with self._lock:
            return Snapshot([*self._made, *self._kept], dict(self._pending))

    def put(self, new: Resource, old: Resource | None = None, *, condemn: bool = False) -> None:
        """Take a resource into the state, in place of its old self; one to `condemn` stays until it is deleted."""
        with self._lock:
            self._made.append(new)
            if old is not None and old.urn != new.urn:
                self._rename(old.urn, new.urn)
            if old is not None and condemn and not old.pending_replacement:
                old.delete = True
            elif old is not None:
                self.drop(old)

    def _rename(self, old: str, new: str) -> None:
        """Let what still names a resource by its old URN name it by the new one, as Pulumi's engine does.

        Their own turn comes, unless the operation ends before it.
        """
        for item in self._kept:
            item.parent = new if item.parent == old else item.parent
            item.deleted_with = new if item.deleted_with == old else item.deleted_with
            item.dependencies = sorted(new if urn == old else urn for urn in item.dependencies)
            item.property_dependencies = {
                key: sorted(new if urn == old else urn for urn in urns)
                for key, urns in item.property_dependencies.items()
            }

    def keep(self, found: Resource) -> None:
        """Take into the state before what an earlier operation made and did not write down.

        What the state holds under another URN, because its parent changed since, is not taken twice.
        """
        with self._lock:
            held = {item.urn for item in self._kept}
            ids = {(item.type, item.id) for item in self._kept}
            if found.urn not in held and (found.type, found.id) not in ids:
                self._kept.append(found)

    def drop(self, old: Resource) -> None:
        """Take a resource out of the state before."""
        with self._lock:
            self._kept = [item for item in self._kept if item is not old]

    def set_outputs(self, urn: str, outputs: Properties) -> None:
        """The outputs of a component or of the stack."""
        with self._lock:
            for item in self._made:
                if item.urn == urn:
                    item.outputs = outputs

    def settle(self) -> None:
        """Forget what earlier operations left half done: all that is declared has been seen to."""
        with self._lock:
            self._pending.clear()

    def save(self) -> None:
        """Write the state, unless this is a preview."""
        with self._lock:
            if self._save is not None:
                self._save(self.snapshot())

    def fail(self, resource: str, reason: str) -> None:
        """Note why the operation cannot go on; nothing new begins after it."""
        with self._lock:
            self.errors.append(f"{resource}: {reason}")

    def block(self, step: Step, resource: str, reason: str) -> None:
        """Note a step that `protect` forbids, which ends the operation like a failure."""
        with self._lock:
            self.blocked.append(step)
            self.fail(resource, reason)

    def require_running(self) -> None:
        """Raises `Stopped` when nothing new may begin."""
        if self.errors or requested():
            raise Stopped

    @contextmanager
    def step(self, step: Step, resource: Resource, *, shown: bool = True) -> Iterator[dict[str, Any]]:
        """One step around the work that it tells of; gives a mapping that takes what only the work shows.

        Args:
            step: what to tell; status, seconds and error are filled in.
            resource: whose secrets never appear in the error.
            shown: false for the second half of a replacement, which is told of only when it fails.

        Raises:
            Stopped: the work failed, or nothing new may begin.
        """
        self.require_running()
        writes = step.operation not in {"same", "refresh"} and not self.preview
        began = time.monotonic()
        self.progress.begin(step.urn, step.type)
        with self._lock:
            if not self.preview and shown:
                self._tell(replace(step, status="running"))
            if writes:
                self._pending[step.urn] = step.operation
                self.save()
        error, uncertain, found = None, False, dict[str, Any]()
        try:
            yield found
        except Exception as failure:
            known = isinstance(failure, ProviderError)
            # A create whose answer was lost may have made something: the next operation looks for it.
            uncertain = isinstance(failure, UncertainError)
            said = str(failure) if known else f"unexpected {type(failure).__name__}: {failure}"
            error = redact(said, resource.inputs, resource.outputs)
            self.fail(resource.name, error)
            raise Stopped from None if known else failure
        finally:
            self.progress.end(step.urn)
            with self._lock:
                if writes:
                    if not uncertain:
                        self._pending.pop(step.urn, None)
                    self.save()
                if shown or error:
                    status = "failed" if error else "planned" if self.preview else "done"
                    self._tell(replace(step, status=status, seconds=time.monotonic() - began, error=error, **found))

    def _tell(self, step: Step) -> None:
        # The stack itself is the engine's own business.
        if step.type.startswith("pulumi:"):
            return
        if step.status != "running":
            self.steps.append(step)
        if self._on_step is not None:
            self._on_step(step)
