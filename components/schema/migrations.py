"""The migration files: read, checked and split into statements exactly as the Supabase CLI does. No network here.

A migration's digest is taken over its statements, because those are what the ledger keeps: one rule compares a file
with what any database has applied, whether we or the CLI applied it.

A file whose first line is `-- transaction: none` runs alone and outside a transaction: it holds the one statement that
could not run inside one, or would block its readers and writers there.
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
ALONE = "-- transaction: none"
# What may run alone can be repeated: an interrupted run is continued by the next.
REPEATABLE = re.compile(
    r"create\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(?P<index>\w+)\s+on\s+(?P<table>[\w.]+)"
    r"|drop\s+index\s+concurrently\s+if\s+exists\s|alter\s+table\s+[\w.]+\s+validate\s+constraint\s",
    re.IGNORECASE,
)
CONCURRENTLY = re.compile(r"\bconcurrently\b", re.IGNORECASE)
NEVER_INSIDE = re.compile(
    r"(?:(?:create\s+(?:unique\s+)?|drop\s+)index|reindex\s.*?)\s+concurrently|vacuum|alter\s+system",
    re.IGNORECASE | re.DOTALL,
)
MOST_BYTES = 1_000_000  # a migration holds definitions; splitting takes seconds beyond this


@dataclass(frozen=True)
class Statement:
    """One SQL statement, as written, without its semicolon.

    Attributes:
        text: the statement with the comments before it.
        offset: where it begins in its file, in characters.
    """

    text: str
    offset: int

    @property
    def repeatable(self) -> re.Match[str] | None:
        """What it says of itself when it may run outside a transaction: groups `index` and `table`, may be None."""
        return REPEATABLE.match(self.text, code_start(self) - self.offset)

    @property
    def in_transaction(self) -> str:
        """The statement as it may run inside a transaction, each character in its place."""
        if not (found := self.repeatable):
            return self.text
        head, code = self.text[: found.start()], self.text[found.start() :]
        return head + CONCURRENTLY.sub(" " * len("concurrently"), code, count=1)


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

    @property
    def alone(self) -> bool:
        """Whether it runs outside a transaction."""
        return self.text.partition("\n")[0].rstrip() == ALONE


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


def sql_digest(folder: Path = SQL) -> str:
    """Return a SHA-256 over every file of `sql/`: migrations, snapshot and checks.

    Raises:
        OperatorError: the folder is missing.
    """
    if not folder.is_dir():
        raise OperatorError("no such folder", str(folder), "Run from a full checkout of the repository.")
    digest = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


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
    text = _text(path)
    migration = Migration(match["version"], match["name"], text, _split(text))
    if not migration.statements:
        raise OperatorError("holds no statement", migration.file, "Write the migration or remove the file.")
    starts = [code_start(statement) for statement in migration.statements]
    if migration.alone and not (len(starts) == 1 and migration.statements[0].repeatable):
        raise OperatorError(
            "runs outside a transaction, so it must be one statement that can be repeated",
            migration.file,
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS, DROP INDEX CONCURRENTLY IF EXISTS or VALIDATE CONSTRAINT.",
        )
    for start in starts:
        _require_transactional(migration, start)
    return migration


def _text(path: Path) -> str:
    # The Supabase CLI keeps bytes as they are; a mark or carriage returns would make its ledger differ from ours.
    try:
        content = path.read_bytes()
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", str(path), "Save it as UTF-8.") from None
    if len(content) > MOST_BYTES:
        size = f"is {len(content) / 1e6:.1f} MB, more than a migration may be"
        raise OperatorError(size, str(path), "Load data with a script of its own; definitions are small.")
    if text.startswith("\ufeff"):
        raise OperatorError("begins with a byte order mark", str(path), "Save it as UTF-8 without one.")
    if "\r" in text:
        raise OperatorError("has carriage returns", str(path), "Save it with Unix line ends (git: text eol=lf).")
    return text


def _require_transactional(migration: Migration, start: int) -> None:
    text = migration.text
    found, remedy = FORBIDDEN.match(text, start), "Each apply is one transaction of ours."
    if not migration.alone and not found:
        found = NEVER_INSIDE.match(text, start)
        remedy = f"It cannot run inside a transaction: give it a file of its own whose first line is {ALONE}"
    if not found or re.match(r"\w", text[found.end() : found.end() + 1]):
        return
    line, column = position(text, start)
    where = f"{migration.file}:{line}:{column}"
    raise OperatorError(f"{found[0]} does not belong into a migration", where, remedy)


def _split(text: str) -> tuple[Statement, ...]:
    statements, offset = [], 0
    for piece in sqlparse.split(text, strip_semicolon=True):
        offset = text.index(piece, offset)
        statements.append(Statement(piece, offset))
        offset += len(piece)
    return tuple(each for each in statements if len(COMMENTS.match(each.text)[0]) < len(each.text))  # type: ignore[index]
