"""One client's environment: everything the client owns, wired by real dependencies only."""

from collections.abc import Iterable
from typing import Any

import pulumi
import pulumi_random as random
from pulumi_command import local

from components.offline_checks import needed_variables, unknown_schemas
from components.repository import declare_repository
from components.schema.resource import INPUTS as SCHEMA_INPUTS
from components.schema.resource import Schema
from components.settings import ClientSettings
from components.site import declare_site
from components.supabase.api_key import RULES as KEY_INPUTS
from components.supabase.api_key import ApiKey
from components.supabase.endpoints import Endpoints
from components.supabase.owner import RULES as OWNER_INPUTS
from components.supabase.owner import Owner
from components.supabase.pause import Pause
from components.supabase.project import RULES as PROJECT_INPUTS
from components.supabase.project import Project
from components.supabase.settings import RULES as SETTINGS_INPUTS
from components.supabase.settings import Settings
from pgschema.migrations import sql_digest

ISOLATION_CHECK = ".venv/bin/python -m components.schema.isolation"
# What needs the project running, and its inputs: while `paused: true` they stay as the state holds them, so that a
# paused client shows no change, and takes all that came meanwhile once it runs again. Where a resource is, and what
# cannot change at all, still counts.
NEEDS_RUNNING: dict[str, frozenset[str]] = {
    "db-password": frozenset({"keepers"}),
    "project": frozenset(PROJECT_INPUTS) - {"organization", "region", "paused"},
    "secret-key": frozenset(KEY_INPUTS) - {"project_ref"},
    "schema": frozenset(SCHEMA_INPUTS) - {"project_ref"},
    "isolation-check": frozenset({"environment"}),
    "settings": frozenset(SETTINGS_INPUTS) - {"project_ref"},
    "owner": frozenset(OWNER_INPUTS) - {"project_ref"},
    "probe": frozenset({"environment"}),
}
AT_REST = "paused: keys, database, settings and owner are neither looked at nor changed until `paused` is taken out"


class ClientEnvironment(pulumi.ComponentResource):
    """A Supabase project with the schema, a GitHub repository and a Vercel site, for one client.

    Children are named after their role. `protect` goes on what must survive, never on the component: inherited, it
    would block rotating the password and every replacement of a child.

    Args:
        name: logical name of the component.
        settings: the client's settings, already checked.
        opts: options of the component.
    """

    def __init__(self, name: str, settings: ClientSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("client-environments:index:ClientEnvironment", name, {}, opts)
        self.settings = settings
        child = pulumi.ResourceOptions(parent=self)
        if settings.paused:
            pulumi.log.warn(f"{settings.client_id} is {AT_REST}.")
        self.db_password = random.RandomPassword(
            "db-password",
            length=32,
            special=False,
            keepers={"generation": str(settings.password_generation)},
            opts=self._options("db-password"),
        )
        self.project = Project(
            "project",
            client_id=settings.client_id,
            project_name=settings.project_name,
            organization=settings.organization,
            region=settings.region,
            instance_size=settings.instance_size,
            db_password=self.db_password.result,
            paused=settings.paused,
            adopt=settings.adopt,
            timeout=settings.ready_timeout,
            needed_variables=needed_variables(settings.service),
            unknown_schemas=unknown_schemas(settings.service),
            opts=self._options("project", protect=settings.protect),
        )
        self.endpoints = Endpoints("endpoints", project_ref=self.project.id, timeout=settings.ready_timeout, opts=child)
        self.secret_key = ApiKey(
            "secret-key",
            # The key belongs to a project whose API answers, not merely to one that exists.
            project_ref=self.project.id,
            key_name="stack",
            generation=settings.key_generation,
            # Revoking it needs a running project, and it goes with the project anyway.
            opts=self._options("secret-key", depends_on=[self.endpoints], deleted_with=self.project),
        )
        self.schema = Schema(
            "schema",
            project_ref=self.project.id,
            project_name=settings.project_name,
            client_id=settings.client_id,
            db_password=self.db_password.result,
            timeout=settings.ready_timeout,
            opts=self._options("schema", deleted_with=self.project),
        )
        self.isolation_check = local.Command(
            "isolation-check",
            create=ISOLATION_CHECK,
            # Through the environment, not `triggers`: a trigger would replace the command, a value only reruns it.
            environment={
                # Inputs that a preview knows: an output of `schema` is unknown whenever `schema` updates.
                "DATABASE_URL": self.endpoints.session_dsn,
                "PGPASSWORD": self.db_password.result,
                "SQL_DIGEST": sql_digest(),
            },
            opts=self._options("isolation-check", depends_on=[self.schema]),
        )
        self.repository = declare_repository(
            settings,
            api_url=self.endpoints.api_url,
            publishable_key=self.endpoints.publishable_key,
            parent=self,
        )
        self.site = declare_site(
            settings,
            repository_full_name=self.repository.full_name,
            repository_content=self.repository.content,
            commits=self.repository.commits,
            api_url=self.endpoints.api_url,
            publishable_key=self.endpoints.publishable_key,
            secret_key=self.secret_key.value,
            secret_key_id=self.secret_key.id,
            ignored_by_probe=NEEDS_RUNNING["probe"] if settings.paused else (),
            parent=self,
        )
        self.service_settings = Settings(
            "settings",
            project_ref=self.project.id,
            site_id=self.site.id,
            site_url=self.site.url,
            sender_name=settings.client_name,
            service=settings.service,
            timeout=settings.ready_timeout,
            opts=self._options(
                "settings",
                deleted_with=self.project,
                # Encryption and add-ons restart the database, under whoever is at work in it.
                depends_on=[self.endpoints, self.isolation_check],
            ),
        )
        self.owner = Owner(
            "owner",
            project_ref=self.project.id,
            db_password=self.db_password.result,
            client_name=settings.client_name,
            slug=settings.client_id,
            tier=settings.tier,
            email=settings.org_email,
            by_mail=settings.service.mailer is not None,
            invitation=settings.invitation,
            timeout=settings.ready_timeout,
            opts=self._options(
                "owner",
                deleted_with=self.project,
                # By the settings mail is sent and a link leads to the site; a key opens the accounts.
                depends_on=[self.service_settings, self.secret_key],
            ),
        )
        if settings.paused:
            Pause(
                "pause",
                project_ref=self.project.id,
                timeout=settings.ready_timeout,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    deleted_with=self.project,
                    # Comes last: all of these need the project running.
                    depends_on=[self.owner, self.site.probe, self.isolation_check],
                ),
            )
        self.register_outputs(self.stack_outputs())

    def _options(self, name: str, **options: Any) -> pulumi.ResourceOptions:
        """The options of a child that needs the running project: while it is paused its inputs stay as recorded."""
        ignored: Iterable[str] = NEEDS_RUNNING[name] if self.settings.paused else ()
        return pulumi.ResourceOptions(parent=self, ignore_changes=sorted(ignored) or None, **options)

    def stack_outputs(self) -> dict[str, Any]:
        """The outputs of the stack: names are a contract with scripts that read them."""
        return {
            "project_ref": self.project.id,
            "region": self.settings.region,
            "api_url": self.endpoints.api_url,
            "publishable_key": self.endpoints.publishable_key,
            "secret_key": self.secret_key.value,
            "schema_version": self.schema.version,
            "repository_url": self.repository.html_url,
            "site_url": self.site.url,
            "owner_link": self.owner.link,
        }
