"""The live catalog as {object: definition}, and how it differs from `sql/snapshot.json`.

Object names are a kind and a path: `policy public.contacts.contacts_member`. The catalog holds everything in a database
that Supabase did not make (see `sql/checks/catalog.sql`). Three groups differ in what becomes of a difference: the
security part of what our migrations make is repaired, the rest of it is reported with a remedy, and a foreign object,
which the snapshot does not hold, is reported with its owner and with what it lets whom do.
"""

import functools
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import OperatorError
from pgschema.allowed import allowed_rights
from pgschema.migrations import SQL
from pgschema.rights import MARK, NAME, PUBLIC, Right, entries, owner, rights

SNAPSHOT = SQL / "snapshot.json"
SECURITY = frozenset(
    {
        *("schema", "rls", "policy", "grants", "function", "procedure", "view"),
        *("default-privileges", "published"),
    }
)
RELATIONS = ("table", "view", "matview", "foreign-table", "sequence")
# Named after the relation they belong to: `column public.contacts.email`.
PARTS = frozenset(
    {
        *("column", "constraint", "index", "policy", "trigger", "rule", "rls", "grants"),
        *("statistics", "published"),
    }
)
ROUTINES = frozenset({"function", "procedure"})
CLOSED_BY_DEFAULT = frozenset({*RELATIONS, *ROUTINES, "aggregate", "schema", "server"})
UNOWNED = frozenset({"database", "parameter", "default-privileges", "user-mapping"})
WITHOUT_RIGHTS = PARTS - {"grants"} | {"cast", "extension", "membership", "role", "setting"}
# Their definitions are the statements that make them again.
STATEMENTS = frozenset({"constraint", "index", "trigger", "rule", "statistics"})
# Where pgschema/baseline.py puts an old script's tables, closed to everybody.
ARCHIVE = "before_baseline"

# Where a definition falls into parts that can differ alone.
PIECE = re.compile(
    r"; |\n\s*|, (?=forced)| (?=using \(|with check \(|not null|default |\((?:disabled|invalid|mode \w)\)$)"
)
BODY = re.compile(r"\n(?:AS \$|BEGIN ATOMIC|RETURN ).*(?=\nrights: )", re.DOTALL)
ARGUMENTS = re.compile(r"(EXECUTE (?:FUNCTION|PROCEDURE) [^(]*)\('.*'\)")
RELATION = re.compile(rf"{NAME}\.{NAME}")
OWNED = re.compile(rf"owned by ({NAME}\.{NAME})")
VERBS = {"USAGE": "use", "CREATE": "create in"}
LONGEST, LONGEST_LINE = 120, 240
KEEP = "or keep it: take it over in a migration and run make snapshot."
FOREIGN = (
    "Not in sql/snapshot.json, left alone. Drop it, take it over in a migration and run make snapshot,"
    " or allow it in sql/checks/allowed.yaml."
)

Catalog = Mapping[str, str]
Allowed = Collection[tuple[str, str, str]]
"""What is open on purpose: object, role and verb, as `("public.leads", "anon", "insert")`; a function without its
arguments. Where none is given, `sql/checks/allowed.yaml` says it."""


@dataclass(frozen=True)
class Differences:
    """What differs from the snapshot: objects with what happened to them.

    Attributes:
        security: differences in who may see or change rows of what our migrations make.
        other: differences in what our migrations make that security does not hang on.
        foreign: objects that the snapshot does not hold, each with the line that describes it.
    """

    security: Mapping[str, str] = field(default_factory=dict)
    other: Mapping[str, str] = field(default_factory=dict)
    foreign: Mapping[str, str] = field(default_factory=dict)

    def warnings(self, expected: Catalog) -> tuple[str, ...]:
        """Return a line with the remedy for each difference that an apply leaves as it is."""
        own = [f"{name}: {what}. {_remedy(name, what, expected)}" for name, what in self.other.items()]
        return (*own, *(f"{line}. {FOREIGN}" for line in self.foreign.values()))


@functools.cache
def query() -> str:
    """Return the catalog query; run it with an empty `search_path`. Rows are object and definition."""
    return (SQL / "checks" / "catalog.sql").read_text(encoding="utf-8")


def read_snapshot(path: Path = SNAPSHOT) -> dict[str, str]:
    """Read the reviewed catalog.

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
    """Map each object to the first 16 hexadecimal digits of its definition's SHA-256."""
    return {name: hashlib.sha256(text.encode()).hexdigest()[:16] for name, text in sorted(catalog.items())}


def ours(live: Catalog, expected: Catalog) -> dict[str, str]:
    """Return the live objects that the snapshot holds, and those that belong to a relation in it.

    Default privileges of the deploying role are ours too: they decide about every table to come.
    """
    relations = {relation_of(name) for name in expected if kind_of(name) in RELATIONS}

    def own(name: str) -> bool:
        if kind_of(name) == "default-privileges":
            return " for " not in name
        return name in expected or relation_of(name) in relations

    return {name: text for name, text in live.items() if own(name)}


