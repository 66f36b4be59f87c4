"""Candidate values for a column, as text: by its type and by the literals of the checks that it has to satisfy.

Only the server decides which of them fit. Text and number candidates hold the digits of `MARK`, which every row
replaces by digits of its own, so that unique keys do not meet.
"""

import importlib
import json
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pgschema.surface import Column, Type

MARK = "700001"
LONGEST_POOL = 40
TEXTS = (
    f"isolation {MARK}",
    f"x{MARK}",
    f"x{MARK}@isolation.invalid",
    f"https://x{MARK}.isolation.invalid/x",
    f"X{MARK}",
    MARK,
    f"+49{MARK}",
    f"x{MARK}.isolation.invalid",
    f"x-{MARK}",
    f"/{MARK}",
    f"#{MARK}",
    f"{MARK}ab",
    *("ab", "AB", "abc", "ABC", "a", "A", "1", "0.1", "en", "en-GB", "UTC", "2000-01-01", "12:00", "1.0.0"),
    "192.0.2.1",
    "{}",
    "00000000-0000-4000-8000-000000" + MARK,
)
NUMBERS = ("1", "2", "0", "3", "5", "10", "50", "100", "1000", "0.5", "-1", "12345")
DATES = ("2000-01-01", "2000-02-01", "2100-01-01", "2000-01-02")
BY_NAME: dict[str, tuple[str, ...]] = {
    "jsonb": ("{}", "[]", '"x"', "1", "true"),
    "json": ("{}", "[]", '"x"', "1", "true"),
    "bytea": ("\\x00", "\\x0001020304050607"),
    "inet": ("192.0.2.1", "2001:db8::1"),
    "cidr": ("192.0.2.0/24",),
    "macaddr": ("08:00:2b:01:02:03",),
    "macaddr8": ("08:00:2b:01:02:03:04:05",),
    "xml": ("<x/>",),
    "interval": ("1 day", "1 hour"),
    "time without time zone": ("12:00", "13:00"),
    "time with time zone": ("12:00+00", "13:00+00"),
    "money": NUMBERS,
    "tsvector": ("x",),
    "tsquery": ("x",),
    "point": ("(0,0)",),
    "line": ("{1,1,1}",),
    "polygon": ("((0,0),(1,1),(1,0))",),
    "path": ("((0,0),(1,1))",),
    "circle": ("<(0,0),1>",),
    "pg_lsn": ("0/1",),
    "oid": ("1",),
}
DAYS = tuple(f"[2000-01-{day:02d},2000-01-{day:02d} 12:00]" for day in range(1, 29))
RANGES = (f"[{MARK},{MARK}]", "[1,2)", *DAYS, *(text.replace(" 12:00", "") for text in DAYS[:9]))
GUESSES = ("x", "1", "{}", "", "(0,0)", "[1,1,1]", "POINT(0 0)", "a=>1", "2000-01-01")
STRING = re.compile(r"'((?:[^']|'')*)'")
NUMBER = re.compile(r"(?<![\w.'])\d+(?:\.\d+)?(?![\w.'])")
PATTERN = re.compile(r"~(\*?) '((?:[^']|'')*)'")
LIKE = re.compile(r"~~\*? '((?:[^']|'')*)'")
JSON = frozenset({"jsonb", "json"})
WHOLE, DIGIT = re.compile(r"[-+]?\d+"), re.compile(r"\d")
DAY_NAMES = frozenset({"now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity", "allballs"})
LENGTH = re.compile(r"length|cardinality|array_length", re.IGNORECASE)
JSON_KEY = re.compile(r"(?:->>?|\?[&|]?|@>) '?([^']*)'")
LISTED = re.compile(r"ANY \(+ARRAY\[(.*?)\]", re.DOTALL)


