"""The same schema, catalog and isolation on every Postgres major that Supabase runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from local.emulators.postgres import Postgres
from local.emulators.supabase.database import ProjectDatabases
from pgschema.apply import apply
from pgschema.catalog import compare, read_snapshot
from pgschema.isolation import check
from pgschema.migrations import read_migrations
from pgschema.repair import repair
from tests.schema.by_hand import changed, lines, unnamed
from tests.schema.by_hand import read as read_as_owner
from tests.schema.conftest import Connection
from tests.schema.edits import EDITS
from tests.schema.holes import LISTED
from tests.schema.majors import MAJORS, MajorMissingError, server
from tests.schema.more_holes import MORE
from tests.schema.mutants import REPORTED, SECURITY, mutants
from tests.schema.right_things import QUIET
from tests.schema.test_holes import fill
from tests.schema.test_repair import read
from tests.schema.verdicts import HEAD, judged

pytestmark = pytest.mark.long
TABLE = Path(__file__).parents[2] / "docs/holes.md"


@dataclass(frozen=True)
class Project:
    """A new project's database: the login's connection string, the superuser's, and the role that deploys."""

    dsn: str
    admin: str
    owner: str


@pytest.fixture(scope="module", params=MAJORS)
def postgres(request: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A server of each major."""
    try:
        with server(request.param) as running:
            assert ProjectDatabases(running).version.startswith(f"{request.param}.")
            yield running
    except MajorMissingError as error:
        pytest.skip(str(error))


def new_project(postgres: Postgres) -> Project:
    """Make a new project's database on a server."""
    databases, ref, password = ProjectDatabases(postgres), f"m{uuid4().hex[:18]}", uuid4().hex
    databases.prepare()
    databases.create(ref, password)
    where = {"host": databases.host, "port": databases.port, "dbname": ref}
    dsn = make_conninfo(**where, user=databases.login(ref), password=password)
    return Project(dsn, postgres.url(ref), databases.owner)


@pytest.fixture(scope="module")
def project(postgres: Postgres) -> Project:
    """A new project's database on that server."""
    return new_project(postgres)


@pytest.fixture
def schema(project: Project) -> Iterator[Connection]:
    """A connection to the database with our schema; whatever the test does after that is rolled back."""
    with psycopg.connect(project.dsn) as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
        yield connection
        connection.rollback()


def test_the_catalog_reads_as_the_reviewed_snapshot_and_a_second_apply_does_nothing(schema: Connection) -> None:
    assert read(schema) == read_snapshot()
    schema.rollback()
    again = apply(schema, read_migrations(), snapshot=read_snapshot())
    assert (again.files, again.repaired, again.warnings) == ((), (), ())


def test_every_attack_is_repelled_and_a_hole_is_named(schema: Connection) -> None:
    assert str(check(schema)).endswith(" 0 leaks")
    schema.execute("grant select on contacts to anon")
    assert "leak: contacts: select as anon" in str(check(schema))


def test_each_hole_has_the_verdicts_that_the_table_gives_it(postgres: Postgres) -> None:
    made = new_project(postgres)
    with psycopg.connect(made.dsn) as connection:
        apply(connection, read_migrations(), snapshot=read_snapshot())
    with psycopg.connect(made.admin, autocommit=True) as admin:
        fill(admin)
        admin.autocommit = False
        verdicts = [judged(admin, hole) for hole in (*LISTED, *MORE)]
        quiet = [judged(admin, thing) for thing in QUIET]
    wrong = [each for each in verdicts if (each.check == "named") != each.hole.exploitable]
    assert [str(each) for each in (*wrong, *(each for each in quiet if each.check != "-"))] == []
    assert [str(each) for each in verdicts if each.drift != "named" and each.hole.exploitable] == []
    assert HEAD + "".join(f"{each}\n" for each in verdicts) in TABLE.read_text()


@pytest.mark.parametrize("kind", SECURITY)
def test_each_change_of_security_is_named_and_repaired(schema: Connection, kind: str) -> None:
    schema.execute("grant create on schema public, private to service_role, authenticated")
    for change in mutants(kind).values():
        schema.execute(change)
    live = read(schema)
    assert set(mutants(kind)) <= set(compare(live, read_snapshot()).security)
    assert repair(schema, live, live, read_snapshot())[0] == read_snapshot()


@pytest.mark.parametrize("kind", REPORTED)
def test_each_change_of_a_table_is_named(schema: Connection, kind: str) -> None:
    for change in mutants(kind).values():
        schema.execute(change)
    assert set(mutants(kind)) <= set(compare(read(schema), read_snapshot()).other)


def test_each_kind_of_edit_by_hand_is_named_and_nothing_on_an_unchanged_database(
    project: Project, schema: Connection
) -> None:
    assert lines(read(schema)) == {}
    schema.rollback()
    with psycopg.connect(project.admin, autocommit=True) as admin:
        missed = []
        for edit in EDITS:
            with changed(admin, project.owner, edit.make, as_admin=edit.as_admin):
                said = lines(read_as_owner(admin))
            if not any(line.startswith(edit.named) for line in said):
                missed.append((edit.kind, sorted(said)))
    assert missed == []


def test_every_hole_that_is_opened_is_named(project: Project, schema: Connection) -> None:
    schema.rollback()
    holes, more = pytest.importorskip("tests.schema.holes"), pytest.importorskip("tests.schema.more_holes")
    with psycopg.connect(project.admin, autocommit=True) as admin:
        missed = unnamed(admin, project.owner, (*holes.LISTED, *more.MORE))
    assert missed == []
