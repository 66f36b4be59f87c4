"""What our resources share: checking inputs by property, value and rule, and comparing them offline."""

import re
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CheckFailure, DiffResult

from components.dynamic import is_unknown, whole

Rule = tuple[str | type, str]
"""A pattern that the whole text must match (or a type), and the rule in words. A `?` before the words: optional."""

REF: Rule = (r"[a-z]{20}", "must be a project ref: 20 lower-case letters")
OPTIONAL = frozenset({"instance_size"})
SECONDS: Rule = (int, "must be a whole number of seconds, 1 or more")


def failures(news: Mapping[str, Any], rules: Mapping[str, Rule], secret: frozenset[str] = frozenset()) -> list[Any]:
    """One `CheckFailure` for each known input that breaks its rule; values of `secret` inputs are not shown."""
    found = []
    for name, (kind, words) in rules.items():
        value = whole(news.get(name))
        if is_unknown(value) or (value is None and words.startswith("?")) or _holds(kind, value):
            continue
        shown = " is missing" if value is None else "" if name in secret else f" '{str(value)[:80]}'"
        found.append(CheckFailure(name, f"{name}{shown}: {words.lstrip('?')}"))
    return found


def difference(
    olds: Mapping[str, Any],
    news: Mapping[str, Any],
    *,
    replaces: tuple[str, ...] = (),
    quiet: frozenset[str] = frozenset(),
    optional: frozenset[str] = OPTIONAL,
    stable: Mapping[str, str] | None = None,
) -> DiffResult:
    """Compare desired with recorded values, without the network.

    Args:
        olds: recorded outputs, which hold every input.
        news: desired inputs.
        replaces: inputs that are the resource's identity. An unknown one replaces too: dependents take the
            project's id, and a preview does not know that id only when there will be another project.
        quiet: inputs that only steer an operation; a change of nothing else is no change.
        optional: inputs that may be left out; one that no longer is given is a change.
        stable: input -> the input that settles it. While the second is known and as recorded, an unknown first
            counts as unchanged.
    """
    settled = {name for name, anchor in (stable or {}).items() if _unchanged(anchor, olds, news)}
    changed = {
        name
        for name in news
        if name not in quiet and not _unchanged(name, olds, news) and not (name in settled and is_unknown(news[name]))
    }
    dropped = {name for name in olds if name in optional and name not in news}
    identity = [name for name in replaces if name in changed]
    # None lets the engine compare the inputs itself, which is what gives a preview its property detail.
    return DiffResult(changes=None if changed | dropped else False, replaces=identity)


def _unchanged(name: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> bool:
    value = news.get(name)
    return not is_unknown(value) and whole(value) == whole(olds.get(name))


def _holds(kind: str | type, value: Any) -> bool:
    if isinstance(kind, str):
        return isinstance(value, str) and re.fullmatch(kind, value) is not None
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 1
    return isinstance(value, kind)
