"""Each hole opened on purpose is named by the check, and nothing right is: a table of verdicts by number."""

from collections.abc import Callable, Iterator

import pytest
from psycopg.types.json import Jsonb

from pgschema.isolation import judge
from tests.conftest import Local
from tests.schema.conftest import POPULATE, Connection, NewDatabase
from tests.schema.holes import LISTED, Hole
from tests.schema.more_holes import MORE
from tests.schema.right_things import QUIET

Open = Callable[[Hole], Connection]


@pytest.fixture(scope="module")
def filled(new_current: NewDatabase, local: Local) -> str:
    """A project's database with our schema and two filled organizations; gives its ref."""
    made = new_current()
    with local.postgres.admin(made.ref) as admin:
        fill(admin)
    return made.ref


def fill(admin: Connection) -> None:
    """Fill two organizations, each with an owner, an admin and a member who have accounts."""
    admin.execute(POPULATE.encode())
    for organization in ("1", "2"):
        accounts = {
            role: f"{organization * 8}-0000-4000-8000-00000000000{n}"
            for n, role in enumerate(("owner", "admin", "member"))
        }
        own = f"{organization * 8}-0000-4000-8000-000000000009"
        for account in accounts.values():
            admin.execute("insert into auth.users (id) values (%s)", (account,))
        admin.execute("select pg_temp.populate(%s, %s)", (own, Jsonb(accounts)))


@pytest.fixture
def opened(filled: str, local: Local) -> Iterator[Open]:
    """Opens a hole in the filled database, in a transaction that is rolled back after the test."""
    with local.postgres.admin(filled) as admin:
        admin.autocommit = False

        def open_hole(hole: Hole) -> Connection:
            become = "" if hole.as_admin else "set local role postgres;"
            admin.execute(f"{become} {hole.sql}".encode())
            admin.execute("reset role; set local role postgres")
            return admin

        yield open_hole
        admin.rollback()


@pytest.mark.parametrize("hole", [each for each in (*LISTED, *MORE) if each.exploitable], ids=str)
def test_a_hole_that_can_be_used_is_named(opened: Open, hole: Hole) -> None:
    report = judge(opened(hole))
    assert not report.passed
    findings = (*report.leaks, *report.lockouts, *report.unjudged)
    assert any(hole.named in finding.table for finding in findings), str(report)


@pytest.mark.parametrize("hole", [each for each in (*LISTED, *MORE) if not each.exploitable], ids=str)
def test_what_no_role_of_the_api_can_use_is_left_to_the_catalog(opened: Open, hole: Hole) -> None:
    assert judge(opened(hole)).passed


@pytest.mark.parametrize("thing", QUIET, ids=str)
def test_what_is_right_stays_quiet(opened: Open, thing: Hole) -> None:
    report = judge(opened(thing))
    assert report.passed, str(report)