def compare(live: Catalog, expected: Catalog, allowed: Allowed | None = None) -> Differences:
    """Sort what differs between a live catalog and the snapshot into security, other and foreign."""
    own = ours(live, expected)
    found = {name: _what(name, live.get(name), expected.get(name)) for name in sorted({*own, *expected})}
    wrong = {name: what for name, what in found.items() if what}
    return Differences(
        security={name: what for name, what in wrong.items() if kind_of(name) in SECURITY},
        other={name: what for name, what in wrong.items() if kind_of(name) not in SECURITY},
        foreign={name: describe(name, live) for name in foreign(live, expected, allowed)},
    )


def foreign(live: Catalog, expected: Catalog, allowed: Allowed | None = None) -> dict[str, str]:
    """Return the objects that the snapshot does not hold, with their definition and that of their parts.

    Left out are objects that only do what `allowed` says, and the archive of a taken-over database while it is closed.
    """
    own = ours(live, expected)
    open_on_purpose = allowed_rights() if allowed is None else allowed
    found: dict[str, list[str]] = {}
    for name in sorted(live.keys() - own.keys()):
        if is_archived(name, live):
            continue
        found.setdefault(_head(name, live, own), []).append(f"{name}: {live[name]}")
    return {
        name: "\n".join(parts)
        for name, parts in sorted(found.items())
        if not _only_allowed(name, live, open_on_purpose)
    }


def describe(name: str, live: Catalog) -> str:
    """Say in one line what a foreign object is and what it lets whom do.

    `table public.leads_import, owner postgres: anon may select`. Neither a function's body nor a value that may be
    secret is shown.
    """
    text = rights_text(name, live)
    who = f"{name}, owner {owner(text)}" if text and kind_of(name) not in UNOWNED else name
    may = "; ".join(_may(rights(text)))
    if not may and kind_of(name) in CLOSED_BY_DEFAULT:
        may = "nobody else may use it"
    what = may or _shown(name, live[name]).partition("rights: ")[0].rstrip("; ")
    return _shortened(f"{who}: {what}{_caution(name, live)}", LONGEST_LINE)


def readable(live: Catalog, expected: Catalog, allowed: Allowed | None = None) -> dict[str, str]:
    """Return the digests of the snapshot, and beside them an entry for each difference that says what it is.

    `policy public.deals.deals_member: using (true)`, or the line of `describe`. Reports show names and no values.
    """
    differences = compare(live, expected, allowed)
    own = {**differences.security, **differences.other}
    said = {f"{name}: {what}": live.get(name, "") for name, what in own.items()}
    texts = foreign(live, expected, allowed)
    said |= {line: texts[name] for name, line in differences.foreign.items()}
    return digests({**expected, **{line.replace('"', "'"): text for line, text in said.items()}})


def found(
    live: Catalog,
    expected: Catalog,
    *,
    pending: bool,
    recorded: Iterable[str],
    allowed: Allowed | None = None,
) -> dict[str, str]:
    """Return the value of the input `catalog` that a live database stands for.

    Args:
        live: the catalog of the database.
        expected: the snapshot.
        pending: migrations are still to be applied, so the snapshot says nothing about our own objects.
        recorded: names of objects that an earlier apply recorded.
        allowed: what is open on purpose.
    """
    if not pending:
        return readable(live, expected, allowed)
    known = {**expected, **{name: live[name] for name in recorded if name in live}}
    strangers = compare(live, known, allowed).foreign
    lines = {line.replace('"', "'"): live[name] for name, line in strangers.items()}
    return digests({**ours(live, expected), **lines})


def kind_of(name: str) -> str:
    """Return the kind of an object: `policy`."""
    return name.partition(" ")[0]


def path_of(name: str) -> str:
    """Return an object's name without its kind, as SQL takes it: `public.contacts.contacts_member`."""
    return name.partition(" ")[2]


def relation_of(name: str) -> str:
    """Return the qualified relation that an object is or belongs to; empty for anything else."""
    at = RELATION.match(path_of(name)) if kind_of(name) in {*PARTS, *RELATIONS} else None
    return at[0] if at else ""


def rights_text(name: str, live: Catalog) -> str:
    """Return the definition that tells an object's owner and rights; empty where it has none."""
    if kind_of(name) in RELATIONS:
        return live.get(f"grants {path_of(name)}", "")
    return "" if kind_of(name) in WITHOUT_RIGHTS else live.get(name, "")


def _head(name: str, live: Catalog, own: Catalog) -> str:
    """The object that a foreign part is reported with; itself where its relation is Supabase's own."""
    relation = relation_of(name)
    owners = (f"{kind} {relation}" for kind in RELATIONS) if relation else ()
    head = next((head for head in owners if head in live), name)
    column_of = OWNED.search(live[head]) if kind_of(head) == "sequence" else None
    table = f"table {column_of[1]}" if column_of else ""
    return table if table in live and table not in own else head


