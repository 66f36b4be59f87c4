"""Asks again what was recorded, and tells where an answer differs: in status, or in shape (its keys and types)."""

import functools
import itertools
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.live.accounts import Accounts
from tests.live.recorder import Exchange, load
from tests.live.sweep import find, new_run, remove

MASK = re.compile(r"__[A-Z_\d]+?__")
RUN, OWNER, ORGANIZATION = "__RUN__", "__OWNER__", "__ORGANIZATION__"
Ask = Callable[..., httpx.Response]


def settled(exchanges: list[Exchange]) -> list[Exchange]:
    """Without what was asked again later because it was not ready, since an emulator is ready at once; and without
    "not modified", which answers a header that is not kept."""
    heard = [one for one in exchanges if one.status != httpx.codes.NOT_MODIFIED]
    return [one for index, one in enumerate(heard) if not _asked_again(one, heard[index + 1 :])]


def _asked_again(one: Exchange, later: list[Exchange]) -> bool:
    def same(each: Exchange) -> bool:
        return (each.method, each.path, each.request) == (one.method, one.path, one.request)

    reads = itertools.takewhile(lambda each: each.method == "GET", later)
    polled = one.method == "GET" and any(map(same, reads))
    return polled or (one.status >= 400 and any(each.status < 400 for each in later if same(each)))


def replay_file(file: Path, accounts: Accounts) -> list[str]:
    """Replay a service's recording in emulated accounts, under the name of a run of its own; nothing of it stays."""
    run, exports = new_run(), accounts.exports
    bound = {RUN: run, OWNER: exports["GITHUB_OWNER"], ORGANIZATION: exports["SUPABASE_ORG_SLUG"]}
    try:
        return replay(load(file), functools.partial(accounts.ask, file.stem), bound)
    finally:
        for one in find(accounts, older_than=timedelta(0)):
            if one.name == run:
                remove(accounts, one)


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
