"""What a function or trigger could touch that a rollback does not take back: sequences, and anything outside.

Read from the source text, so it is careful: dynamic SQL counts as reaching whatever there is.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pgschema.surface import Function, Relation, Surface

# What these extensions do is not undone by a rollback, or counts in sequences.
OUTWARD = frozenset({"http", "pg_net", "dblink", "postgres_fdw", "file_fdw", "wrappers", "pg_cron", "pgmq", "plsh"})
OUTWARD_SCHEMAS = frozenset({"net", "cron", "pgmq"})
COUNTING = (
    "nextval",
    "setval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_sleep",
)
DYNAMIC = re.compile(r"\bexecute\b(?!\s+(?:function|procedure)\b)", re.IGNORECASE)
CALL = re.compile(r"([A-Za-z_][\w$]*)\"?\s*\(")
# A write to a table fires that table's triggers in turn.
WRITE = re.compile(
    r"\b(?:(?:insert|merge)\s+into|update|delete\s+from)\s+(?:only\s+)?(?:\"?[\w$]+\"?\s*\.\s*)?\"?([\w$]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reach:
    """Ids of functions, and of relations by what must not be done with them on a live database."""

    functions: frozenset[int]
    readers: frozenset[int]
    writers: frozenset[int]
    deleters: frozenset[int]

    def reading(self, relation: Relation) -> bool:
        """Whether reading the relation could reach outside."""
        return relation.id in self.readers

    def deleting(self, relation: Relation) -> bool:
        """Whether deleting a row could, by way of the foreign keys that point at it."""
        return relation.id in self.deleters or relation.id in self.writers

    def writing(self, relation: Relation) -> bool:
        """Whether writing a row could reach outside or move a sequence."""
        return relation.id in self.writers


@dataclass(frozen=True)
class Source:
    """What the source of a function names: functions called, tables written, and whether it makes SQL itself."""

    called: frozenset[str]
    written: frozenset[str]
    dynamic: bool

    def reaches(self, names: set[str], tables: set[str], *, dynamic: bool) -> bool:
        """Whether it calls one of the functions or writes one of the tables, or may by dynamic SQL."""
        return (dynamic and self.dynamic) or bool(self.called & names or self.written & tables)


def read_reach(surface: Surface) -> Reach:
    """Follow calls by name from everything that reaches outside or moves a sequence."""
    names = {name.lower() for name in COUNTING}
    unsafe: set[int] = set()
    for each in surface.functions:
        if _outward(each):
            names.add(each.name.lower())
            unsafe.add(each.id)
    tables: set[str] = {name.lower() for name in surface.counted}
    # Dynamic SQL may do anything that there is to do.
    dynamic = bool(unsafe or tables or surface.sequences)
    writers: set[int] = set()
    sources = [(each, _read(each)) for each in surface.functions if each.member is None and not each.supabase]
    while True:
        before = len(unsafe), len(writers)
        for each, source in sources:
            if each.id not in unsafe and source.reaches(names, tables, dynamic=dynamic):
                unsafe.add(each.id)
                names.add(each.name.lower())
        for relation in surface.relations.values():
            if relation.id not in writers and any(trigger["function"] in unsafe for trigger in relation.triggers):
                writers.add(relation.id)
                tables.add(relation.name.lower())
        if (len(unsafe), len(writers)) == before:
            break
    readers = _readers(surface.relations.values(), unsafe)
    writers |= {each.id for each in surface.relations.values() if set(each.parents) & writers or each.kind == "f"}
    return Reach(frozenset(unsafe), readers, frozenset(writers), _deleters(surface, writers))


def _deleters(surface: Surface, writers: set[int]) -> frozenset[int]:
    found: set[int] = set()
    relations = list(surface.relations.values())
    for _ in relations:
        reached = writers | found
        more = {key.target for each in relations if each.id in reached for key in each.keys if key.acts}
        if more <= found:
            break
        found |= more
    return frozenset(found)


def _outward(function: Function) -> bool:
    if function.member:
        return function.member in OUTWARD or not function.trusted
    own_c = function.language == "c" and not function.supabase
    untrusted = not function.trusted and function.language not in {"c", "internal"}
    return (
        own_c or untrusted or function.schema in OUTWARD_SCHEMAS or bool(re.match(r"http(_|$)|dblink", function.name))
    )


def _read(function: Function) -> "Source":
    source = function.source
    called = frozenset(name.lower() for name in CALL.findall(source))
    written = frozenset(name.lower() for name in WRITE.findall(source))
    return Source(called, written, DYNAMIC.search(source) is not None)


def _readers(relations: Iterable[Relation], unsafe: set[int]) -> frozenset[int]:
    """Foreign tables, and what reads them or calls such a function."""
    relations = list(relations)
    found = {each.id for each in relations if each.kind == "f" or each.calls & unsafe}
    for _ in relations:
        # A partitioned table reads its foreign partitions.
        parents = {parent for each in relations if each.id in found for parent in each.parents}
        more = parents | {each.id for each in relations if each.reads & found}
        if more <= found:
            break
        found |= more
    return frozenset(found)