def candidates(column: Column, types: Mapping[int, Type], expressions: Sequence[str]) -> list[str]:
    """Values that the column might take, likely ones first.

    Args:
        column: the column.
        types: all types by id.
        expressions: the checks of the column and of its domains.
    """
    chain = _chain(types.get(column.type_id), types)
    base = chain[-1] if chain else None
    checks = [*expressions, *(check for each in chain for check in each.checks)]
    found = [*_hinted(checks, base), *_by_type(column, base, types)]
    if base and base.category == "S" and column.length:
        found = [text for text in found if len(text) <= column.length] or [MARK[-column.length :]]
    if base and (base.category in "ND" or base.name in JSON):
        found = [text for text in found if _may_be(text, base)]
    return list(dict.fromkeys(found))[:LONGEST_POOL]


def listed(column: Column, types: Mapping[int, Type], expressions: Sequence[str]) -> list[str]:
    """The values of a boolean, an enum, or a list in a check."""
    chain = _chain(types.get(column.type_id), types)
    if chain and chain[-1].labels:
        return list(chain[-1].labels)
    if chain and chain[-1].category == "B":
        return ["true", "false"]
    checks = [*expressions, *(check for each in chain for check in each.checks)]
    return [_plain(text) for check in checks for names in LISTED.findall(check) for text in STRING.findall(names)]


def is_plain(column: Column, types: Mapping[int, Type]) -> bool:
    """Whether the candidates need no asking: a type of Postgres itself, which takes the first of them."""
    kind = types.get(column.type_id)
    return (
        kind is not None and kind.kind == "b" and (kind.category in "SNDBT" or kind.name == "uuid" or kind.name in JSON)
    )


def own_digits(text: str, number: int) -> str:
    """A candidate with the digits of one row."""
    return text.replace(MARK, f"{number:06d}"[-6:])


