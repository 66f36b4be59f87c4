"""Lists in pages as GitHub gives them: `page`, `per_page`, the neighbours in a `Link` header."""

from typing import Any
from urllib.parse import urlencode

from local.emulators.rest import Call

MOST = 100


def page(call: Call, entries: list[Any], per_page: int = 30) -> tuple[list[Any], dict[str, str]]:
    """Return the entries of the page that was asked for, and the headers that lead to the others.

    Args:
        per_page: entries of a page where the caller does not say.
    """
    size = min(_number(call, "per_page") or per_page, MOST)
    number = _number(call, "page") or 1
    last = max(-(-len(entries) // size), 1)
    places = {}
    if number > 1:
        places["prev"] = min(number - 1, last)
    if number < last:
        places |= {"next": number + 1, "last": last}
    if number > 1:
        places["first"] = 1
    links = ", ".join(f'<{_address(call, place)}>; rel="{name}"' for name, place in places.items())
    return entries[(number - 1) * size : number * size], {"link": links} if links else {}


def _address(call: Call, number: int) -> str:
    query = {**call.query, "page": str(number)}
    return f"{call.base}{call.route.partition('?')[0]}?{urlencode(query)}"


def _number(call: Call, name: str) -> int:
    """The number in the query; 0 for none, and for other text, which GitHub passes over."""
    given = call.query.get(name, "")
    return int(given) if given.isdecimal() else 0
