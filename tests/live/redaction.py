"""Takes out of recorded exchanges what is secret, and what is ours alone, so that they can be published and replayed.

A secret becomes `[secret]`. A name of ours or an id that a later request repeats becomes a mask such as `__RUN__` or
`__ID_3__`, the same everywhere; the replay puts its own in.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.live.recorder import Exchange

SECRET = "[secret]"
# Fields that hold one, whatever it looks like.
FIELDS = re.compile(r"(db_|smtp_)?pass(word)?|.*secret$|.*_token$|api_key|prefix|hash|encrypted_value|action_link")
LOOKS = re.compile(
    r"sb_(?:secret|publishable)_[\w-]+|sbp_\w+|gh[a-z]_\w+|github_pat_\w+|eyJ[\w-]+\.[\w.-]+|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
)
EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}")
ID = re.compile(r"(id|ref|uid|sha)|.*(_id|Id)")
SHORTEST = 6  # of the names that are masked inside a text too
LONG = 8  # what such a field holds is a secret elsewhere too, from this length on


def redact(exchanges: list[Exchange], *, secrets: Collection[str], names: Mapping[str, str]) -> list[Exchange]:
    """The exchanges without secrets and with masks.

    Args:
        secrets: texts that are known to be secret.
        names: text of ours -> its mask.

    Raises:
        AssertionError: a known secret is still there.
    """
    masks = {**names, **_ids(exchanges, names)}
    masking = {text: mask for text, mask in masks.items() if len(text) >= SHORTEST}
    held = {text for one in exchanges for part in (one.request, one.answer) for text in _given(part, FIELDS)}
    known = sorted({*filter(None, secrets), *(text for text in held if len(text) >= LONG)}, key=len, reverse=True)

    def clean(text: str) -> str:
        for secret in known:
            text = text.replace(secret, SECRET)
        text = EMAIL.sub("someone@example.com", LOOKS.sub(SECRET, text))
        for name in sorted(masking, key=len, reverse=True):
            text = text.replace(name, masking[name])
        return text

    def value(part: Any, field: str = "") -> Any:
        if isinstance(part, dict):
            return {clean(name): value(inner, name) for name, inner in part.items()}
        if isinstance(part, list):
            return [value(inner, field) for inner in part]
        if ID.fullmatch(field) and str(part) in masks:
            return masks[str(part)]
        if isinstance(part, str):
            return SECRET if part and FIELDS.fullmatch(field) else clean(part)
        return part

    def path(whole: str) -> str:
        segments, _, query = whole.partition("?")
        masked = "/".join(masks.get(segment) or clean(segment) for segment in segments.split("/"))
        return f"{masked}?{clean(query)}" if query else masked

    done = [
        replace(one, path=path(one.path), request=value(one.request), answer=value(one.answer)) for one in exchanges
    ]
    text = json.dumps([[one.path, one.request, one.answer] for one in done], ensure_ascii=False)
    assert not [secret for secret in known if secret in text], "a secret would have been written"
    return done


def _ids(exchanges: list[Exchange], names: Mapping[str, str]) -> dict[str, str]:
    """Ids that an answer gives and a request repeats -> their masks."""
    segments = {segment for one in exchanges for segment in one.path.partition("?")[0].split("/")}
    repeated = segments.union(text for one in exchanges for text in _given(one.request)) - {"", *names}
    found = dict.fromkeys(text for one in exchanges for text in _given(one.answer) if text in repeated)
    return {text: f"__ID_{number}__" for number, text in enumerate(found, 1)}


def _given(part: Any, fields: re.Pattern[str] = ID, field: str = "") -> Iterator[str]:
    """What stands in fields of such names."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from _given(inner, fields, name)
    elif isinstance(part, list):
        for inner in part:
            yield from _given(inner, fields, field)
    elif part is not None and fields.fullmatch(field):
        yield str(part)
