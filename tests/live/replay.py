"""Asks again what was recorded, and tells where an answer differs: in status, or in shape (its keys and types)."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.live.recorder import Exchange

MASK = re.compile(r"__[A-Z_\d]+?__")
Ask = Callable[..., httpx.Response]


def settled(exchanges: list[Exchange]) -> list[Exchange]:
    """Without what was asked again later because it was not ready: an emulator is ready at once."""
    kept: list[Exchange] = []
    for index, one in enumerate(exchanges):
        again = [each for each in exchanges[index + 1 :] if _question(each) == _question(one)]
        polled = one.method == "GET" and any(
            _question(each) == _question(one) for each in _until_write(exchanges, index)
        )
        if not polled and not (one.status >= 400 and any(each.status < 400 for each in again)):
            kept.append(one)
    return kept


def _question(one: Exchange) -> tuple[str, str, str]:
    return one.method, one.path, repr(one.request)


def _until_write(exchanges: list[Exchange], index: int) -> Iterator[Exchange]:
    for each in exchanges[index + 1 :]:
        if each.method != "GET":
            return
        yield each


def replay(exchanges: list[Exchange], ask: Ask, bound: dict[str, Any]) -> list[str]:
    """What differs, one line each.

    Args:
        exchanges: recorded and redacted ones, in their order.
        ask: sends a request, as `httpx.request` does without the host.
        bound: mask -> what stands for it here; ids that answers give are added.
    """
    faults: list[str] = []
    for one in settled(exchanges):
        what = f"{one.method} {one.path}"
        body = {} if one.request is None else {"json": _filled(one.request, bound)}
        answer = ask(one.method, _filled(one.path, bound), **body)
        if answer.status_code != one.status:
            faults.append(f"{what}: status {answer.status_code}, recorded {one.status}")
            continue
        content = answer.json() if answer.content else None
        faults += [f"{what}: {fault}" for fault in differences(one.answer, content)]
        _bind(one.answer, content, bound)
    return faults


def differences(recorded: Any, answer: Any, where: str = "answer") -> list[str]:
    """Keys that only one of two answers has, and values of different types; null and masks are of every type."""
    if _any(recorded) or _any(answer):
        return []
    if _kind(recorded) != _kind(answer):
        return [f"{where} is {_kind(answer)}, recorded {_kind(recorded)}"]
    if isinstance(recorded, dict):
        missing = [f"{where}.{name} is missing" for name in recorded.keys() - answer.keys()]
        invented = [f"{where}.{name} was not recorded" for name in answer.keys() - recorded.keys()]
        both = recorded.keys() & answer.keys()
        inner = [differences(recorded[name], answer[name], f"{where}.{name}") for name in sorted(both)]
        return [*sorted(missing), *sorted(invented), *(fault for faults in inner for fault in faults)]
    if isinstance(recorded, list) and recorded and answer:
        # Items of several shapes: each here is to be like one that was recorded.
        closest = [min((differences(real, ours, f"{where}[{n}]") for real in recorded), key=len)
                   for n, ours in enumerate(answer)]  # fmt: skip
        return [fault for faults in closest for fault in faults]
    return []


def _any(value: Any) -> bool:
    return value is None or (isinstance(value, str) and MASK.fullmatch(value) is not None)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "a boolean"
    kinds: dict[type, str] = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}
    return kinds[type(value)]


def _filled(value: Any, bound: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(part, bound) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, bound) for part in value]
    if not isinstance(value, str):
        return value
    if value in bound:
        return bound[value]
    return MASK.sub(lambda mask: str(bound.get(mask.group(), mask.group())), value)


def _bind(recorded: Any, answer: Any, bound: dict[str, Any]) -> None:
    if isinstance(recorded, dict) and isinstance(answer, dict):
        for name in recorded.keys() & answer.keys():
            _bind(recorded[name], answer[name], bound)
    elif isinstance(recorded, list) and isinstance(answer, list) and len(recorded) == len(answer):
        for one, other in zip(recorded, answer, strict=True):
            _bind(one, other, bound)
    elif isinstance(recorded, str) and MASK.fullmatch(recorded) and answer is not None:
        bound.setdefault(recorded, answer)
