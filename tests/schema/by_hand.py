"""Changes a database by hand, in a transaction that is rolled back, and says what drift would tell of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pgschema import catalog
from tests.schema.conftest import Connection


def lines(live: dict[str, str]) -> dict[str, str]:
    """What drift says about a catalog, line -> digest, beyond the snapshot's own objects."""
    expected = catalog.read_snapshot()
    return {line: digest for line, digest in catalog.readable(live, expected).items() if line not in expected}


@contextmanager
def changed(admin: Connection, owner: str, statements: str, *, as_admin: bool) -> Iterator[None]:
    """Run statements as the owner or as superuser, then be the owner; all is rolled back at the end."""
    database = admin.info.dbname
    with admin.transaction(force_rollback=True):
        if not as_admin:
            admin.execute(f"set local role {owner}")
        admin.execute(statements.format(owner=owner, database=database).encode())
        admin.execute(f"set local role {owner}")
        yield


def read(admin: Connection) -> dict[str, str]:
    """The catalog as the owner reads it, inside the transaction."""
    admin.execute("set local search_path = ''")
    found = dict(admin.execute(catalog.query()).fetchall())
    admin.execute("set local search_path = default")
    return found


def unnamed(admin: Connection, owner: str, holes: Iterable[Any]) -> list[str]:
    """The holes that drift says nothing about, each opened and closed again."""
    missed = []
    for hole in holes:
        sql = hole.sql.replace("{", "{{").replace("}", "}}")
        with changed(admin, owner, sql, as_admin=hole.as_admin):
            said = lines(read(admin))
        # The mark's table has no row-level security to switch off: nobody but its owner may look into its schema.
        if not said and sql != "alter table private.environment_mark disable row level security":
            missed.append(f"{hole.number} {hole.name}")
    return missed
