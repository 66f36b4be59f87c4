"""Copy a database's catalog, without a row, into an empty server, so that migrations can be tried there.

Everything is copied but what belongs to Supabase itself, which the server has already: told by the owner of a schema or
object, not by a list of names. Extensions are created by the server's own files, in the schema they have on the live
database. User mappings stay behind: a copy must not reach the servers that a foreign table or dblink points at.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from common.errors import OperatorError
from pgschema import ledger
from pgschema.errors import database_error

OWNER = "postgres"
COPY_SECONDS = 600.0  # for pg_dump, and for psql
CONNECT_SECONDS = 10
EXTENSIONS = "extensions"  # the schema that Supabase makes for them, on the live database and on the server
ON_LIVE = "Nothing was changed. Try it on the database itself, rolled back: preview --try-sql --on-live."
# A role is Supabase's by its name, or because the deploying role may not act as it.
FOREIGN_ROLES = """
select rolname from pg_roles
where rolname <> 'pg_database_owner' and (rolname ~ '^supabase_' or not pg_has_role(current_user, oid, 'MEMBER'))
"""
SCHEMAS = """
select n.nspname, r.rolname, exists (select from pg_depend d
  where d.classid = 'pg_namespace'::regclass and d.objid = n.oid and d.deptype = 'e')
from pg_namespace n join pg_roles r on r.oid = n.nspowner
where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
"""
ROLES = """
select rolname, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls
from pg_roles where rolname !~ '^pg_' order by rolname
"""
MEMBERSHIPS = """
select g.rolname, m.rolname from pg_auth_members a
  join pg_roles g on g.oid = a.roleid join pg_roles m on m.oid = a.member
where m.rolname !~ '^pg_'
"""
INSTALLED = """
select e.extname, n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname <> 'plpgsql'
"""
# Triggers and policies of the client's own on tables that Supabase owns, and that are therefore not dumped.
TRIGGERS = """
select format('%%I.%%I', n.nspname, c.relname), format('drop trigger if exists %%I on %%I.%%I; %%s; %%s', t.tgname,
  n.nspname, c.relname, pg_get_triggerdef(t.oid), case when t.tgenabled = 'O' then '' else format(
    'alter table %%I.%%I %%s trigger %%I', n.nspname, c.relname, case t.tgenabled when 'D' then 'disable'
      when 'R' then 'enable replica' else 'enable always' end, t.tgname) end)
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
  join pg_proc p on p.oid = t.tgfoid join pg_namespace f on f.oid = p.pronamespace
where not t.tgisinternal and n.nspname = any(%s) and f.nspname <> all(%s) and f.nspname <> 'pg_catalog'
"""
POLICIES = """
select format('%%I.%%I', schemaname, tablename), format(
  'drop policy if exists %%I on %%I.%%I; create policy %%I on %%I.%%I as %%s for %%s to %%s %%s %%s',
  policyname, schemaname, tablename, policyname, schemaname, tablename, permissive, cmd,
  (select string_agg(case when name = 'public' then 'public' else quote_ident(name) end, ', ') from unnest(roles) name),
  'using (' || qual || ')', 'with check (' || with_check || ')')
