"""The settings of one client: `Pulumi.<client>.yaml` over `Pulumi.<environment>.yaml` over the defaults here.

The only reader of both files, used by the program and by the command line alike. The environment's file is read at
every run, so one changed line in it shows in every client's preview. Rules that need no network are checked here.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import OperatorError, printable
from components.config_file import PROJECT as PROJECT
from components.config_file import Layer
from components.project_settings import (
    MAILER_KEYS,
    PLANS,
    SERVICE_KEYS,
    SIZE,
    TIER_SERVICE_KEYS,
    ServiceSettings,
    read_service,
)
from components.settings_file import read_settings_file

RESERVED = frozenset({"prod", "local"})
# In the environment of every process that the command line starts for a stack; tells them from a bare `pulumi up`.
STACK_MARK = "CLIENT_ENVIRONMENTS_STACK"
SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,38}")
DESCRIBED = "Site of "  # begins the description of each client's repository
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
CLIENT_KEYS = frozenset(
    {
        "clientId",
        "clientName",
        "orgEmail",
        "tier",
        "environment",
        "adopt",
        "domain",
        "paused",
        "rotatePassword",
        "keyGeneration",
        "inviteOwner",
        "legacyKeys",
    }
)
ENVIRONMENT_KEYS = SERVICE_KEYS | frozenset(
    {
        "region",
        "organization",
        "tiers",
        "projectName",
        "protect",
        "readyTimeout",
        "repositoryTemplate",
        "ruleset",
        "archiveOnDestroy",
        "vercelTeam",
    }
)
TIER_KEYS = TIER_SERVICE_KEYS | {"instanceSize"}
# Every setting that a file can declare: those of a tier and of the mailer with where they stand.
EVERY_SETTING = frozenset(
    {
        *CLIENT_KEYS,
        *ENVIRONMENT_KEYS,
        *(f"tiers.{key}" for key in TIER_KEYS),
        *(f"mailer.{key}" for key in MAILER_KEYS),
    }
)


@dataclass(frozen=True)
class ClientSettings:
    """Everything the program needs to know about one client.

    Attributes:
        client_id: lower-case slug, also the stack's name.
        client_name: the client's name as people write it.
        org_email: address of the client's owner.
        tier: a key of the environment's `tiers`.
        environment: `prod`, `local` or another environment with a file of its own.
        project_name: name of the Supabase project, the repository and the site.
        region: AWS region code of the database, checked against the live list at create.
        organization: slug of the Supabase organization.
        instance_size: compute size of the database, or None for the smallest there is.
        adopt: take over a project of that name although nothing proves it is ours.
        paused: whether the project is meant to be paused.
        password_generation: change it to rotate the database password.
        key_generation: change it to rotate the secret key.
        domain: the site's own domain, or None.
        protect: refuse to delete project, repository and site.
        ready_timeout: seconds to wait for a new project.
        repository_template: `owner/name` of a template repository, or None for the files in `starter/`.
        ruleset: protect the default branch by a ruleset (needs a paid GitHub plan on private repositories).
        archive_on_destroy: archive the repository instead of deleting it.
        vercel_team: id of the Vercel team (`team_...`), or None for the token's own account.
        invitation: change it to invite the owner again.
        service: what is set on the Supabase project.
    """

    client_id: str
    client_name: str
    org_email: str
    tier: str
    environment: str
    project_name: str
    region: str
    organization: str
    instance_size: str | None
    adopt: bool
    paused: bool
    password_generation: int
    key_generation: int
    domain: str | None
    protect: bool
    ready_timeout: int
    repository_template: str | None
    ruleset: bool
    archive_on_destroy: bool
    vercel_team: str | None
    invitation: int = 1
    service: ServiceSettings = field(default_factory=ServiceSettings)

    @property
    def repository_description(self) -> str:
        """What the client's repository says of itself: with its name, the proof of whose it is after a lost state."""
        return f"{DESCRIBED}{self.client_name}"


@dataclass(frozen=True)
class Place:
    """Where the clients of an environment are, and what their things are called.

    Attributes:
        organization: slug of the Supabase organization.
        vercel_team: id of the Vercel team, or None for the token's own account.
        names: pattern of the name of a client's project, repository and site, with a group `client`.
    """

    organization: str
    vercel_team: str | None
    names: str


def read_place(environment: str, root: Path, variables: Mapping[str, str] = os.environ) -> Place:
    """Read where an environment's clients are.

    Raises:
        OperatorError: naming property, value and rule of the first setting that is wrong.
    """
    shared = Layer(root / f"Pulumi.{environment}.yaml", ENVIRONMENT_KEYS)
    _project_name(shared, "any-client", environment)
    before, *after = re.split(r"\{clientId\}", _name_template(shared).replace("{environment}", environment))
    names = f"{re.escape(before)}(?P<client>{SLUG.pattern}){'(?P=client)'.join(map(re.escape, after))}"
    return Place(_organization(shared, variables), _vercel_team(shared), names)


