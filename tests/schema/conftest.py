"""Databases of emulated projects for the schema's tests, reached as the deployment reaches them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from local.emulators.supabase.database import ProjectDatabases
from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.migrations import Migration, read_migrations
from supabase_management import pooler
from supabase_management.client import Client
from tests.conftest import Local

# Defines pg_temp.populate(organization, accounts), an organization with a row or more in every table, and
# pg_temp.attack(role, claims, statement).
POPULATE = (Path(__file__).parent / "organization.sql").read_text()
PASSWORD = "not-a-secret-0123456789"
OLD_DEFAULTS = """
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role
"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Database:
    """The database of one project, made in passing."""

    ref: str
    address: pooler.DatabaseAddress

    def connect(self) -> Connection:
        return pooler.connect(self.address, PASSWORD)

    @property
    def environment(self) -> dict[str, str]:
        return {"DATABASE_URL": self.address.dsn, "PGPASSWORD": PASSWORD}


NewDatabase = Callable[[], Database]


@pytest.fixture(scope="session")
def new_database(local: Local) -> NewDatabase:
    """Makes a project and gives its database, which holds nothing of ours."""

    def make() -> Database:
        with Client(local.urls["supabase"], local.exports["SUPABASE_ACCESS_TOKEN"]) as client:
            ref = client.create_project(
                name=f"client-{uuid4().hex[:12]}-test",
                organization=local.exports["SUPABASE_ORG_SLUG"],
                region="eu-west-2",
                password=PASSWORD,
                instance_size=None,
            ).ref
            return Database(ref, pooler.wait_for_database(client, ref, PASSWORD, timeout=30))

    return make


@pytest.fixture(scope="session")
def new_current(new_database: NewDatabase, local: Local) -> NewDatabase:
    """Makes a project and gives its database with our schema: a copy, which takes a tenth of the time of an apply."""
    template, databases = new_database(), ProjectDatabases(local.postgres)
    with template.connect() as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())

    def make() -> Database:
        made = new_database()
        with local.postgres.admin() as admin:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(made.ref)))
            databases.copy(template.ref, made.ref)
            names = sql.Identifier(made.ref), sql.Identifier(databases.login(made.ref))
            admin.execute(sql.SQL("grant connect on database {} to {}").format(*names))
        return made

    return make


@pytest.fixture(scope="session")
def ready(new_current: NewDatabase) -> Database:
    """One database with our schema, shared by tests that commit nothing."""
    return new_current()


@pytest.fixture
def empty(new_database: NewDatabase) -> Iterator[Connection]:
    """A connection to a new project's database, without our schema."""
    with new_database().connect() as connection:
        yield connection


@pytest.fixture
def current(new_current: NewDatabase) -> Iterator[Connection]:
    """A connection to a new project's database with our schema, for tests that commit."""
    with new_current().connect() as connection:
        yield connection


@pytest.fixture
def schema(ready: Database) -> Iterator[Connection]:
    """A connection to the shared database; whatever the test does is rolled back."""
    connection = ready.connect()
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., tuple[Migration, ...]]:
    """Our migrations with others added or in their place: `folder({"20990101000000_x.sql": "select 1"})`."""

    def read(files: dict[str, str], *, ours: bool = True) -> tuple[Migration, ...]:
        target = tmp_path / uuid4().hex
        target.mkdir()
        for name, text in files.items():
            (target / name).write_text(text)
        found = {each.version: each for each in (*(read_migrations() if ours else ()), *read_migrations(target))}
        return tuple(found[version] for version in sorted(found))

    return read
