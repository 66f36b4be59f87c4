"""`random:index/randomPassword:RandomPassword`, made in this process with the semantics of Pulumi's provider."""

import secrets
import string
from collections.abc import Mapping
from typing import Any

from local.rehearsal.provider import Provider
from local.rehearsal.state import Resource
from local.rehearsal.values import Properties, Secret, has_unknown, plain

CLASSES = {
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "numeric": string.digits,
    "special": "!@#$%&*()-_=+[]{}<>:?",
}


class PasswordProvider(Provider):
    """Any change of inputs makes a new password; `bcryptHash` stays empty, nothing here computes it."""

    identity = frozenset(
        {"length", "keepers", "overrideSpecial", "number", *CLASSES, *(f"min{name.title()}" for name in CLASSES)}
    )

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        if has_unknown(dict(news)):
            return dict(news), []
        asked = plain(dict(news))
        least = sum(asked.get(f"min{name.title()}", 0) for name in CLASSES)
        if not isinstance(asked.get("length"), int) or asked["length"] < max(least, 1):
            return dict(news), [f"length: must be {max(least, 1)} or more"]
        if not any(_alphabets(asked).values()):
            return dict(news), ["special: no character is left to choose from"]
        return dict(news), []

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        asked = plain(dict(inputs))
        alphabets = _alphabets(asked)
        chosen = [
            secrets.choice(alphabets[name]) for name in CLASSES for _ in range(asked.get(f"min{name.title()}", 0))
        ]
        everything = "".join(alphabets.values())
        chosen += [secrets.choice(everything) for _ in range(asked["length"] - len(chosen))]
        secrets.SystemRandom().shuffle(chosen)
        return "none", {**inputs, "result": Secret("".join(chosen)), "bcryptHash": Secret("")}

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        return {**old.outputs, **news}


def _alphabets(asked: Mapping[str, Any]) -> dict[str, str]:
    """Character class -> its characters, empty when switched off."""
    wanted = {name: asked.get(name, True) for name in CLASSES}
    wanted["numeric"] = asked.get("numeric", asked.get("number", True))
    special = asked.get("overrideSpecial") or CLASSES["special"]
    return {name: (special if name == "special" else CLASSES[name]) if wanted[name] else "" for name in CLASSES}