def is_archived(name: str, live: Catalog) -> bool:
    """Return whether an object belongs to the archive of a taken-over database, and that is closed to everybody."""
    inside = name == f"schema {ARCHIVE}" or path_of(name).startswith(f"{ARCHIVE}.")
    return inside and live.get(f"schema {ARCHIVE}") == "rights: none"


def is_allowed(name: str, right: Right, allowed: Allowed) -> bool:
    """Return whether a right on an object is open on purpose; PUBLIC is anon and authenticated."""
    path = path_of(name).partition("(")[0]
    roles = ("anon", "authenticated") if right.role == PUBLIC else (right.role,)
    return all((path, role, right.privilege.lower()) in allowed for role in roles)


def _only_allowed(name: str, live: Catalog, allowed: Allowed) -> bool:
    held = rights(rights_text(name, live))
    return bool(held) and all(is_allowed(name, right, allowed) for right in held)


def _may(held: Iterable[Right]) -> Iterator[str]:
    """Who may do what, roles with the same rights together: `anon, authenticated may select`."""
    verbs: dict[str, list[str]] = {}
    for right in held:
        verb = VERBS.get(right.what, right.what.lower())
        verbs.setdefault(right.role, []).append(verb + (" and pass it on" if right.grantable else ""))
    roles: dict[str, list[str]] = {}
    for role, done in verbs.items():
        roles.setdefault(", ".join(done), []).append(role)
    return (f"{', '.join(names)} may {done}" for done, names in roles.items())


def _caution(name: str, live: Catalog) -> str:
    """What makes a right go further than it reads."""
    kind, path, text = kind_of(name), path_of(name), live[name]
    if kind in RELATIONS:
        sent = [other for other in live if other.startswith(f"published {path}.")]
        by = f", published {live[sent[0]]}" if sent else ""
        used = bool(rights(rights_text(name, live)))
        closed = used and kind == "table" and live.get(f"rls {path}", "").startswith("disabled")
        as_owner = used and kind == "view" and "security_invoker=" not in text
        unbound = ", without row-level security" if closed else ", as its owner" if as_owner else ""
        return unbound + by
    if kind not in ROUTINES:
        return ""
    replaced = path.startswith("auth.") and BODY.search(text) is not None
    definer = "SECURITY DEFINER" in BODY.sub("", text)
    return (", as its owner" if definer else "") + (", not with Supabase's body" if replaced else "")


def _what(name: str, live: str | None, expected: str | None) -> str:
    """What became of one object, in at most some hundred characters; nothing when it is as reviewed."""
    if live == expected:
        return ""
    if live is None:
        return "missing"
    if kind_of(name) == "grants":
        return f"{'' if expected else 'added '}{_shortened(_other_rights(live, expected or ''))}"
    here, there = _pieces(name, live), _pieces(name, expected or "")
    new = [text for key, text in here.items() if key not in there]
    lost = [f"without {text}" for key, text in there.items() if key not in here]
    said = ", ".join(new or lost) or "another body"
    return f"{'' if expected else 'added '}{_shortened(said)}"


def _shown(name: str, definition: str) -> str:
    """A definition without what may hold a secret: a function's body, a trigger's arguments."""
    if kind_of(name) in ROUTINES:
        return BODY.sub("", definition)
    return ARGUMENTS.sub(r"\1(...)", definition) if kind_of(name) == "trigger" else definition


def _shortened(text: str, longest: int = LONGEST) -> str:
    flat = " ".join(text.split())
    return f"{flat[:longest]}{'...' if flat[longest:] else ''}"


def _remedy(name: str, what: str, expected: Catalog) -> str:
    kind, path = name.split(" ", 1)
    if what != "missing" or kind not in STATEMENTS:
        return f"Undo it by hand, {KEEP}"
    table, _, own = path.rpartition(".")
    prefix = f"alter table {table} add constraint {own} " if kind == "constraint" else ""
    return f"Undo it: {prefix}{expected[name]}; {KEEP}"


def _pieces(name: str, definition: str) -> dict[str, str]:
    """The parts of a definition that can differ alone: how they compare -> how they read."""
    pieces = PIECE.split(_shown(name, definition))
    return {piece.removeprefix(MARK): piece for piece in pieces if piece}


def _other_rights(live: str, expected: str) -> str:
    """The rights that somebody gained, or else those that somebody lost."""
    here, there = set(entries(live)), set(entries(expected))
    return ", ".join(_by_role(here - there)) or f"without {', without '.join(_by_role(there - here))}"


def _by_role(found: Iterable[Right]) -> list[str]:
    roles: dict[str, list[str]] = {}
    for right in sorted(found, key=lambda right: (right.role, right.what)):
        roles.setdefault(right.role, []).append(str(right))
    return [f"{role}: {', '.join(held)}" for role, held in roles.items()]
