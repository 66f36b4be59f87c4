"""How a statement that failed is told: file, line, column and a caret, with what the database said about it."""

import psycopg

from components.errors import OperatorError
from components.schema.migrations import Migration, Statement, code_start, position

MADE_BY_ANOTHER = "Something else made it; tables of another script are taken over by components.schema.baseline."
REMEDIES = {
    "25006": "Supabase turns a database read-only when its disk is full: enlarge the disk or remove data.",
    "53100": "The disk is full: enlarge it or remove data, then run again.",
    "42P06": MADE_BY_ANOTHER,
    "42P07": MADE_BY_ANOTHER,
    "42723": MADE_BY_ANOTHER,
}


class MigrationError(OperatorError):
    """A statement failed: `where` is file:line:column, and the text shows the line with a caret under the column."""

    def __init__(self, migration: Migration, statement: Statement, error: psycopg.Error) -> None:
        diag = error.diag
        told = diag.statement_position
        offset = statement.offset + int(told) - 1 if told else code_start(statement)
        line, column = position(migration.text, offset)
        # The detail of a failed check is the whole row, a client's data.
        detail = None if error.sqlstate == "23514" else diag.message_detail
        notes = [f"{label}: {note}" for label, note in (("Detail", detail), ("Hint", diag.message_hint)) if note]
        super().__init__(
            f"{diag.message_primary or type(error).__name__} (SQLSTATE {error.sqlstate})",
            f"{migration.file}:{line}:{column}",
            " ".join([*notes, REMEDIES.get(error.sqlstate or "", ""), "It left nothing behind."]),
        )
        source = migration.text.splitlines()[line - 1].replace("\t", " ")
        self.args = (f"{self.args[0]}\n  {source}\n  {' ' * (column - 1)}^",)


MigrationError.__module__ = "builtins"
