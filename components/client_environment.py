"""One client's environment: everything the client owns, wired by real dependencies only."""

from typing import Any

import pulumi

from components.database import Database
from components.project import Supabase
from components.repository import GitHub
from components.settings import ClientSettings
from components.site import Vercel
from components.urn import COMPONENTS

AT_REST = "paused: keys, database, settings and owner are neither looked at nor changed until `paused` is taken out"


class ClientEnvironment(pulumi.ComponentResource):
    """A Supabase project with the schema, a GitHub repository and a Vercel site, for one client.

    It holds one component for each of them, which hold the resources, named after their role.
    `protect` goes on resources, never on a component: inherited, it blocks rotating the password
    and every replacement of a child.

    Args:
        name: logical name of the component.
        settings: the client's settings, already checked.
        opts: options of the component.
    """

    def __init__(self, name: str, settings: ClientSettings, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"{COMPONENTS}ClientEnvironment", name, {}, opts)
        self.settings = settings
        if settings.paused:
            pulumi.log.warn(f"{settings.client_id} is {AT_REST}.")
        self.supabase = Supabase(self, settings)
        project, endpoints = self.supabase.project, self.supabase.endpoints
        self.database = Database(
            self,
            settings,
            project=project,
            db_password=self.supabase.db_password.result,
            session_dsn=endpoints.session_dsn,
        )
        self.github = GitHub(self, settings, api_url=endpoints.api_url, publishable_key=endpoints.publishable_key)
        self.vercel = Vercel(
            self,
            settings,
            repository_full_name=self.github.full_name,
            repository_content=self.github.content,
            commits=self.github.commits,
            api_url=endpoints.api_url,
            publishable_key=endpoints.publishable_key,
            secret_key=self.supabase.secret_key.value,
            secret_key_id=self.supabase.secret_key.id,
        )
        self.owner = self.supabase.configure(
            site_id=self.vercel.id,
            site_url=self.vercel.url,
            isolation_check=self.database.isolation_check,
        )
        if settings.paused:
            self.supabase.pause([self.owner, self.vercel.probe, self.database.isolation_check])
        self.register_outputs(self.stack_outputs())

    def stack_outputs(self) -> dict[str, Any]:
        """Return the outputs of the stack, whose names are a contract with scripts that read them."""
        return {
            "project_ref": self.supabase.project.id,
            "region": self.settings.region,
            "api_url": self.supabase.endpoints.api_url,
            "publishable_key": self.supabase.endpoints.publishable_key,
            "secret_key": self.supabase.secret_key.value,
            "schema_version": self.database.schema.version,
            "repository_url": self.github.html_url,
            "site_url": self.vercel.url,
            "owner_link": self.owner.link,
        }
