"""The live catalog as {object: definition}, and how it differs from the reviewed one in `sql/snapshot.json`.

Object names are a kind and a path: `policy public.contacts.contacts_member`. The security part is what decides who may
see or change rows: it has to be exact. Everything else that differs is told, never guessed at.
"""

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components.errors import OperatorError
from components.schema.migrations import SQL

SNAPSHOT = SQL / "snapshot.json"
SECURITY = frozenset({"schema", "rls", "policy", "grants", "function", "view"})

# Where a definition falls into parts that can differ alone.
PIECE = re.compile(
    r"; |\n\s*|, (?=forced)| (?=using \(|with check \(|not null|default |\((?:disabled|invalid|mode \w)\)$)"
)
LONGEST = 120
KEEP = "or keep it: take it over in a migration and run make snapshot."

Catalog = Mapping[str, str]


@dataclass(frozen=True)
class Differences:
    """What differs from the snapshot: objects with what happened to them.

    Attributes:
        security: differences in who may see or change rows.
        other: differences in our own tables that security does not hang on.
        foreign: objects that our migrations did not make.
    """

    security: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, str] = field(default_factory=dict)
    foreign: tuple[str, ...] = ()

    def warnings(self, expected: Catalog) -> tuple[str, ...]:
        """What an apply leaves as it is, a line each with the remedy."""
        told = [f"{name}: {what}. {_remedy(name, what, expected)}" for name, what in self.other.items()]
        return (*told, *(f"{name}: not made by our migrations, left alone" for name in self.foreign))


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
    found = {name: _what(live.get(name), expected.get(name)) for name in sorted({*own, *expected})}
    wrong = {name: what for name, what in found.items() if what}
    foreign = (name for name in live if name not in own and _kind(name) in {"table", "view", "matview", "function"})
    return Differences(
        security={name: what for name, what in wrong.items() if _kind(name) in SECURITY},
        other={name: what for name, what in wrong.items() if _kind(name) not in SECURITY},
        foreign=tuple(sorted(foreign)),
    )


def readable(live: Catalog, expected: Catalog) -> dict[str, str]:
    """The digests of the snapshot, and beside them an entry for each difference of our own objects that says what it
    is: `policy public.deals.deals_member: using (true)`. Reports show names and no values.
    """
    differences = compare(live, expected)
    found = {**differences.security, **differences.other}
    said = {f"{name}: {what}".replace('"', "'"): live.get(name, "") for name, what in found.items()}
    return digests({**expected, **said})


def _what(live: str | None, expected: str | None) -> str:
    """What became of one object, in at most some hundred characters; nothing when it is as reviewed."""
    if live == expected:
        return ""
    if live is None:
        return "missing"
    here, there = _pieces(live), _pieces(expected or "")
    new = [piece for piece in here if piece not in there]
    lost = [f"without {piece}" for piece in there if piece not in here]
    said = " ".join(", ".join(new or lost).split())
    return f"{'' if expected else 'added '}{said[:LONGEST]}{'...' if said[LONGEST:] else ''}"


def _remedy(name: str, what: str, expected: Catalog) -> str:
    kind, path = name.split(" ", 1)
    if what != "missing" or kind == "column":
        return f"Undo it by hand, {KEEP}"
    table, _, own = path.rpartition(".")
    prefix = f"alter table {table} add constraint {own} " if kind == "constraint" else ""
    return f"Undo it: {prefix}{expected[name]}; {KEEP}"


def _pieces(definition: str) -> list[str]:
    return [piece for piece in PIECE.split(definition) if piece]


def _kind(name: str) -> str:
    return name.split(" ", 1)[0]


def _table(name: str) -> str:
    kind, path = name.split(" ", 1)
    return ".".join(path.split(".")[:2]) if kind not in {"function", "schema"} else ""
