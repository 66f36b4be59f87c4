"""The ledger of applied migrations: the Supabase CLI's own table, so that either tool goes on where the other ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.errors import OperatorError
from pgschema.migrations import Migration, digest

LOCK_KEY = 0x636C69656E74  # "client": who holds it may change the ledger, one per database
CREATE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
  version text not null primary key, statements text[], name text)
"""
EXISTS = "select to_regclass('supabase_migrations.schema_migrations') is not null"
# Whole statements, not a digest of them: telling a comment from a string in SQL takes a lexer.
READ = """
select version, coalesce(name, ''), statements
from supabase_migrations.schema_migrations order by version collate "C"
"""
HAS_IT = "the database has what the file makes"
DELETE = "delete from supabase_migrations.schema_migrations where version = %s"
INSERT = "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"


@dataclass(frozen=True)
class Row:
    """One applied migration as the database remembers it; other tools write rows without statements."""

    version: str
    name: str
    statements: Sequence[str] | None

    @property
    def digest(self) -> str | None:
        """The digest as of `Migration.digest`, None when the row holds no statements."""
        return None if self.statements is None else digest(self.statements)


def record(migration: Migration) -> tuple[str, str, list[str]]:
    """What `INSERT` writes of a migration."""
    return migration.version, migration.name, list(migration.recorded)


def pending(migrations: Sequence[Migration], rows: Sequence[Row]) -> tuple[Migration, ...]:
    """The migrations that are still to be applied, oldest first.

    Raises:
        OperatorError: files and ledger tell different stories: an applied file was edited or is missing, or a file is
            older than the newest applied one.
    """
    files: Mapping[str, Migration] = {migration.version: migration for migration in migrations}
    for row in rows:
        if row.version not in files:
            raise OperatorError(
                "is applied in the database but has no file",
                f"migration {row.version} {row.name}".rstrip(),
                f"Restore sql/migrations from the checkout that applied it. {_mark('it was undone', 'reverted', row)} "
                "If another script made the tables: clients db baseline.",
            )
        if row.digest != files[row.version].digest:
            raise OperatorError(
                "was edited after it had been applied" if row.digest else "is applied, but the ledger holds no SQL",
                files[row.version].file,
                f"Restore the file and put the change into a new migration. {_mark(HAS_IT, 'applied', row)}",
            )
    applied = {row.version for row in rows}
    newest = max(applied, default="")
    todo = tuple(migration for migration in migrations if migration.version not in applied)
    if late := next((migration for migration in todo if migration.version < newest), None):
        raise OperatorError(
            f"is older than {newest}, which is already applied",
            late.file,
            f"Give it a timestamp after the newest one. {_mark(HAS_IT, 'applied', late)}",
        )
    return todo


def _mark(condition: str, verb: str, what: Row | Migration) -> str:
    return f"If {condition}: clients db repair {what.version} --status {verb}."
