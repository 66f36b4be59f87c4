"""The client's Vercel site: a project linked to the repository, the variables of its code, its domain."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pulumi
import pulumiverse_vercel as vercel
from pulumi_command import local

from components.find_existing import API_VARIABLE
from components.group import Group
from components.repository import BRANCH
from components.settings import ClientSettings

# AWS region of the database -> Vercel region. Vercel's functions run in AWS, mostly in the same region.
FUNCTION_REGIONS = {
    "af-south-1": "cpt1",
    "ap-east-1": "hkg1",
    "ap-northeast-1": "hnd1",
    "ap-northeast-2": "icn1",
    "ap-northeast-3": "kix1",
    "ap-south-1": "bom1",
    "ap-southeast-1": "sin1",
    "ap-southeast-2": "syd1",
    "ca-central-1": "cle1",
    "eu-central-1": "fra1",
    "eu-central-2": "fra1",
    "eu-north-1": "arn1",
    "eu-west-1": "dub1",
    "eu-west-2": "lhr1",
    "eu-west-3": "cdg1",
    "sa-east-1": "gru1",
    "us-east-1": "iad1",
    "us-east-2": "cle1",
    "us-west-1": "sfo1",
    "us-west-2": "pdx1",
}
# A region the table does not know yet gets its continent's busiest one; beyond that, Vercel's own default.
CONTINENT_REGIONS = {"af": "cpt1", "ap": "sin1", "ca": "cle1", "eu": "fra1", "il": "fra1", "me": "fra1", "sa": "gru1"}
VERCEL_DEFAULT_REGION = "iad1"

# In the order in which Vercel gives them back: another order shows as a difference at each refresh.
EVERYWHERE = ("development", "preview", "production")
# Developers pull the development target into files on their machines: no secret goes there.
DEPLOYED = ("preview", "production")
PROBE = ".venv/bin/python -m components.probe"


@dataclass(frozen=True)
class Variable:
    """An environment variable of the site: logical name, key and value.

    Attributes:
        secret: Vercel never shows it again, and it reaches no developer's machine.
    """

    name: str
    key: str
    value: pulumi.Input[str]
    secret: bool = False


class Vercel(Group):
    """The step `vercel`: the site, linked to the repository; its functions run nearest to the database.

    Args:
        client: the client's `ClientEnvironment`.
        settings: the client's settings, already checked.
        repository_full_name: `owner/name` of the repository.
        repository_content: the resources that put content on its default branch.
        commits: the commits of that content.
        api_url: the project's API URL.
        publishable_key: the project's publishable key.
        secret_key: the project's secret key.
        secret_key_id: id of the secret key, which tells one key from the next.

    Attributes:
        id: the project's id at Vercel; stays when a deployment is replaced.
        url: address for people: the client's domain, or the one Vercel gives a project of that name.
        probe: the last of its resources, which asks the site for its page and its database.
    """

    needs_running: ClassVar[Mapping[str, frozenset[str]]] = {"probe": frozenset({"environment"})}

    def __init__(
        self,
        client: pulumi.Resource,
        settings: ClientSettings,
        *,
        repository_full_name: pulumi.Input[str],
        repository_content: Sequence[pulumi.Resource],
        commits: Sequence[pulumi.Input[str]],
        api_url: pulumi.Input[str],
        publishable_key: pulumi.Input[str],
        secret_key: pulumi.Input[str],
        secret_key_id: pulumi.Input[str],
    ) -> None:
        super().__init__(client, paused=settings.paused)
        self.settings = settings
        site = _site(
            settings,
            repository_full_name,
            # Linked once the branch has its content: each push after the link would build the site again.
            self.options("site", protect=settings.protect, depends_on=repository_content),
        )
        variables = (
            Variable("site-client-name", "NEXT_PUBLIC_CLIENT_NAME", settings.client_name),
            Variable("site-api-url", API_VARIABLE, api_url),
            Variable("site-publishable-key", "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", publishable_key),
            Variable("site-secret-key", "SUPABASE_SECRET_KEY", secret_key, secret=True),
        )
        declared = [self._declare_variable(site, variable) for variable in variables]
        if settings.domain:
            self._declare_domain(site, settings.domain)
        # The secret key counts by its id: a hash of its value would change in a redacted copy of the state.
        parts = [variable.value for variable in variables if not variable.secret]
        deployment = vercel.Deployment(
            "deployment",
            project_id=site.id,
            team_id=settings.vercel_team,
            ref=BRANCH,
            production=True,
            # A deployment keeps what it was built from: anything else takes a new one. An input says so, since a
            # replacement trigger that changes during an update with refresh is lost.
            meta={"builtFrom": _fingerprint([*parts, secret_key_id, *commits])},
            opts=self.options("deployment", deleted_with=site, depends_on=[*declared, *repository_content]),
        )
        address = deployment.domains.apply(_address)
        self.id: pulumi.Output[str] = site.id
        self.url: pulumi.Output[str] = (
            pulumi.Output.from_input(f"https://{settings.domain}") if settings.domain else address
        )
        self.probe = local.Command(
            "probe",
            create=PROBE,
            environment={"SITE_URL": address, "DEPLOYMENT": deployment.id},
            opts=self.options("probe", deleted_with=site),
        )
        self.register_outputs({})

    def _declare_variable(self, site: vercel.Project, variable: Variable) -> vercel.ProjectEnvironmentVariable:
        return vercel.ProjectEnvironmentVariable(
            variable.name,
            project_id=site.id,
            team_id=self.settings.vercel_team,
            key=variable.key,
            value=variable.value,
            targets=DEPLOYED if variable.secret else EVERYWHERE,
            sensitive=variable.secret,
            opts=self.options(variable.name, deleted_with=site),
        )

    def _declare_domain(self, site: vercel.Project, name: str) -> None:
        domain = vercel.ProjectDomain(
            "site-domain",
            project_id=site.id,
            team_id=self.settings.vercel_team,
            domain=name,
            opts=self.options("site-domain", deleted_with=site),
        )
        found = pulumi.Output.all(domain.domain, domain.verifications, domain.misconfigured)
        found.apply(_warn_of_domain)


def _site(
    settings: ClientSettings,
    repository_full_name: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> vercel.Project:
    return vercel.Project(
        "site",
        name=settings.project_name,
        # No `framework`: the starter's vercel.json names it, and a template brings its own.
        git_repository=vercel.ProjectGitRepositoryArgs(type="github", repo=repository_full_name),
        # Clients' visitors have no account at Vercel; what is not live yet is for those who have.
        vercel_authentication=vercel.ProjectVercelAuthenticationArgs(deployment_type="only_preview_deployments"),
        resource_config=vercel.ProjectResourceConfigArgs(function_default_regions=[function_region(settings.region)]),
        team_id=settings.vercel_team,
        opts=opts,
    )


def _fingerprint(parts: Sequence[pulumi.Input[str]]) -> pulumi.Output[str]:
    """Return a SHA-256 that changes whenever one of the parts does."""
    found = pulumi.Output.all(*parts)
    return found.apply(lambda texts: hashlib.sha256("\0".join(texts).encode()).hexdigest())


def _address(domains: Sequence[str]) -> str:
    """The site's own address among a deployment's aliases: others name the branch or the team, or need DNS first."""
    own = [domain for domain in domains if domain.endswith(".vercel.app")] or domains
    shortest = min(own, key=len)
    # Local mode's sites are on this machine and have no certificate.
    return f"http://{shortest}" if shortest.startswith("127.0.0.1:") else f"https://{shortest}"


def _warn_of_domain(found: Sequence[Any]) -> None:
    """Say what is left to do at the DNS of a domain until the site answers there."""
    domain, verifications, misconfigured = found
    for record in (verifications or ())[:1]:
        proof = f"{record['type']} {record['domain']} {record['value']}"
        pulumi.log.warn(f"{domain} is in use at Vercel already: set {proof} at its DNS to prove that it is yours.")
    if misconfigured:
        pulumi.log.warn(f"{domain} does not lead to Vercel yet: its Domains page there says what to set at the DNS.")


def function_region(database_region: str) -> str:
    """The Vercel region nearest to a database in an AWS region."""
    nearest = CONTINENT_REGIONS.get(database_region.partition("-")[0], VERCEL_DEFAULT_REGION)
    return FUNCTION_REGIONS.get(database_region, nearest)
