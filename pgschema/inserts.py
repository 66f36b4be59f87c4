"""The INSERT statements of the isolation check: where rows go, and several rows of a table in one statement."""
# ruff: noqa: S608  identifiers come quoted from the catalog, values are our own and quoted by `literal`

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pgschema.stage import Organization
from pgschema.surface import Relation, literal, quoted

Values = dict[str, str | None]
Cells = Mapping[str, str]
"""The columns that a row sets, quoted, and the expression for each."""


@dataclass(frozen=True)
class Row:
    """One row to make.

    Attributes:
        relation, organization, variant: which row, in whose name.
        statements: INSERT statements to try in turn.
        into: the table that it goes to, where its INSERT can be joined with those of other rows.
        cells: what the first statement sets.
    """

    relation: Relation
    organization: Organization
    variant: str
    statements: tuple[str, ...]
    into: str = ""
    cells: Cells = field(default_factory=dict)


def place(relation: Relation, copied: frozenset[int]) -> str:
    """Where statements find the table: itself, or its copy without triggers."""
    return f"pg_temp.{quoted(relation.name)}" if relation.id in copied else relation.qualified


def cells(relation: Relation, values: Mapping[str, str | None]) -> dict[str, str]:
    """Values as SQL writes them, each with the type of its column."""
    types = relation.column_types
    return {quoted(name): f"{literal(value)}::{types[name]}" for name, value in values.items()}


def insert_into(into: str, row: Cells) -> str:
    """An INSERT of one row, which sets identity columns too."""
    if not row:
        return f"insert into {into} default values"
    return f"insert into {into} ({', '.join(row)}) overriding system value values ({', '.join(row.values())})"


def answering(relation: Relation, statement: str) -> str:
    """An INSERT that answers with its row."""
    return f"{statement} returning to_jsonb({quoted(relation.name)}.*)"


def batches(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """What `pg_temp.plant` takes, in the order of the rows: each batch as one statement, and row by row.

    Where the one statement fails, the rows are made one by one, so that the others are there and the one at fault is
    known.
    """
    for _, group in itertools.groupby(rows, key=lambda each: (each.relation.id, bool(each.cells))):
        batch = list(group)
        yield {"together": _together(batch), "each": [each.statements for each in batch]}


def _together(rows: Sequence[Row]) -> str | None:
    """One statement that makes all rows and answers with them; nothing for a single row.

    A column that a row does not set takes its default, as if it were not named.
    """
    if len(rows) == 1 or not rows[0].cells:
        return None
    names = list(dict.fromkeys(name for row in rows for name in row.cells))
    values = ("(" + ", ".join(row.cells.get(name, "default") for name in names) + ")" for row in rows)
    insert = f"insert into {rows[0].into} ({', '.join(names)}) overriding system value values {', '.join(values)}"
    return f"with made(row) as ({answering(rows[0].relation, insert)}) select jsonb_agg(row) from made"
