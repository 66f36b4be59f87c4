"""The schema of one client's database as a resource: every update leaves the newest migration, verified.

What may drift is an input: the migrations with their digests, and each object of the catalog with its digest, so that a
preview with refresh names the policy that someone changed by hand. Deleting the resource never drops anything.
"""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, is_unknown, operation, require_engine
from components.errors import OperatorError
from components.schema import catalog
from components.schema.apply import Live, Mark, apply, database_error, read_live
from components.schema.migrations import read_migrations
from components.supabase.client import Client
from components.supabase.database import DatabaseAddress, Login, connect, find_address, login, wait_for_database
from components.supabase.errors import ApiError
from components.supabase.models import GONE, PAUSED

TEXTS = ("project_ref", "project_name", "client_id", "db_password")
INPUTS = (*TEXTS, "timeout", "migrations", "catalog")
REFUSED = ""  # what `read` gives for a password that the database no longer takes


class SchemaProvider(Provider):
    """Applies `sql/migrations` to the database of a project. Inputs are the arguments of `Schema`."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what cannot be right, offline."""
        failures = [
            CheckFailure(key, f"{key} must be text that is not empty")
            for key in TEXTS
            if not is_unknown(value := news.get(key)) and not (isinstance(value, str) and value)
        ]
        failures += [
            CheckFailure(key, f"{key} must map at least one name to a digest")
            for key in ("migrations", "catalog")
            if not is_unknown(value := news.get(key)) and not (isinstance(value, Mapping) and value)
        ]
        timeout = news.get("timeout")
        if not is_unknown(timeout) and not (isinstance(timeout, int | float) and timeout > 0):
            failures.append(CheckFailure("timeout", f"timeout '{timeout}' must be seconds, more than 0"))
        return CheckResult(news, failures)

    @operation
    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Leave the comparison of inputs to the engine; another project is another schema."""
        old, new = olds.get("project_ref"), news.get("project_ref")
        return DiffResult(changes=None, replaces=[] if is_unknown(new) or old == new else ["project_ref"])

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for the database and apply what is pending; on an up-to-date database that is nothing."""
        return CreateResult(str(props["project_ref"]), _apply(props))

    @operation
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Apply what is pending and verify the whole again."""
        return UpdateResult(_apply(news))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What the database holds now. A refused login shows as a changed password, a deleted project as gone."""
        with Client.from_environment() as client:
            status = _status(client, id_)
            if status in GONE:
                return ReadResult("", {})
            address = None if status in PAUSED else find_address(client, id_)
        if status in PAUSED:  # a paused database cannot change
            return _found(id_, props, {})
        if address is None:
            raise OperatorError("has no pooler address", f"project {id_}", "Run again in a minute.")
        if (live := _read(id_, address, str(props.get("db_password", "")))) is None:
            return _found(id_, props, {"db_password": REFUSED})
        return _found(id_, props, {**_digests(live), "dsn": address.dsn, "version": max(live.migrations, default="")})

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Forget the schema. Tables and data stay; they go with the project."""


class Schema(Resource, module="schema", name="Schema"):
    """The schema of one project's database.

    Args:
        name: logical name.
        project_ref: the Supabase project.
        project_name, client_id: recorded in the database as proof of whose it is.
        db_password: password of the role `postgres`.
        timeout: seconds to wait for the database.
        opts: options of the resource.

    Raises:
        OperatorError: `sql/` is missing, empty or wrong.
    """

    version: pulumi.Output[str]
    """The newest migration's version."""
    dsn: pulumi.Output[str]
    """`postgresql://user@host:port/database`, without a password."""
    applied_at: pulumi.Output[str]
    """When the schema was last applied and verified, ISO 8601 in UTC."""

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        project_name: pulumi.Input[str],
        client_id: pulumi.Input[str],
        db_password: pulumi.Input[str],
        timeout: pulumi.Input[float],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "project_ref": project_ref,
            "project_name": project_name,
            "client_id": client_id,
            "db_password": pulumi.Output.secret(db_password),
            "timeout": timeout,
            "migrations": {migration.version: migration.digest for migration in read_migrations()},
            "catalog": catalog.digests(catalog.read_snapshot()),
        }
        outputs = dict.fromkeys(("version", "dsn", "applied_at"))
        super().__init__(SchemaProvider(), name, {**inputs, **outputs}, opts)


def _apply(props: Mapping[str, Any]) -> dict[str, Any]:
    migrations, ref, password = read_migrations(), str(props["project_ref"]), str(props["db_password"])
    if {each.version: each.digest for each in migrations} != props["migrations"]:
        raise OperatorError("changed while the update was running", "sql/migrations", "Run `up` again.")
    require_engine()
    with Client.from_environment() as client:
        address = wait_for_database(client, ref, password, timeout=float(props["timeout"]))
    try:
        connection = connect(address, password)
    except psycopg.OperationalError as error:
        raise database_error(error, "Run `up` again.") from error
    with connection:
        mark = Mark(str(props["client_id"]), str(props["project_name"]))
        require_engine()
        applied = apply(connection, migrations, mark=mark, snapshot=catalog.read_snapshot())
    for line in applied.warnings:
        sys.stderr.write(f"schema of {props['project_name']}: {line}\n")
    return {
        **{key: props[key] for key in INPUTS},
        **_digests(applied.live),
        "version": migrations[-1].version,
        "dsn": address.dsn,
        "applied_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _status(client: Client, ref: str) -> str:
    try:
        return client.project(ref).status
    except ApiError as error:
        if error.not_found:
            return "REMOVED"
        raise


def _read(ref: str, address: DatabaseAddress, password: str) -> Live | None:
    try:
        connection = connect(address, password)
    except psycopg.OperationalError as error:
        if login(address, password) is Login.REFUSED:
            return None
        raise OperatorError("the database does not answer", f"project {ref}", "Run again in a minute.") from error
    with connection:
        return read_live(connection)


def _found(id_: str, props: Mapping[str, Any], live: Mapping[str, Any]) -> ReadResult:
    outputs = {key: value for key, value in {**props, **live}.items() if not key.startswith("__")}
    return ReadResult(id_, outputs, {key: outputs[key] for key in INPUTS if key in outputs})


def _digests(live: Live) -> dict[str, Any]:
    own = catalog.ours(live.catalog, catalog.read_snapshot())
    return {"migrations": live.migrations, "catalog": catalog.digests(own)}
