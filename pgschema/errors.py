"""Tell what a database refused, in one line; for a statement of a migration with file, line, column and caret.

Row values never appear. Postgres writes them into the text of data exceptions (SQLSTATE class 22) and into the detail
of broken constraints (class 23): both are told by the condition's name and the objects that the server names.
"""

import re

import psycopg

from common.errors import OperatorError
from pgschema.migrations import Migration, Statement, code_start, position

MADE_BY_ANOTHER = "Something else made it; tables of another script are taken over by: clients db baseline."
REMEDIES = {
    "25006": "Supabase turns a database read-only when its disk is full: enlarge the disk or remove data.",
    "53100": "The disk is full: enlarge it or remove data, then run again.",
    "55P04": "A value added to an enum can be used only after a commit: move its use into the next migration file.",
    "42P06": MADE_BY_ANOTHER,
    "42P07": MADE_BY_ANOTHER,
    "42723": MADE_BY_ANOTHER,
}
WITH_ROW_VALUES = ("22", "23")
WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class MigrationError(OperatorError):
    """A statement failed: `where` is file:line:column, and the text shows the line with a caret under the column."""

    def __init__(self, migration: Migration, statement: Statement, error: psycopg.Error) -> None:
        self.migration, self.sqlstate = migration, error.sqlstate or ""
        diag = error.diag
        told = diag.statement_position
        offset = statement.offset + int(told) - 1 if told else code_start(statement)
        line, column = position(migration.text, offset)
        super().__init__(
            _condition(error),
            f"{migration.file}:{line}:{column}",
            " ".join([*_notes(error), REMEDIES.get(self.sqlstate, ""), "It left nothing behind."]),
        )
        source = migration.text.splitlines()[line - 1].replace("\t", " ")
        self.args = (f"{self.args[0]}\n  {source}\n  {' ' * (column - 1)}^",)


MigrationError.__module__ = "builtins"


def database_error(error: psycopg.Error, remedy: str = "") -> OperatorError:
    """Build the one-line error for a refusal of the database, or for a lost connection.

    Args:
        error: what psycopg raised.
        remedy: what the operator can do, after the remedy known for this SQLSTATE.
    """
    return OperatorError(_condition(error), "database", f"{REMEDIES.get(error.sqlstate or '', '')} {remedy}".strip())


def _condition(error: psycopg.Error) -> str:
    """Name what happened: the server's own text with the SQLSTATE, or for classes 22 and 23 the condition's name."""
    state = error.sqlstate
    if state is not None and state.startswith(WITH_ROW_VALUES):
        return f"{_condition_name(state)} (SQLSTATE {state}){_named_objects(error.diag)}"
    said = (error.diag.message_primary or str(error) or type(error).__name__).strip().rstrip(".")
    return f"{said} (SQLSTATE {state})" if state else said


def _condition_name(state: str) -> str:
    """The condition's name in Postgres's list of error codes, in words: 23505 is `unique violation`."""
    try:
        return WORD.sub(" ", psycopg.errors.lookup(state).__name__).lower()
    except KeyError:
        return "data exception" if state.startswith("22") else "integrity constraint violation"


def _named_objects(diag: psycopg.errors.Diagnostic) -> str:
    """The constraint, column, type and table that the server names, none of which holds a row's value."""
    table = ".".join(part for part in (diag.schema_name, diag.table_name) if part)
    named = {
        "constraint": diag.constraint_name,
        "column": diag.column_name,
        "type": diag.datatype_name,
        "table": table if diag.table_name else None,
    }
    return "".join(f", {kind} {name}" for kind, name in named.items() if name)


def _notes(error: psycopg.Error) -> list[str]:
    """The server's detail and hint, unless the SQLSTATE is one of those that quote rows there."""
    if (error.sqlstate or "").startswith(WITH_ROW_VALUES):
        return []
    notes = (("Detail", error.diag.message_detail), ("Hint", error.diag.message_hint))
    return [f"{label}: {note}" for label, note in notes if note]
