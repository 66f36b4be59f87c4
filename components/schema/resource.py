"""The schema of one client's database as a resource: every update leaves the newest migration, verified.

What may drift is an input: the migrations with their digests, each object of the catalog with its digest, so that a
preview with refresh names the policy that someone changed by hand, and the verdict of the isolation check. Deleting
the resource never drops anything.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.asked import ASKED, digests
from components.dynamic import Provider, is_unknown, operation, require_engine, tell
from pgschema import catalog
from pgschema.migrations import read_migrations
from pgschema.verdict import PASSED

TEXTS = ("project_ref", "project_name", "client_id", "db_password")
DRIFTING = ("migrations", "catalog", "isolation")
INPUTS = (*TEXTS, "timeout", *DRIFTING)


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
        # The project's id is unknown to a preview only when there will be another project.
        return DiffResult(changes=None, replaces=["project_ref"] if is_unknown(new) or old != new else [])

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait for the database and apply what is pending; on an up-to-date database that is nothing."""
        return CreateResult(str(props["project_ref"]), _apply(props, prove=True))

    @operation
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Apply what is pending and verify the whole again; a leak that the state knows of must be gone."""
        return UpdateResult(_apply(news, prove=olds.get("isolation") != PASSED))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What the database holds now. A refused login shows as a changed password, a deleted project as gone."""
        from components.schema.apply_to_project import read_schema

        live = read_schema(id_, str(props.get("db_password", "")), props.get("catalog") or ())
        return ReadResult("", {}) if live is None else _found(id_, props, live)

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
    asked: pulumi.Output[dict[str, str]]
    """Property -> digest of what the last apply was asked for."""

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
            "isolation": PASSED,
        }
        outputs = dict.fromkeys(("version", "dsn", "applied_at", ASKED))
        super().__init__(SchemaProvider(), name, {**inputs, **outputs}, opts)


def _apply(props: Mapping[str, Any], *, prove: bool) -> dict[str, Any]:
    from components.schema.apply_to_project import apply_schema

    applied = apply_schema(props, require_engine, tell, prove=prove)
    return {**{key: props[key] for key in INPUTS}, **applied, ASKED: digests(props, DRIFTING)}


def _found(id_: str, props: Mapping[str, Any], live: Mapping[str, Any]) -> ReadResult:
    outputs = {key: value for key, value in {**props, **live}.items() if not key.startswith("__")}
    return ReadResult(id_, outputs, {key: outputs[key] for key in INPUTS if key in outputs})
