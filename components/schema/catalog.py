"""The live catalog as {object: definition}, and how it differs from the reviewed one in `sql/snapshot.json`.

Object names are a kind and a path: `policy public.contacts.contacts_member`. The security part is what decides who may
see or change rows: it has to be exact. Everything else that differs is told, never guessed at.
"""

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from components.errors import OperatorError
from components.schema.migrations import SQL

SNAPSHOT = SQL / "snapshot.json"
SECURITY = frozenset({"schema", "rls", "policy", "grants", "function", "view"})

Catalog = Mapping[str, str]


@dataclass(frozen=True)
class Differences:
    """What differs from the snapshot, each as `object (changed|missing|added)`.

    Attributes:
        security: differences in who may see or change rows.
        other: differences in our own tables that security does not hang on.
        foreign: objects that our migrations did not make.
    """

    security: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()


@functools.cache
def query() -> str:
    """The catalog query; run it with an empty `search_path`. Rows are object and definition."""
    return (SQL / "checks" / "catalog.sql").read_text(encoding="utf-8")


def read_snapshot(path: Path = SNAPSHOT) -> dict[str, str]:
    """The reviewed catalog.

    Raises:
        OperatorError: the file is missing or not a mapping of text to text.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", str(path), "Write it: make snapshot.") from None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise OperatorError("must map objects to definitions", str(path), "Write it: make snapshot.")
    return content


def digests(catalog: Catalog) -> dict[str, str]:
    """Each object with the first 16 hexadecimal digits of its definition's SHA-256."""
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in sorted(catalog.items())}


def ours(live: Catalog, expected: Catalog) -> dict[str, str]:
    """The live objects that are in the snapshot or belong to a table that is."""
    tables = {_table(name) for name in expected if name.startswith("table ")}
    return {name: text for name, text in live.items() if name in expected or _table(name) in tables}


def compare(live: Catalog, expected: Catalog) -> Differences:
    """Sort what differs between a live catalog and the snapshot into security, other and foreign."""
    own = ours(live, expected)
    found = [(name, "missing") for name in expected if name not in live]
    found += [(name, "changed") for name, text in own.items() if name in expected and expected[name] != text]
    found += [(name, "added") for name in own if name not in expected]
    lines = [(_kind(name) in SECURITY, f"{name} ({what})") for name, what in sorted(found)]
    foreign = (name for name in live if name not in own and _kind(name) in {"table", "view", "matview", "function"})
    return Differences(
        security=tuple(line for secure, line in lines if secure),
        other=tuple(line for secure, line in lines if not secure),
        foreign=tuple(sorted(foreign)),
    )


def _kind(name: str) -> str:
    return name.split(" ", 1)[0]


def _table(name: str) -> str:
    kind, path = name.split(" ", 1)
    return ".".join(path.split(".")[:2]) if kind not in {"function", "schema"} else ""
