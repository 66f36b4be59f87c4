"""The client's database: its schema, and the proof that no organization reaches another's rows."""

from collections.abc import Mapping
from typing import ClassVar

import pulumi
from pulumi_command import local

from components.group import Group
from components.schema.resource import INPUTS as SCHEMA_INPUTS
from components.schema.resource import Schema
from components.settings import ClientSettings
from pgschema.migrations import sql_digest

ISOLATION_CHECK = ".venv/bin/python -m components.schema.isolation"


class Database(Group):
    """The step `database`.

    Args:
        client: the client's `ClientEnvironment`.
        settings: the client's settings, already checked.
        project: the Supabase project, with which the schema goes.
        db_password: password of the database.
        session_dsn: address of the database, without the password.
    """

    needs_running: ClassVar[Mapping[str, frozenset[str]]] = {
        "schema": frozenset(SCHEMA_INPUTS) - {"project_ref"},
        "isolation-check": frozenset({"environment"}),
    }

    def __init__(
        self,
        client: pulumi.Resource,
        settings: ClientSettings,
        *,
        project: pulumi.CustomResource,
        db_password: pulumi.Output[str],
        session_dsn: pulumi.Output[str],
    ) -> None:
        super().__init__(client, paused=settings.paused)
        self.schema = Schema(
            "schema",
            project_ref=project.id,
            project_name=settings.project_name,
            client_id=settings.client_id,
            db_password=db_password,
            timeout=settings.ready_timeout,
            opts=self.options("schema", deleted_with=project),
        )
        self.isolation_check = local.Command(
            "isolation-check",
            create=ISOLATION_CHECK,
            # Through the environment, not `triggers`: a trigger replaces the command, a value only reruns it.
            environment={
                # Inputs that a preview knows: an output of `schema` is unknown whenever `schema` updates.
                "DATABASE_URL": session_dsn,
                "PGPASSWORD": db_password,
                "SQL_DIGEST": sql_digest(),
            },
            opts=self.options("isolation-check", depends_on=[self.schema]),
        )
        self.register_outputs({})
