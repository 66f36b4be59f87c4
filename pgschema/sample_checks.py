"""The checks of a table: which columns each of them binds, with generated columns written out."""

import re
from collections import defaultdict
from collections.abc import Sequence

from pgschema.surface import Relation

Bound = tuple[dict[str, list[str]], list[tuple[frozenset[str], str]]]
"""The checks that bind one column, by its name, and those that bind several."""


def read_checks(relation: Relation) -> Bound:
    """Checks that bind one column, and those that bind several."""
    single: dict[str, list[str]] = defaultdict(list)
    several = []
    for each in relation.constraints:
        if each.kind != "c" or not each.expression:
            continue
        names, expression = _written_out(relation, each.columns, each.expression)
        if len(names) == 1:
            single[next(iter(names))].append(expression)
        elif names:
            several.append((names, expression))
    if relation.condition:
        words = set(re.findall(r"\w+", relation.condition))
        names = frozenset(each.name for each in relation.columns if each.name in words)
        if len(names) == 1:
            single[next(iter(names))].append(relation.condition)
        elif names:
            several.append((names, relation.condition))
    return single, several


def _written_out(relation: Relation, names: Sequence[str], expression: str) -> tuple[frozenset[str], str]:
    """A check with generated columns replaced by what they are generated from."""
    columns = set(names)
    for column in relation.columns:
        if column.generated and column.name in columns and column.default:
            columns.remove(column.name)
            words = set(re.findall(r"\w+", column.default))
            columns |= {each.name for each in relation.columns if each.name in words}
            generated = f"({column.default})::{column.type}"
            escaped = generated.replace("\\", r"\\")
            expression = re.sub(rf'"?\b{re.escape(column.name)}\b"?', escaped, expression)
    return frozenset(columns), expression


def components(sets: Sequence[frozenset[str]]) -> list[frozenset[str]]:
    """Unite sets that share a member."""
    found: list[frozenset[str]] = []
    for each in sets:
        touching = [other for other in found if other & each]
        found = [other for other in found if not other & each]
        found.append(each.union(*touching))
    return found
