"""A database per project in one Postgres server, each like a new Supabase project's, each with a login of its own."""

import hashlib
import secrets
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from local.emulators import extensions
from local.emulators.postgres import Postgres
from local.emulators.supabase.postgrest import DataApi

HERE = Path(__file__).parent
READER, OWNER = "supabase_read_only_user", "postgres"
TEMPORARY, TEMPORARY_SECONDS = "cli_login_postgres", 300
# Run in this order in the template, and again in databases that an earlier version of these files made.
PARTS = ("services.sql", "storage.sql", "realtime.sql", "extensions.sql")
LOCK_SECONDS = 60
LOCK = 0x5B  # whoever prepares a server that several emulators share


class ProjectDatabases:
    """Makes, copies and drops projects' databases. A database is named after its project's ref."""

    pooler_port = 0  # set once the pooler listens

    def __init__(self, postgres: Postgres, remembered: float = 0.0) -> None:
        self._postgres, self._remembered = postgres, remembered
        self.data_api = DataApi(postgres)
        with postgres.admin() as admin:
            row = admin.execute("select rolsuper from pg_roles where rolname = 'postgres'").fetchone()
            # Row-level security proves nothing to a superuser, so the owner must not be one.
            self.owner = "project_owner" if row and row[0] else OWNER
        # Named after its content, so that a newer version of this file makes a newer template.
        self._parts = "\n".join(self._script(name) for name in PARTS)
        content = self._script("database.sql") + self._parts + extensions.digest()
        self._template = f"supabase_{hashlib.sha256(content.encode()).hexdigest()[:12]}"

    @property
    def host(self) -> str:
        """Host of every project's database."""
        return self._postgres.host

    @property
    def port(self) -> int:
        """Port of every project's database."""
        return self._postgres.port

    @cached_property
    def version(self) -> str:
        """Version of the server."""
        with self._postgres.admin() as admin:
            return str(admin.execute("show server_version").fetchone()[0]).split()[0]  # type: ignore[index]

    def prepare(self) -> None:
        """Make roles and the template database, and bring older projects' databases up to date."""
        with self._postgres.admin() as admin:
            admin.execute(f"set lock_timeout = '{LOCK_SECONDS}s'")
            admin.execute("select pg_advisory_lock(%s)", (LOCK,))
            admin.execute(self._script("roles.sql"))
            self._upgrade(admin)
            if admin.execute("select from pg_database where datname = %s", (self._template,)).fetchone() is not None:
                return
            building = sql.Identifier(f"{self._template}_building")
            admin.execute(sql.SQL("drop database if exists {}").format(building))
            admin.execute(sql.SQL("create database {}").format(building))
            with self._postgres.admin(f"{self._template}_building") as database:
                database.execute(self._script("database.sql"))
                database.execute(self._parts)
            admin.execute(sql.SQL("alter database {} allow_connections false").format(building))
            admin.execute(sql.SQL("alter database {} rename to {}").format(building, sql.Identifier(self._template)))

    def _upgrade(self, admin: psycopg.Connection[Any]) -> None:
        """Run the parts in each project's database that another version of them made."""
        older = "select datname from pg_database where pg_get_userbyid(datdba) = %s and datallowconn"
        older += " and shobj_description(oid, 'pg_database') is distinct from %s"
        for (name,) in admin.execute(older, (self.owner, self._template)).fetchall():
            with self._postgres.admin(name) as database:
                # A database of somebody else's, on a server that was here before, has no accounts of Supabase's.
                if database.execute("select to_regclass('auth.users')").fetchone() != (None,):
                    database.execute(self._parts)
                    self._sign(admin, name)

    def _sign(self, admin: psycopg.Connection[Any], name: str) -> None:
        """Note in a database's comment which version of the template it is like."""
        comment = sql.SQL("comment on database {} is {}")
        admin.execute(comment.format(sql.Identifier(name), sql.Literal(self._template)))

    def create(self, ref: str, password: str) -> None:
        """Make a project's database and its login `postgres.<ref>`, which acts as the owner."""
        login = sql.Identifier(self.login(ref))
        with self._postgres.admin() as admin:
            self._copy(admin, self._template, ref)
            admin.execute(sql.SQL("create role {} login bypassrls createrole").format(login))
            admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(self.owner), login))
            admin.execute(sql.SQL("alter role {} set role = {}").format(login, sql.Literal(self.owner)))
            path = sql.SQL('alter role {} set search_path = "$user", public, extensions')
            admin.execute(path.format(login))
            admin.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(ref), login))
        self.set_password(ref, password)

    def set_password(self, ref: str, password: str) -> None:
        """Change the password of a project's login."""
        with self._postgres.admin() as admin:
            command = sql.SQL("alter role {} password {}")
            admin.execute(command.format(sql.Identifier(self.login(ref)), sql.Literal(password)))

    def change_password(self, ref: str, password: str) -> None:
        """The same, but the pooler goes on with the one before for a while."""

        def change() -> None:
            with suppress(psycopg.errors.UndefinedObject):  # the project is gone by now
                self.set_password(ref, password)

        threading.Timer(self._remembered, change).start() if self._remembered else change()

    def renew_temporary_login(self, ref: str) -> dict[str, Any]:
        """The one temporary login of a project, made or given another password: it may become the owner, no more."""
        name, password = f"{TEMPORARY}.{ref}", secrets.token_urlsafe(24)
        login = sql.Identifier(name)
        with self._postgres.admin() as admin:
            if admin.execute("select from pg_roles where rolname = %s", (name,)).fetchone() is None:
                admin.execute(sql.SQL("create role {} login noinherit").format(login))
                admin.execute(sql.SQL("grant {} to {}").format(sql.Identifier(self.owner), login))
                admin.execute(sql.SQL("grant connect on database {} to {}").format(sql.Identifier(ref), login))
                if self.owner != OWNER:
                    # Where a superuser of somebody else's has the owner's name, nobody may become it.
                    admin.execute(sql.SQL("alter role {} set role = {}").format(login, sql.Literal(self.owner)))
            until = datetime.now(UTC) + timedelta(seconds=TEMPORARY_SECONDS)
            command = sql.SQL("alter role {} password {} valid until {}")
            admin.execute(command.format(login, sql.Literal(password), sql.Literal(until.isoformat())))
        return {"role": TEMPORARY, "password": password, "ttl_seconds": TEMPORARY_SECONDS}

    def set_login(self, ref: str, *, allowed: bool) -> None:
        """Let a project's login in or keep it out, as pausing does; connections that are open end."""
        with self._postgres.admin() as admin:
            word = sql.SQL("login" if allowed else "nologin")
            admin.execute(sql.SQL("alter role {} {}").format(sql.Identifier(self.login(ref)), word))
            if not allowed:
                self._disconnect(admin, ref)

    def copy(self, ref: str, name: str) -> None:
        """Make a scratch copy of a project's database that the project's login may enter."""
        with self._postgres.admin() as admin:
            self._copy(admin, ref, name)
            granted = sql.SQL("grant connect on database {} to {}")
            admin.execute(granted.format(sql.Identifier(name), sql.Identifier(self.login(ref))))

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected, with its scratch copies and the logins named after it."""
        self.data_api.stop(name)
        with self._postgres.admin() as admin:
            copies = admin.execute("select datname from pg_database where starts_with(datname, %s)", (f"copy_{name}_",))
            for each in [name, *(copy for (copy,) in copies)]:
                admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(each)))
            for login in (self.login(name), f"{TEMPORARY}.{name}", self.data_api.login(name)):
                admin.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(login)))

    def query(self, ref: str, text: str, parameters: Sequence[Any], *, read_only: bool) -> list[dict[str, Any]]:
        """Run SQL as the owner, or as who may only read, and give the rows of the last statement that has any.

        Raises:
            psycopg.Error: as Postgres gave it; nothing of the text took effect.
        """
        # As options they outlive a COMMIT and a RESET in the text.
        settings = {"role": READER if read_only else self.owner, "search_path": '"$user",public,extensions'}
        settings |= {"default_transaction_read_only": "on"} if read_only else {}
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        with self._postgres.admin(ref, options=options) as database:
            cursor = psycopg.RawCursor(database).execute(text.encode(), parameters or None)
            rows: list[dict[str, Any]] = []
            while True:
                if cursor.description is not None:
                    names = [column.name for column in cursor.description]
                    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
                if not cursor.nextset():
                    return rows

    @staticmethod
    def login(ref: str) -> str:
        """The login of a project, as its pooler knows it."""
        return f"postgres.{ref}"

    def _copy(self, admin: psycopg.Connection[Any], source: str, name: str) -> None:
        # Nobody may be connected to what is copied; pooled connections of the owner would be.
        if source != self._template:
            self._disconnect(admin, source)
        names = sql.Identifier(name), sql.Identifier(source), sql.Identifier(self.owner)
        admin.execute(sql.SQL("create database {} template {} owner {}").format(*names))
        self._sign(admin, name)
        # The owner is every project's, and each login would inherit its right to connect.
        admin.execute(sql.SQL("revoke connect, temporary on database {} from public").format(names[0]))
        admin.execute(sql.SQL("revoke connect on database {} from {}").format(names[0], names[2]))

    def _disconnect(self, admin: psycopg.Connection[Any], name: str) -> None:
        self.data_api.stop(name)  # it would come back at once
        admin.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))

    def _script(self, name: str) -> str:
        return (HERE / name).read_text().replace("{owner}", self.owner)
