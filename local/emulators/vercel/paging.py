"""Lists in pages as Vercel gives them, newest first; `until` takes the time that `next` names."""

from typing import Any

from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document

DEFAULT_LIMIT = 20
MOST = 100


def page(call: Call, field: str, entries: list[Document]) -> Document:
    """Return {field: entries of this page, "pagination": {count, next, prev}}.

    Entries of one millisecond stay together, because `next` could not tell them apart.

    Args:
        entries: each with its `createdAt`, in milliseconds.

    Raises:
        RefusedError: `limit` or `until` is not a number.
    """
    limit, until = _number(call, "limit") or DEFAULT_LIMIT, _number(call, "until")
    newest_first = sorted(entries, key=lambda entry: entry["createdAt"], reverse=True)
    left = [one for one in newest_first if until is None or one["createdAt"] < until]
    shown = left[: min(limit, MOST)]
    shown += [one for one in left[len(shown) :] if one["createdAt"] == shown[-1]["createdAt"]]
    more = len(left) > len(shown)
    pagination = {
        "count": len(shown),
        "next": shown[-1]["createdAt"] if more else None,
        "prev": shown[0]["createdAt"] if shown else None,
    }
    return {field: shown, "pagination": pagination}


def _number(call: Call, name: str) -> int | None:
    given: Any = call.query.get(name)
    if given is None:
        return None
    if not given.isdecimal():
        raise RefusedError(400, f"Invalid request: `{name}` should be a number.", "bad_request")
    return int(given)
