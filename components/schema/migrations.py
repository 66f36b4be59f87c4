"""The migration files: read, checked and split into statements exactly as the Supabase CLI does. No network here.

A migration's digest is taken over its statements, because those are what the ledger keeps: one rule compares a file
with what any database has applied, whether we or the CLI applied it.
"""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import sqlparse

from components.errors import OperatorError

SQL = Path(__file__).parents[2] / "sql"
FOLDER = SQL / "migrations"
FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql")
COMMENTS = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
# These end or bypass the one transaction that makes an apply all or nothing, or break under the CLI's batches.
FORBIDDEN = re.compile(
    r"begin|commit|rollback|abort|end|savepoint|release|start\s+transaction|prepare\s+transaction|set\s+local"
    r"|lock(?=\s+table)|\\\w*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Statement:
    """One SQL statement, as written, without its semicolon.

    Attributes:
        text: the statement with the comments before it.
        offset: where it begins in its file, in characters.
    """

    text: str
    offset: int


@dataclass(frozen=True)
class Migration:
    """One migration file.

    Attributes:
        version: UTC timestamp of 14 digits, the ledger's key; versions are ordered as text.
        name: what the file's name says after the timestamp.
        text: the file's content.
        statements: its statements in order.
    """

    version: str
    name: str
    text: str
    statements: tuple[Statement, ...]

    @property
    def file(self) -> str:
        """Where an operator finds it, relative to the repository."""
        return f"sql/migrations/{self.version}_{self.name}.sql"

    @property
    def digest(self) -> str:
        """SHA-256 of the statements, in hexadecimal; the ledger's query computes the same."""
        return hashlib.sha256("\x1e".join(each.text for each in self.statements).encode()).hexdigest()


@functools.cache
def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Read all migrations of a folder, oldest first.

    Raises:
        OperatorError: the folder is missing or empty, a name or version is wrong, a file is empty, is not UTF-8 or
            holds a statement that does not belong into a migration.
    """
    if not folder.is_dir():
        raise OperatorError("no such folder", str(folder), "Run from a full checkout of the repository.")
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        migration = _read(path)
        if other := migrations.get(migration.version):
            raise OperatorError(f"has the same version as {other.file}", migration.file, "Give one a later timestamp.")
        migrations[migration.version] = migration
    if not migrations:
        raise OperatorError("holds no migration", str(folder), "Run from a full checkout of the repository.")
    return tuple(migrations.values())


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def code_start(statement: Statement) -> int:
    """Where a statement's code begins in its file, behind the comments before it."""
    comments = COMMENTS.match(statement.text)
    return statement.offset + (comments.end() if comments else 0)


def _read(path: Path) -> Migration:
    match = FILE_NAME.fullmatch(path.name)
    if not match:
        raise OperatorError("is not named <UTC timestamp of 14 digits>_<lower_case_name>.sql", str(path))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", str(path)) from None
    migration = Migration(match["version"], match["name"], text, _split(text))
    if not migration.statements:
        raise OperatorError("holds no statement", migration.file, "Write the migration or remove the file.")
    for statement in migration.statements:
        start = code_start(statement)
        if found := FORBIDDEN.match(text, start):
            end = found.end()
            if end == len(text) or not (text[end].isalnum() or text[end] == "_"):
                line, column = position(text, start)
                raise OperatorError(
                    f"{found[0]} does not belong into a migration",
                    f"{migration.file}:{line}:{column}",
                    "Each apply is one transaction of ours.",
                )
    return migration


def _split(text: str) -> tuple[Statement, ...]:
    statements, offset = [], 0
    for piece in sqlparse.split(text, strip_semicolon=True):
        offset = text.index(piece, offset)
        statements.append(Statement(piece, offset))
        offset += len(piece)
    return tuple(each for each in statements if len(COMMENTS.match(each.text)[0]) < len(each.text))  # type: ignore[index]
