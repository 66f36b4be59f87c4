"""What is open on purpose, from `sql/checks/allowed.yaml`: each entry takes findings out of the way and is listed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import OperatorError
from pgschema.migrations import SQL
from pgschema.report import Finding

FILE = SQL / "checks" / "allowed.yaml"
SHOWN = "sql/checks/allowed.yaml"
KEYS = ("object", "role", "verb", "reason", "reviewer")
ROLES = ("anon", "authenticated", "service_role")
EXAMPLE = "See the example in the file."


@dataclass(frozen=True)
class Entry:
    """One thing that is open on purpose; `number` is its place in the file, from 1."""

    number: int
    object: str
    role: str
    verb: str
    reason: str
    reviewer: str

    def __str__(self) -> str:
        return f"{self.object}: {self.verb} as {self.role}: {self.reason} (reviewed by {self.reviewer})"

    def covers(self, finding: Finding) -> bool:
        """Whether it is about that finding."""
        name = finding.table if "." in finding.table.partition("(")[0] else f"public.{finding.table}"
        verbs = {finding.verb, finding.verb.partition(" ")[0], *finding.verb.split(", ")}
        return self.object == name and self.role == finding.role and self.verb in verbs


def read_allowed(path: Path = FILE) -> tuple[Entry, ...]:
    """Read and check the file; a missing file allows nothing.

    Raises:
        OperatorError: an entry is not as it should be; names file, entry, key and rule.
    """
    if not path.exists():
        return ()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", SHOWN, EXAMPLE) from None
    if content is None:
        return ()
    if not isinstance(content, list):
        raise OperatorError("must be a list of entries", SHOWN, EXAMPLE)
    entries = tuple(_entry(number, each) for number, each in enumerate(content, start=1))
    seen: dict[tuple[str, str, str], int] = {}
    for each in entries:
        place = (each.object, each.role, each.verb)
        if place in seen:
            raise OperatorError(f"entry {each.number} repeats entry {seen[place]}", SHOWN, "Keep one of them.")
        seen[place] = each.number
    return entries


def allowed_rights(path: Path = FILE) -> frozenset[tuple[str, str, str]]:
    """What the file allows as object, role and verb: `("public.leads", "anon", "insert")`.

    Raises:
        OperatorError: as `read_allowed`.
    """
    return frozenset((each.object, each.role, each.verb) for each in read_allowed(path))


def take_out(entries: Sequence[Entry], findings: Iterable[Finding]) -> tuple[tuple[Finding, ...], frozenset[Entry]]:
    """Findings that no entry is about, and the entries that were about one."""
    left, used = [], set()
    for finding in findings:
        about = [entry for entry in entries if entry.covers(finding)]
        used |= set(about)
        if not about:
            left.append(finding)
    return tuple(left), frozenset(used)


def unused(entries: Iterable[Entry]) -> tuple[Finding, ...]:
    """A finding for each entry that nothing needs."""
    outcome = f"nothing needs this entry of {SHOWN}: remove it"
    return tuple(Finding(each.object.removeprefix("public."), each.role, each.verb, "", outcome) for each in entries)


def _entry(number: int, content: Any) -> Entry:
    where = f"{SHOWN}, entry {number}"
    if not isinstance(content, dict):
        raise OperatorError("must map keys to texts", where, EXAMPLE)
    for key in KEYS:
        value = content.get(key)
        if not isinstance(value, str) or not value.strip():
            raise OperatorError(f"{key}: must be a text that is not empty", where, EXAMPLE)
    if extra := sorted(str(key) for key in content if key not in KEYS):
        raise OperatorError(f"{extra[0]}: is not a key; the keys are {', '.join(KEYS)}", where, EXAMPLE)
    if "." not in content["object"].partition("(")[0] and " " not in content["object"]:
        raise OperatorError("object: must be named with its schema, as public.countries", where, EXAMPLE)
    if content["role"] not in ROLES:
        raise OperatorError(f"role: must be one of {', '.join(ROLES)}", where, EXAMPLE)
    if content["verb"] != content["verb"].lower():
        raise OperatorError("verb: must be in lower case, as select", where, EXAMPLE)
    return Entry(number, *(content[key].strip() for key in KEYS))