from pg_policies where schemaname = any(%s)
"""
# `dumpId; tableoid oid TYPE schema name owner`; the owner is empty for an extension.
CREATE_SCHEMA = re.compile(r"^CREATE SCHEMA (?=[^;]+;$)", re.MULTILINE)
# A kind may be of several words; the one that must never be taken for another is written out.
ENTRY = re.compile(r"^\d+; \d+ \d+ (?P<what>USER MAPPING|[A-Z ]+?) (?P<schema>\S+) (?P<rest>.*)$")


@dataclass(frozen=True)
class Source:
    """What the live database holds besides what `pg_dump` writes.

    Attributes:
        role: the deploying role.
        owned: schemas to copy.
        left: Supabase's schemas.
        foreign: roles that are Supabase's.
        roles: statements that make the roles, and say who is a member of which.
        extensions: name -> schema.
        publications: their names.
        hooks: table of Supabase's -> statements that bring the client's triggers and policies on it.
        applied: the ledger.
    """

    role: str
    owned: tuple[str, ...]
    left: tuple[str, ...]
    foreign: frozenset[str]
    roles: tuple[str, ...]
    extensions: dict[str, str]
    publications: tuple[str, ...]
    hooks: tuple[tuple[str, str], ...]
    applied: tuple[tuple[Any, ...], ...]


@contextmanager
def clone(live: psycopg.Connection[Any], server: str) -> Iterator[psycopg.Connection[Any]]:
    """Give a connection, as the owner, to a copy of a database without its rows.

    Args:
        live: the database, of which only the catalog and the ledger are read.
        server: connection string of the database that becomes the copy, as superuser; its own tables go.

    Raises:
        OperatorError: the catalog holds what the server cannot take; names `--on-live`.
    """
    try:
        source = read_source(live)
        dump = _dump(live, source)
        with psycopg.connect(server, autocommit=True, connect_timeout=CONNECT_SECONDS) as admin:
            absent = _prepare(admin, source)
        _load(server, _selected(dump, source, absent) + _hooks(server, source), absent)
        with psycopg.connect(server, options=f"-c role={OWNER}", connect_timeout=CONNECT_SECONDS) as copy:
            with copy.cursor() as cursor:
                cursor.executemany(ledger.INSERT, source.applied)
            copy.commit()
            yield copy
    except psycopg.Error as error:
        raise database_error(error, ON_LIVE) from error


def read_source(live: psycopg.Connection[Any]) -> Source:
    """Read what the copy needs to know of the live database; ends the transaction."""
    (role,) = _column(live, "select current_user")
    foreign = frozenset(_column(live, FOREIGN_ROLES))
    schemas = live.execute(SCHEMAS).fetchall()
    left = [name for name, owner, of_extension in schemas if of_extension or (owner in foreign and name != "public")]
    owned = [name for name, *_ in schemas if name not in left]
    hooks = live.execute(TRIGGERS, (left, left)).fetchall() + live.execute(POLICIES, (left,)).fetchall()
    exists = _column(live, ledger.EXISTS) == (True,)
    columns = "select version, name, statements from supabase_migrations.schema_migrations"
    source = Source(
        role=role,
        owned=tuple(owned),
        left=tuple(left),
        foreign=foreign,
        roles=tuple(_roles(live)),
        extensions=dict(live.execute(INSTALLED).fetchall()),
        publications=_column(live, "select pubname from pg_publication"),
        hooks=tuple(hooks),
        applied=tuple(live.execute(columns).fetchall()) if exists else (),
    )
    live.rollback()
    return source


def _column(connection: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    return tuple(row[0] for row in connection.execute(query))


def _roles(live: psycopg.Connection[Any]) -> Iterator[str]:
    words = ("inherit", "createrole", "createdb", "login", "replication", "bypassrls")
    for name, *attributes in live.execute(ROLES):
        options = " ".join(word if held else f"no{word}" for word, held in zip(words, attributes, strict=True))
        yield (
            f"do $r$ begin create role {_quoted(name)} {options}; exception when duplicate_object then null; end $r$"
        )
    for group, member in live.execute(MEMBERSHIPS):
        yield (
            # The server's own roles may be members the other way round.
            f"do $r$ begin grant {_quoted(group)} to {_quoted(member)};"
            " exception when invalid_grant_operation then null; end $r$"
        )


def _dump(live: psycopg.Connection[Any], source: Source) -> bytes:
    """The catalog in pg_dump's own format, whose table of contents can be selected from."""
    without = [f"--exclude-schema={_quoted(name)}" for name in source.left]
    quiet = ["--no-security-labels", "--no-subscriptions", "--no-tablespaces", "--schema-only"]
    command = ["pg_dump", "-Fc", *quiet, *without, f"--role={source.role}", "-d", live.info.dsn]
    return _program(command, b"", live.info.password)


