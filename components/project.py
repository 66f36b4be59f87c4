"""The client's Supabase project: password, API, secret key, settings, owner; `pause` of a paused client."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pulumi
import pulumi_random as random

from components.group import Group
from components.offline_checks import needed_variables, unknown_schemas
from components.settings import ClientSettings
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


class Supabase(Group):
    """The step `supabase`.

    The constructor declares the project and what others read of it. `configure` and `pause` declare
    what in turn needs the site and the schema.

    Args:
        client: the client's `ClientEnvironment`.
        settings: the client's settings, already checked.
    """

    needs_running: ClassVar[Mapping[str, frozenset[str]]] = {
        "db-password": frozenset({"keepers"}),
        "project": frozenset(PROJECT_INPUTS) - {"organization", "region", "paused"},
        "secret-key": frozenset(KEY_INPUTS) - {"project_ref"},
        "settings": frozenset(SETTINGS_INPUTS) - {"project_ref"},
        "owner": frozenset(OWNER_INPUTS) - {"project_ref"},
    }

    def __init__(self, client: pulumi.Resource, settings: ClientSettings) -> None:
        super().__init__(client, paused=settings.paused)
        self.settings = settings
        self.db_password = random.RandomPassword(
            "db-password",
            length=32,
            special=False,
            keepers={"generation": str(settings.password_generation)},
            opts=self.options("db-password"),
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
            opts=self.options("project", protect=settings.protect),
        )
        self.endpoints = Endpoints(
            "endpoints",
            project_ref=self.project.id,
            timeout=settings.ready_timeout,
            opts=self.options("endpoints"),
        )
        self.secret_key = ApiKey(
            "secret-key",
            # The key belongs to a project whose API answers, not merely to one that exists.
            project_ref=self.project.id,
            key_name="stack",
            generation=settings.key_generation,
            # Revoking it needs a running project, and it goes with the project anyway.
            opts=self.options("secret-key", depends_on=[self.endpoints], deleted_with=self.project),
        )
        self.register_outputs({})

    def configure(
        self,
        *,
        site_id: pulumi.Output[str],
        site_url: pulumi.Output[str],
        isolation_check: pulumi.Resource,
    ) -> Owner:
        """Declare the project's settings, then the owner who comes in by them.

        Args:
            site_id: the site's id at Vercel.
            site_url: the site's address, to which mailed links lead.
            isolation_check: works in the database that some settings restart.
        """
        settings = self.settings
        declared = Settings(
            "settings",
            project_ref=self.project.id,
            site_id=site_id,
            site_url=site_url,
            sender_name=settings.client_name,
            service=settings.service,
            timeout=settings.ready_timeout,
            opts=self.options(
                "settings",
                deleted_with=self.project,
                # Encryption and add-ons restart the database, under whoever is at work in it.
                depends_on=[self.endpoints, isolation_check],
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
            opts=self.options(
                "owner",
                deleted_with=self.project,
                # By the settings mail is sent and a link leads to the site; a key opens the accounts.
                depends_on=[declared, self.secret_key],
            ),
        )
        return self.owner

    def pause(self, after: Sequence[pulumi.Resource]) -> None:
        """Declare the pause of the project, which comes last.

        Args:
            after: the last resources that need the project running.
        """
        Pause(
            "pause",
            project_ref=self.project.id,
            timeout=self.settings.ready_timeout,
            opts=self.options("pause", deleted_with=self.project, depends_on=after),
        )
