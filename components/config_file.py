"""One settings file as a mapping of our keys, and refusals that name file, property, value and rule."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import OperatorError, printable
from components.settings_file import OTHER_SUFFIX, read_settings_file

PROJECT = "client-environments"
# Digits alone: YAML readers do not agree on the value of 010, 1_000 or 0x10.
WHOLE = re.compile(r"[1-9][0-9]{0,6}")
EMAIL = re.compile(r"[^@\s\"<>(),;:\\\[\]]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")


class Layer:
    """One settings file, or a mapping inside it: its keys without the project's prefix.

    Args:
        path: the file.
        known: the keys that it may hold.

    Attributes:
        name: what refusals call it.

    Raises:
        OperatorError: no such file, not YAML, or an unknown key; each reader below raises it for a wrong value.
    """

    def __init__(self, path: Path, known: frozenset[str]) -> None:
        self.name = path.name
        config = read_settings_file(path).get("config")
        if path.with_suffix(OTHER_SUFFIX).exists():
            raise OperatorError(
                f"stands beside {path.name}, and only {path.name} is read",
                path.with_suffix(OTHER_SUFFIX).name,
                "Remove one of the two.",
            )
        if not isinstance(config, Mapping):
            raise OperatorError("must hold a mapping `config:`", self.name)
        prefix = f"{PROJECT}:"
        self._take(
            {str(key).removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)},
            known,
        )

    @classmethod
    def of(cls, parent: "Layer", name: str, values: Any, known: frozenset[str]) -> "Layer":
        """A mapping inside another layer."""
        layer = cls.__new__(cls)
        layer.name = f"{parent.name} {name}"
        if not isinstance(values, Mapping):
            raise parent.refuse(name, values, "must be a mapping")
        layer._take(dict(values), known)
        return layer

    def _take(self, values: dict[str, Any], known: frozenset[str]) -> None:
        if unknown := sorted(map(str, values.keys() - known)):
            raise self.refuse(unknown[0], values.get(unknown[0]), f"is unknown; known are {', '.join(sorted(known))}")
        for key, value in values.items():
            if isinstance(value, Mapping) and value.keys() == {"secure"}:
                raise OperatorError(
                    f"{key} is encrypted, and no setting is a secret", self.name, "Set it with --plaintext."
                )
        self._values = values

    def refuse(self, key: str, value: Any, rule: str) -> OperatorError:
        """The refusal of a value, in one line; what a terminal would obey is written out."""
        shown = str(value) if len(str(value)) <= 80 else f"{str(value)[:77]}..."
        return OperatorError(printable(f"{key} '{shown}' {rule}"), self.name)

    def text(self, key: str, default: str | None = None) -> str:
        """Text without space around it; without a default it must not be empty."""
        value = self._values.get(key, default)
        if value is None or (value == "" and default is None):
            raise OperatorError(f"{key} is missing or empty", self.name)
        if not isinstance(value, str):
            raise self.refuse(key, value, "must be text")
        return value.strip() or self._empty(key, default)

    def _empty(self, key: str, default: str | None) -> str:
        if default is None:
            raise OperatorError(f"{key} is missing or empty", self.name)
        return default

    def email(self, key: str) -> str:
        """An e-mail address."""
        value = self.text(key)
        if not EMAIL.fullmatch(value) or len(value) > 254:
            raise self.refuse(key, value, "must be an e-mail address")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self._values.get(key, str(default).lower())
        if value not in ("true", "false"):
            raise self.refuse(key, value, "must be true or false")
        return bool(value == "true")

    def count(self, key: str, default: int) -> int:
        """A whole number from 1 to a million."""
        value = self._values.get(key, str(default))
        if not isinstance(value, str) or not WHOLE.fullmatch(value) or not 1 <= int(value) <= 1_000_000:
            raise self.refuse(key, value, "must be a whole number, 1 to 1000000")
        return int(value)

    def number(self, key: str, choices: tuple[int, ...]) -> int:
        """One of these numbers."""
        value = self._values.get(key, "")
        if value not in [str(choice) for choice in choices]:
            raise self.refuse(key, value, f"must be one of {', '.join(map(str, choices))}")
        return int(value)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts; missing, it is empty."""
        values = self._values.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.refuse(key, values, "must be a list of texts")
        return tuple(value.strip() for value in values)

    def mapping(self, key: str) -> Mapping[str, Any]:
        """A mapping; missing, it is empty."""
        value = self._values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.refuse(key, value, "must be a mapping")
        return value