def _prepare(admin: psycopg.Connection[Any], source: Source) -> tuple[str, ...]:
    """Make room in the server's database for what comes.

    Returns:
        the extensions that the server does not have.
    """
    for statement in source.roles:
        admin.execute(statement.encode())
    for name in source.publications:
        admin.execute(sql.SQL("drop publication if exists {}").format(sql.Identifier(name)))
    for name in source.owned:
        if name != EXTENSIONS:
            admin.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(name)))
    if "public" in source.owned:
        # As initdb leaves it: pg_dump writes only what differs from that.
        admin.execute("create schema public authorization pg_database_owner; grant usage on schema public to public")
    available = set(_column(admin, "select name from pg_available_extensions"))
    there = dict(admin.execute(INSTALLED).fetchall())
    for name, schema in source.extensions.items():
        if name not in available or there.get(name) == schema:
            continue
        names = sql.Identifier(name), sql.Identifier(schema)
        admin.execute(sql.SQL("drop extension if exists {} cascade").format(names[0]))
        admin.execute(sql.SQL("create schema if not exists {}").format(names[1]))
        admin.execute(sql.SQL("create extension {} with schema {} cascade").format(*names))
    return tuple(sorted(source.extensions.keys() - available))


def _selected(dump: bytes, source: Source, absent: Sequence[str]) -> str:
    """The SQL of the dump without Supabase's own objects, extensions and user mappings."""
    with tempfile.TemporaryDirectory() as folder:
        file, contents = Path(folder) / "catalog.dump", Path(folder) / "contents"
        file.write_bytes(dump)
        listed = _program(["pg_restore", "-l", str(file)], b"", "").decode()
        kept = [line for line in listed.splitlines() if line.startswith(";") or _is_kept(line, source)]
        contents.write_text("\n".join(kept) + "\n")
        script = _program(["pg_restore", "-f", "-", "-L", str(contents), str(file)], b"", "").decode()
        # The schema of an extension is there already.
        return CREATE_SCHEMA.sub("CREATE SCHEMA IF NOT EXISTS ", script)


def _is_kept(line: str, source: Source) -> bool:
    found = ENTRY.match(line)
    if found is None:
        return True
    what, rest = found["what"], found["rest"]
    if what in {"EXTENSION", "USER MAPPING"} or (what == "COMMENT" and rest.startswith("EXTENSION ")):
        return False
    return rest.rpartition(" ")[2] not in source.foreign


def _hooks(server: str, source: Source) -> str:
    """The client's triggers and policies on Supabase's tables, as far as the server has those."""
    with psycopg.connect(server, autocommit=True, connect_timeout=CONNECT_SECONDS) as admin:
        return "".join(
            f"\n{statements};"
            for table, statements in source.hooks
            if admin.execute("select to_regclass(%s)", (table,)).fetchone() != (None,)
        )


def _load(server: str, script: str, absent: Sequence[str]) -> None:
    options = conninfo_to_dict(server)
    password = str(options.pop("password", ""))
    command = ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-1", "-d", make_conninfo("", **options)]
    try:
        _program(command, script.encode(), password)
    except OperatorError as error:
        if not absent:
            raise
        lacking = f"{error.what}; the clone's server has no extension {', '.join(absent)}"
        raise OperatorError(lacking, error.where, error.remedy) from None


def _program(command: list[str], given: bytes, password: str) -> bytes:
    environment = os.environ | {"PGPASSWORD": password}
    try:
        done = subprocess.run(
            command, input=given, env=environment, capture_output=True, check=False, timeout=COPY_SECONDS
        )
    except subprocess.TimeoutExpired:
        what = f"the catalog cannot be cloned: no end within {COPY_SECONDS:g} s"
        raise OperatorError(what, command[0], ON_LIVE) from None
    if done.returncode:
        lines = done.stderr.decode(errors="replace").splitlines()
        said = next((line for line in lines if "error:" in line.lower()), "no reason given")
        raise OperatorError(f"the catalog cannot be cloned: {said}", command[0], ON_LIVE)
    return done.stdout


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
