"""The schema in the database of one project, reached by way of the Management API. Knows no Pulumi."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg

from common.errors import OperatorError
from pgschema import catalog, gate, isolation
from pgschema.apply import Live, Mark, apply, read_live
from pgschema.errors import database_error
from pgschema.migrations import read_migrations
from pgschema.verdict import PASSED, leak_lines, verdict
from supabase_management.client import Client
from supabase_management.models import GONE, PAUSED
from supabase_management.pooler import (
    DatabaseAddress,
    Login,
    attempt_login,
    connect,
    cut_off,
    find_address,
    wait_for_database,
)

APPLY_SECONDS = 4 * 3600.0  # an index of a large table is built for up to three hours
READ_SECONDS = 900.0  # the catalog, and all attacks
REFUSED = ""  # stands for a password that the database no longer takes


def apply_schema(
    props: Mapping[str, Any], before_write: Callable[[], None], tell: Callable[[str], None], *, prove: bool
) -> dict[str, Any]:
    """Wait for the database, apply what is pending and verify the whole.

    Args:
        props: the inputs of the resource.
        before_write: called before anything is changed and again before each commit; raises to prevent it.
        tell: called with a line for each thing that was repaired or is not as reviewed.
        prove: attack even when nothing is pending, because nothing says yet that the isolation check passes.

    Returns:
        what the database holds now: migrations, catalog, isolation, version, dsn, applied_at.

    Raises:
        OperatorError: no database, or the apply failed and left nothing.
    """
    migrations, ref, password = read_migrations(), str(props["project_ref"]), str(props["db_password"])
    if {each.version: each.digest for each in migrations} != props["migrations"]:
        raise OperatorError("changed while the update was running", "sql/migrations", "Run `up` again.")
    with Client.from_environment(before_write) as client:
        address = wait_for_database(client, ref, password, timeout=float(props["timeout"]))
    try:
        connection = connect(address, password)
    except psycopg.OperationalError as error:
        raise database_error(error, "Run `up` again.") from error
    with connection, cut_off(connection, APPLY_SECONDS, f"project {ref}"):
        mark = Mark(str(props["client_id"]), str(props["project_name"]))
        before_write()
        applied = apply(
            connection,
            migrations,
            mark=mark,
            snapshot=catalog.read_snapshot(),
            prove=prove,
            before_commit=before_write,
        )
    for line in (*applied.notes, *(f"{name}: repaired" for name in applied.repaired), *applied.warnings):
        tell(f"schema of {props['project_name']}: {line}")
    applied_at = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        **_digests(applied.live),
        "isolation": PASSED,
        "version": migrations[-1].version,
        "dsn": address.dsn,
        "applied_at": applied_at,
    }


def read_schema(ref: str, password: str, recorded: Iterable[str] = ()) -> dict[str, Any] | None:
    """What the database of a project holds now; `recorded` are the objects of the catalog in the state.

    Returns:
        the values that differ from what was recorded, or may: nothing for a paused project, an empty password for
        one whose login is refused, and None for a project that is gone.

    Raises:
        OperatorError: the database does not answer, which says nothing about what it holds.
    """
    with Client.from_environment() as client:
        project = client.existing_project(ref)
        if project is None or project.status in GONE:
            return None
        if project.status in PAUSED:
            return {}
        address = find_address(client, ref)
    if address is None:
        raise OperatorError("has no pooler address", f"project {ref}", "Run again in a minute.")
    found = _read(ref, address, password)
    if found is None:
        return {"db_password": REFUSED}
    live, mark, judged = found
    files, snapshot = {each.version: each.digest for each in read_migrations()}, catalog.read_snapshot()
    # Only a database that all migrations have reached can be told from the snapshot in words.
    told = catalog.found(live.catalog, snapshot, pending=live.migrations != files, recorded=recorded)
    return {
        "migrations": live.migrations,
        # Reports show the names of entries and no values, so each leak is an entry of its own.
        "catalog": {**told, **dict.fromkeys((f"leak {line}" for line in judged.lines), "open")},
        "isolation": judged.verdict,
        **mark,
        "version": max(live.migrations, default=""),
        "dsn": address.dsn,
    }


@dataclass(frozen=True)
class Judged:
    """The attacks on a live database.

    Attributes:
        verdict: `passed`, the leaks in short, or why the attacks could not be carried out.
        lines: each leak.
    """

    verdict: str
    lines: tuple[str, ...] = ()


def _judge(connection: psycopg.Connection[Any]) -> Judged:
    """Attack the live database and roll back.

    Raises:
        OperatorError: the connection was lost or other sessions hold locks, which says nothing about isolation.
    """
    try:
        report = isolation.check(connection)
    except OperatorError as error:
        cause = error.__cause__
        if connection.closed or gate.is_locked(error) or not isinstance(cause, psycopg.Error) or not cause.sqlstate:
            raise
        return Judged(f"not judged: {error.what}")
    return Judged(verdict(report), () if report.passed else tuple(leak_lines(report)))


def _read(ref: str, address: DatabaseAddress, password: str) -> tuple[Live, dict[str, str], Judged] | None:
    try:
        connection = connect(address, password)
    except psycopg.OperationalError as error:
        attempt = attempt_login(address, password)
        if attempt.outcome is Login.REFUSED:
            return None
        raise OperatorError(attempt.state, f"project {ref}", attempt.remedy or "Run again in a minute.") from error
    with connection, cut_off(connection, READ_SECONDS, f"project {ref}"):
        live = read_live(connection)
        return live, _mark(connection, live), _judge(connection)


def _mark(connection: psycopg.Connection[Any], live: Live) -> dict[str, str]:
    """Whose the database says it is: empty texts when it does not say, nothing when there is no table for it."""
    if "table private.environment_mark" not in live.catalog:
        return {}
    row = connection.execute("select client_id, project_name from private.environment_mark").fetchone()
    return dict(zip(("client_id", "project_name"), row or ("", ""), strict=True))


def _digests(live: Live) -> dict[str, Any]:
    own = catalog.ours(live.catalog, catalog.read_snapshot())
    return {"migrations": live.migrations, "catalog": catalog.digests(own)}