def _may_be(text: str, base: Type) -> bool:
    """Whether the type might read the text: one that it cannot read makes the server try all of them one by one."""
    if base.name in {"smallint", "integer", "bigint"}:
        return WHOLE.fullmatch(text) is not None
    if base.category == "D":
        return text in DAY_NAMES or DIGIT.search(text) is not None
    return base.name not in JSON or _is_json(text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _chain(kind: Type | None, types: Mapping[int, Type]) -> list[Type]:
    """A type and the ones its domain is made of."""
    chain = []
    while kind is not None:
        chain.append(kind)
        kind = types.get(kind.base) if kind.kind == "d" else None
    return chain


def _plain(text: str) -> str:
    return text.replace("''", "'")


def _by_type(column: Column, base: Type | None, types: Mapping[int, Type]) -> Iterable[str]:
    if base is None:
        return GUESSES
    if base.labels:
        return base.labels
    if base.name in BY_NAME:
        return BY_NAME[base.name]
    if base.category == "A":
        element = types.get(base.element)
        inner = _by_type(column, element, types) if element else ["1"]
        first = next(iter(inner), "x")
        return ["{}", *("{" + ",".join([f'"{first}"'] * size) + "}" for size in (1, 2, 3))]
    if base.kind == "c":
        return ["(" + "," * max(base.attributes - 1, 0) + ")"]
    if base.kind in "rm":
        return ["{}"] if base.kind == "m" else RANGES
    if base.category == "U" and base.name == "uuid":
        return [str(uuid.uuid4())]
    if base.category == "V":
        size = re.search(r"\((\d+)\)", column.type)
        return ["0" * int(size[1]) if size else "1"]
    if size := re.search(r"(?:vector|halfvec)\((\d+)\)", column.type):
        return ["[" + ",".join(["1"] * int(size[1])) + "]"]
    return {"S": TEXTS, "N": NUMBERS, "D": DATES, "B": ("true", "false")}.get(base.category, GUESSES)


def _hinted(checks: Sequence[str], base: Type | None) -> Iterable[str]:
    """Values made from the literals of checks."""
    for check in checks:
        for _, pattern in PATTERN.findall(check):
            yield from matching(_plain(pattern))
        for pattern in LIKE.findall(check):
            yield _plain(pattern).replace("%", f"x{MARK}").replace("_", "x")
        yield from (_plain(text) for text in STRING.findall(check))
        sizes = [float(text) for text in NUMBER.findall(check)]
        if base and base.category == "S" and LENGTH.search(check):
            yield from _long(sizes)
        for size in sizes:
            for value in (size, size + 1, size - 1, size / 2):
                yield f"{value:g}"
        if keys := JSON_KEY.findall(check):
            yield "{" + ",".join(f'"{key}": "x"' for key in dict.fromkeys(keys)) + "}"
            yield "{" + ",".join(f'"{key}": 1' for key in dict.fromkeys(keys)) + "}"


def _long(sizes: Sequence[float]) -> Iterable[str]:
    """Texts of such lengths and their neighbours, which end in the row's digits where these fit."""
    for size in sizes:
        for length in (int(size), int(size) + 1, int(size) - 1):
            if 0 < length <= 4000:
                yield ("x" * length + MARK)[-length:] if length >= len(MARK) else "x" * length
                yield ("0" * length + MARK)[-length:]


def matching(pattern: str) -> list[str]:
    """Texts that a regular expression might accept: its shortest ones, and one with a row's digits where they fit."""
    parser: Any = importlib.import_module("re._parser")
    try:
        parsed = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return []
    shortest, longer = _sample(parsed, 0), _sample(parsed, 1)
    # Where a row's digits do not fit, a unique key needs some texts to choose from.
    others = [
        shortest.replace("1", digit).replace("X", letter) for digit, letter in zip("2345678", "ABCDEFG", strict=True)
    ]
    return list(dict.fromkeys([_sample(parsed, len(MARK), digits=True), longer, shortest, longer.upper(), *others]))


def _sample(parsed: Any, extra: int, *, digits: bool = False) -> str:
    """One text for a parsed expression; repetitions are taken `extra` times more than they must."""
    return "".join(_one(str(operation), argument, extra, digits) for operation, argument in parsed)


def _one(operation: str, argument: Any, extra: int, digits: bool) -> str:
    if operation == "LITERAL":
        return chr(int(argument))
    if operation in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
        return _repeated(argument, extra, digits)
    if operation == "SUBPATTERN":
        return _sample(argument[3], extra, digits=digits)
    if operation == "BRANCH":
        return _sample(argument[1][0], extra, digits=digits)
    if operation == "IN":
        return _chosen(argument)
    if operation in {"ANY", "NOT_LITERAL"}:
        return "x"
    return ""


def _repeated(argument: Any, extra: int, digits: bool) -> str:
    least, most, body = argument
    count = int(least) + extra if str(most) == "MAXREPEAT" else min(int(least) + extra, int(most))
    one = _sample(body, 0)
    if digits and count >= len(MARK) and len(one) == 1 and _takes_digits(body):
        return one * (count - len(MARK)) + MARK
    return "".join(_sample(body, 0) for _ in range(count))


def _takes_digits(body: Any) -> bool:
    operation, argument = body[0]
    return str(operation) == "ANY" or (str(operation) == "IN" and all(_holds(argument, each) for each in "0123456789"))


def _chosen(members: Any) -> str:
    """A character of a class, a letter where it holds one."""
    return next((each for each in "xaXA1b0-_. @/#+" if _holds(members, each)), "x")


def _holds(members: Any, character: str) -> bool:
    negated, inside = False, False
    for operation, argument in members:
        name = str(operation)
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            inside |= chr(argument) == character
        elif name == "RANGE":
            inside |= argument[0] <= ord(character) <= argument[1]
        elif name == "CATEGORY":
            inside |= _in_category(str(argument), character)
    return inside != negated


def _in_category(name: str, character: str) -> bool:
    kind = name.removeprefix("CATEGORY_").removeprefix("NOT_")
    tests = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }
    return tests.get(kind, False) != ("NOT_" in name)
