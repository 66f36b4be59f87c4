"""Try the pending migrations and roll them back: `python -m components.schema.trial`.

Told are what fails, which tables would be rewritten, and which would be locked against their users. The database is the
one of DATABASE_URL; of that one only the catalog and the ledger are read. Its clone is made in the empty server that
CLONE_URL names, as superuser, with the programs of that server on PATH. `--live` tries on the database itself instead,
and gives up after half a second on a table that is in use. Prints `{files, rewritten, locks}` as JSON.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from components.errors import OperatorError
from components.schema import ledger
from components.schema.apply import lock_ledger, run
from components.schema.connection import connect_from_environment
from components.schema.failures import database_error
from components.schema.migrations import Migration, read_migrations

LIVE_PATIENCE, CLONE_PATIENCE = "500ms", "5s"
SCHEMAS = ("public", "private", "supabase_migrations")
OWNER = "postgres"
# Those that rights are given to, for a server that does not have them.
MISSING_ROLES = """
select string_agg(format(
  'do $r$ begin create role %I; exception when duplicate_object then null; end $r$;', rolname), chr(10))
from pg_catalog.pg_roles where rolname !~ '^pg_'
"""
CREATE_SCHEMA = re.compile(r"^CREATE SCHEMA (\w+);", re.MULTILINE)
TABLES = """
select c.oid, format('%I.%I', n.nspname, c.relname), pg_relation_filenode(c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm') and n.nspname !~ '^pg_'
  and n.nspname not in ('information_schema', 'supabase_migrations')
"""
# Weaker modes stop neither readers nor writers.
LOCKS = """
select l.relation, bool_or(l.mode = 'AccessExclusiveLock') from pg_locks l
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
  and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
group by l.relation
"""


@dataclass(frozen=True)
class Trial:
    """What an apply would do.

    Attributes:
        files: the pending migrations that were tried.
        rewritten: existing tables whose rows would all be written anew.
        locks: existing table -> what would wait until the apply commits: `writes`, or `reads and writes`.
    """

    files: tuple[str, ...]
    rewritten: tuple[str, ...]
    locks: dict[str, str]


def attempt(connection: psycopg.Connection[Any], migrations: Sequence[Migration], *, live: bool = False) -> Trial:
    """Run what is pending in one transaction and roll it back.

    Args:
        connection: outside a transaction.
        migrations: all migration files, oldest first.
        live: the database has users: give up early on their tables, and leave out files that run alone, with those
            after them; inside a transaction they would block what they are written not to block.

    Raises:
        MigrationError: a statement failed.
        OperatorError: ledger and files disagree, or the database went away.
    """
    autocommit = connection.autocommit
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            rows = lock_ledger(connection, cursor)
        connection.execute(f"set local lock_timeout = '{LIVE_PATIENCE if live else CLONE_PATIENCE}'")
        before = {oid: (name, node) for oid, name, node in connection.execute(TABLES)}
        locks: dict[str, str] = {}
        tried = []
        for migration in ledger.pending(migrations, rows):
            if live and migration.alone:
                break
            held = _locked(connection)
            run(connection, (migration,), None)
            tried.append(migration.file)
            if not migration.alone:
                now = {oid: kind for oid, kind in _locked(connection).items() if held.get(oid) != kind}
                locks |= {before[oid][0]: kind for oid, kind in now.items() if oid in before}
        nodes = {oid: node for oid, _, node in connection.execute(TABLES)}
        rewritten = sorted(name for oid, (name, node) in before.items() if nodes.get(oid, node) != node)
    except psycopg.Error as error:
        raise database_error(error, "Nothing was changed.") from error
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = autocommit
    return Trial(tuple(tried), tuple(rewritten), dict(sorted(locks.items())))


@contextmanager
def clone(live: psycopg.Connection[Any], server: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection, as the owner, to a copy of a database without its rows.

    Args:
        live: the database, which is only read.
        server: connection string of the database that becomes the copy, as superuser; its own tables go.

    Raises:
        OperatorError: the catalog holds what the server cannot take.
    """
    try:
        role = live.execute("select current_user").fetchone()
        roles = live.execute(MISSING_ROLES).fetchone()
        exists = live.execute(ledger.EXISTS).fetchone() == (True,)
        columns = "select version, name, statements from supabase_migrations.schema_migrations"
        rows = live.execute(columns).fetchall() if exists else []
        live.rollback()
        schemas = [f"--schema={name}" for name in SCHEMAS]
        dump = ["pg_dump", "--schema-only", *schemas, f"--role={role[0] if role else ''}", "-d", live.info.dsn]
        script = CREATE_SCHEMA.sub(r"drop schema if exists \1 cascade;\n\g<0>", _program(dump, "", live.info.password))
        script = f"{roles[0] if roles else ''}\n{script}"
        options = conninfo_to_dict(server)
        password = str(options.pop("password", ""))
        load = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-1", "-d", make_conninfo("", **options)]
        _program(load, script, password)
        with psycopg.connect(server, options=f"-c role={OWNER}") as copy:
            with copy.cursor() as cursor:
                cursor.executemany(ledger.INSERT, rows)
            copy.commit()
            yield copy
    except psycopg.Error as error:
        raise database_error(error, "Nothing was changed.") from error


def main() -> int:
    """Try and tell; failures are one line, with a caret where a statement failed, and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m components.schema.trial", description=__doc__)
    parser.add_argument("--live", action="store_true", help="on the database itself, rolled back")
    arguments = parser.parse_args()
    try:
        with connect_from_environment() as live:
            if arguments.live:
                found = attempt(live, read_migrations(), live=True)
            else:
                with clone(live, os.environ.get("CLONE_URL", "")) as copy:
                    found = attempt(copy, read_migrations())
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 0


def _locked(connection: psycopg.Connection[Any]) -> dict[int, str]:
    return {oid: "reads and writes" if all_of_it else "writes" for oid, all_of_it in connection.execute(LOCKS)}


def _program(command: list[str], text: str, password: str) -> str:
    environment = os.environ | {"PGPASSWORD": password}
    done = subprocess.run(command, input=text, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = next((line for line in done.stderr.splitlines() if "error:" in line.lower()), "no reason given")
        raise OperatorError(f"the catalog cannot be cloned: {said}", command[0], "Nothing was changed.")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
