"""The migration files: read, checked and split into statements. No network here.

The ledger records the pieces that the Supabase CLI would record, comments included, so that either tool goes on where
the other ended. A migration's digest is taken over its statements without the comments around them: one rule compares
a file with what any database has applied, whether we or the CLI applied it.

A file whose first line is `-- transaction: none` runs alone and outside a transaction: it holds the one statement that
could not run inside one, or would block its readers and writers there.
"""

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.errors import OperatorError
from pgschema import lexer
from pgschema.statement import ALONE as ALONE
from pgschema.statement import Statement as Statement

SQL = Path(__file__).parents[1] / "sql"
FOLDER = SQL / "migrations"
FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>[a-z0-9_]+)\.sql")
ALONE_IN_OTHER_WORDS = re.compile(r"--\s*transaction\s*[:=]?\s*none\b", re.IGNORECASE)
SEPARATOR = "\x1e"  # between the statements of a digest; no statement holds it outside a quote


@dataclass(frozen=True)
class Migration:
    """One migration file.

    Attributes:
        version: UTC timestamp of 14 digits, the ledger's key; versions are ordered as text.
        name: what the file's name says after the timestamp.
        text: the file's content.
        statements: its statements in order.
        comments: comments that no statement follows, which the ledger keeps as pieces of their own.
    """

    version: str
    name: str
    text: str
    statements: tuple[Statement, ...]
    comments: tuple[Statement, ...] = ()

    @property
    def file(self) -> str:
        """Where an operator finds it, relative to the repository."""
        return f"sql/migrations/{self.version}_{self.name}.sql"

    @property
    def recorded(self) -> tuple[str, ...]:
        """What the ledger keeps of it, piece by piece as the Supabase CLI would."""
        pieces = sorted((*self.statements, *self.comments), key=lambda piece: piece.offset)
        return tuple(piece.text for piece in pieces)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 in hexadecimal, the same as `digest` gives for the recorded pieces."""
        return _hash([statement.code_text for statement in self.statements])

    @property
    def alone(self) -> bool:
        """Whether it runs outside a transaction."""
        return _alone(self.text)


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


def digest(recorded: Sequence[str]) -> str:
    """Compute the digest of what a ledger holds, however it was cut into pieces.

    Whether the CLI, an older version of this program or another tool recorded it: comments and white space around
    statements do not count, nor in which piece they stand.
    """
    found: list[str] = []
    for piece in recorded:
        try:
            found += lexer.statements(piece)
        except lexer.SqlTextError:
            found.append(piece)  # another tool's; it can only equal itself
    return _hash(found)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column, both from 1, of a character offset."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1


def code_start(statement: Statement) -> int:
    """Where a statement's code begins in its file, behind the comments before it."""
    return statement.code_start


def _hash(found: Sequence[str]) -> str:
    return hashlib.sha256(SEPARATOR.join(found).encode()).hexdigest()


def _read(path: Path) -> Migration:
    match = FILE_NAME.fullmatch(path.name)
    if not match:
        raise OperatorError("is not named <UTC timestamp of 14 digits>_<lower_case_name>.sql", str(path))
    text = _text(path)
    named = Migration(match["version"], match["name"], text, ())
    pieces = list(_pieces(named.file, text))
    statements = tuple(piece for piece in pieces if piece.code_text)
    comments = tuple(piece for piece in pieces if not piece.code_text)
    migration = replace(named, statements=statements, comments=comments)
    if not statements:
        raise OperatorError("holds no statement", migration.file, "Write the migration or remove the file.")
    _require_alone(migration)
    return migration


def _text(path: Path) -> str:
    # The Supabase CLI keeps bytes as they are; a mark or carriage returns would make its ledger differ from ours.
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", str(path), "Save it as UTF-8.") from None
    if text.startswith("\ufeff"):
        raise OperatorError("begins with a byte order mark", str(path), "Save it as UTF-8 without one.")
    if "\r" in text:
        raise OperatorError("has carriage returns", str(path), "Save it with Unix line ends (git: text eol=lf).")
    if "\0" in text:
        raise OperatorError("has a null character", str(path), "Save it as UTF-8; Postgres takes no such character.")
    return text


def _pieces(file: str, text: str) -> Iterator[Statement]:
    """Yield what the ledger records; each is checked before the text behind it is read, which may be no SQL."""
    alone = _alone(text)
    try:
        for piece in lexer.split(text):
            code = (piece.code_start - piece.start, piece.code_end - piece.start)
            statement = Statement(text[piece.start : piece.end], piece.start, code)
            if not alone and (refusal := statement.refusal):
                what = f"{refusal.what} does not belong into a migration"
                raise OperatorError(what, _place(file, text, piece.code_start), refusal.remedy)
            yield statement
    except lexer.PsqlCommandError as error:
        what, remedy = f"{error.command} does not belong into a migration", "psql alone knows it: write it as SQL."
        raise OperatorError(what, _place(file, text, error.offset), remedy) from None
    except lexer.SqlTextError as error:
        raise OperatorError(error.what, _place(file, text, error.offset), "Close it.") from None


def _require_alone(migration: Migration) -> None:
    """Refuse a file that is to run outside a transaction and could not be repeated, or does not say it clearly."""
    statements = migration.statements
    if migration.alone and not (len(statements) == 1 and statements[0].repeatable):
        raise OperatorError(
            "runs outside a transaction, so it must be one statement that can be repeated",
            migration.file,
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS, DROP INDEX CONCURRENTLY IF EXISTS, VALIDATE CONSTRAINT or "
            "ALTER TYPE ADD VALUE.",
        )
    head = migration.text[: statements[0].code_start]
    if not migration.alone and (found := ALONE_IN_OTHER_WORDS.search(head)):
        where = _place(migration.file, migration.text, found.start())
        raise OperatorError("is not how a file is kept out of a transaction", where, f"Make its first line {ALONE}")


def _alone(text: str) -> bool:
    return text.partition("\n")[0].rstrip() == ALONE


def _place(file: str, text: str, offset: int) -> str:
    line, column = position(text, offset)
    return f"{file}:{line}:{column}"
