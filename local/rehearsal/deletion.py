"""Deletes resources, dependents first, and reads what is really there."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from automation.engine import Step
from local.rehearsal.diff import differences, written
from local.rehearsal.journal import Journal, Stopped
from local.rehearsal.provider import Provider, ProviderError
from local.rehearsal.providers import Providers
from local.rehearsal.state import Resource
from local.rehearsal.values import mark_secrets

PARALLEL = 16


class Deletion:
    """Deletes through the providers and takes out of the state what is gone."""

    def __init__(self, journal: Journal, providers: Providers) -> None:
        self._journal, self._providers = journal, providers
        self._condemned: set[str] = set()

    def delete_all(self, condemned: Sequence[Resource]) -> None:
        """Delete resources, those that others need last; independent ones at the same time."""
        self._condemned |= {item.urn for item in condemned}
        for generation in _generations(condemned):
            _for_each(self._delete, generation)

    def delete_for_replacement(self, old: Resource) -> None:
        """Delete a resource whose new half is made next.

        Raises:
            Stopped: it failed.
        """
        self._condemned.add(old.urn)
        with self._journal.step(Step(old.urn, "replace"), old, shown=False):
            self._carry_out(old)
            old.pending_replacement = True

    def _delete(self, item: Resource) -> None:
        if item.pending_replacement:
            self._journal.drop(item)
            return
        simulated = item.custom and self._providers.find(item.type).simulated
        step = Step(item.urn, "replace" if item.delete else "delete", simulated=simulated)
        refusal = "is protected: remove `protect` and run `up` before it can be deleted"
        protected = item.protect and not item.delete
        if protected and self._journal.preview:
            self._journal.block(step, item.name, refusal)
            return
        with self._journal.step(step, item, shown=not item.delete):
            if protected:
                raise ProviderError(refusal)
            self._carry_out(item)
            self._journal.drop(item)

    def _carry_out(self, item: Resource) -> None:
        skipped = item.retain or item.deleted_with in self._condemned
        if item.custom and not skipped and not self._journal.preview:
            self._providers.find(item.type).delete(item)


def refresh_all(journal: Journal, providers: Providers, *, alone: bool = False) -> None:
    """Read every resource; what is gone leaves the state, what differs is taken over.

    Args:
        alone: no program follows, so the steps tell what became of each resource: `same`, `update` or `delete`.
    """

    def refresh(item: Resource) -> None:
        provider = providers.find(item.type) if item.custom else None
        with journal.step(Step(item.urn, "refresh", simulated=bool(provider and provider.simulated)), item) as found:
            gone, changed = _read(provider, item) if provider and not item.pending_replacement else (False, ())
            found["changed"] = changed
            if alone:
                found["operation"] = "delete" if gone else "update" if changed else "same"
            if gone:
                journal.drop(item)

    _for_each(refresh, journal.kept)


def _read(provider: Provider, item: Resource) -> tuple[bool, tuple[str, ...]]:
    """Take over what is live; gives whether it is gone, and the paths of inputs that differ."""
    live = provider.read(item)
    if live is None:
        return True, ()
    before = item.inputs
    item.outputs = mark_secrets(live.outputs, item.outputs, item.inputs)
    if live.inputs is not None:
        item.inputs = mark_secrets(live.inputs, item.inputs)
    return False, tuple(map(written, differences(before, item.inputs)))


def _for_each(work: Callable[[Resource], None], items: Iterable[Resource]) -> None:
    """Do the work for each item, some at the same time; one that fails lets those that run end."""

    def attempt(item: Resource) -> None:
        with suppress(Stopped):
            work(item)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(attempt, items))


def _generations(condemned: Sequence[Resource]) -> list[list[Resource]]:
    """Resources grouped so that each group needs only later ones."""
    left, generations = list(condemned), list[list[Resource]]()
    while left:
        urns = {item.urn for item in left}
        free = [item for item in left if not (item.needs() - {item.urn}) & urns] or left
        generations.insert(0, free)
        taken = set(map(id, free))
        left = [item for item in left if id(item) not in taken]
    return generations