def load_settings(
    client: str, root: Path, environment: str | None = None, variables: Mapping[str, str] = os.environ
) -> ClientSettings:
    """Read and check the settings of one client.

    Args:
        client: client id, the stack's name.
        root: the folder that holds the `Pulumi.*.yaml` files.
        environment: overrides the file's `environment` (local mode); the variable `CLIENT_ENVIRONMENT` does too.
        variables: the environment variables that settings fall back to.

    Raises:
        OperatorError: naming property, value and rule of the first setting that is wrong.
    """
    check_client_id(client)
    own = Layer(root / f"Pulumi.{client}.yaml", CLIENT_KEYS)
    chosen = environment or variables.get("CLIENT_ENVIRONMENT") or own.text("environment", "prod")
    if not SLUG.fullmatch(chosen):
        raise own.refuse("environment", chosen, "must be a lower-case slug with a file Pulumi.<environment>.yaml")
    shared = Layer(root / f"Pulumi.{chosen}.yaml", ENVIRONMENT_KEYS)
    if (client_id := own.text("clientId")) != client:
        raise own.refuse("clientId", client_id, f"must be the stack's name, {client}")
    client_name, org_email = own.text("clientName"), own.email("orgEmail")
    if len(client_name) > 100 or not client_name.isprintable():
        raise own.refuse("clientName", client_name, "must be one line of 1 to 100 characters")
    tier = own.text("tier")
    tiers = shared.mapping("tiers")
    if tier not in tiers:
        offered_tiers = ", ".join(sorted(map(str, tiers))) or "(no tiers)"
        raise own.refuse("tier", tier, f"must be one of {offered_tiers} in {shared.name}")
    if tier not in PLANS:
        raise own.refuse("tier", tier, f"must be one of {', '.join(PLANS)}: the schema knows no other")
    offered = Layer.of(shared, f"tiers.{tier}", tiers[tier], TIER_KEYS)
    instance_size = offered.text("instanceSize", "") or None
    if instance_size and not re.fullmatch(SIZE, instance_size):
        raise offered.refuse("instanceSize", instance_size, "must be a compute size such as micro, small or 2xlarge")
    region = shared.text("region", "eu-west-2")
    if not REGION.fullmatch(region):
        raise shared.refuse("region", region, "must be a region code such as eu-west-2")
    template = shared.text("repositoryTemplate", "") or None
    if template and not re.fullmatch(r"[\w.-]+/[\w.-]+", template):
        raise shared.refuse("repositoryTemplate", template, "must be owner/name")
    return ClientSettings(
        client_id=client_id,
        client_name=client_name,
        org_email=org_email,
        tier=tier,
        environment=chosen,
        project_name=_project_name(shared, client_id, chosen),
        region=region,
        organization=_organization(shared, variables),
        instance_size=instance_size,
        adopt=own.flag("adopt", default=False),
        paused=own.flag("paused", default=False),
        password_generation=own.count("rotatePassword", 1),
        key_generation=own.count("keyGeneration", 1),
        invitation=own.count("inviteOwner", 1),
        service=read_service(own, shared, offered, instance_size),
        domain=_domain(own),
        protect=shared.flag("protect", default=True),
        ready_timeout=shared.count("readyTimeout", 600),
        repository_template=template,
        ruleset=shared.flag("ruleset", default=True),
        archive_on_destroy=shared.flag("archiveOnDestroy", default=True),
        vercel_team=_vercel_team(shared),
    )


def declared_settings(settings: ClientSettings, root: Path) -> list[str]:
    """The settings that the files of a client and its environment hold, as `EVERY_SETTING` names them, sorted.

    Raises:
        OperatorError: a file cannot be read.
    """
    found: set[str] = set()
    for name in (settings.client_id, settings.environment):
        config = read_settings_file(root / f"Pulumi.{name}.yaml").get("config") or {}
        own = {str(key).removeprefix(f"{PROJECT}:"): value for key, value in config.items()}
        tier = (own.get("tiers") or {}).get(settings.tier) or {}
        inside = {*(f"tiers.{key}" for key in tier), *(f"mailer.{key}" for key in own.get("mailer") or {})}
        found |= {*own, *inside} & EVERY_SETTING
    return sorted(found)


def check_client_id(client: str) -> None:
    """Refuse what cannot be a client id.

    Raises:
        OperatorError: not a slug of 2 to 40 characters, or a name reserved for an environment.
    """
    if client in RESERVED:
        raise OperatorError(f"'{client}' is reserved for an environment", "clientId", "Choose another client id.")
    if not SLUG.fullmatch(client) or len(client) > 40:
        rule = "must be a slug: 2 to 40 lower-case letters, digits and single hyphens, a letter first"
        raise OperatorError(f"'{printable(client)}' {rule}", "clientId")


def _organization(shared: Layer, variables: Mapping[str, str]) -> str:
    named = shared.text("organization", "")
    organization = named or variables.get("SUPABASE_ORG_SLUG") or variables.get("SUPABASE_ORG_ID", "")
    if not re.fullmatch(r"[\w-]+", organization):
        rule = "must be the organization's slug; set it there or in SUPABASE_ORG_SLUG"
        raise shared.refuse("organization", organization, rule)
    return organization


def _name_template(shared: Layer) -> str:
    return shared.text("projectName", "client-{clientId}-{environment}")


def _project_name(shared: Layer, client_id: str, environment: str) -> str:
    template = _name_template(shared)
    name = template.replace("{clientId}", client_id).replace("{environment}", environment)
    if "{clientId}" not in template or not SLUG.match(name) or not re.fullmatch(r"[a-z0-9-]{3,100}", name):
        raise shared.refuse("projectName", template, "must contain {clientId} and give a lower-case slug")
    return name


def _vercel_team(shared: Layer) -> str | None:
    team = shared.text("vercelTeam", "")
    if team and not re.fullmatch(r"team_\w+", team):
        raise shared.refuse("vercelTeam", team, "must be the team's id, team_...; its slug is refused by the provider")
    return team or None


def _domain(own: Layer) -> str | None:
    domain = own.text("domain", "")
    if domain and not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}", domain):
        raise own.refuse("domain", domain, "must be a host name such as www.example.com")
    return domain or None
