"""The client's Vercel site: a project linked to the repository, the variables of its code, its domain."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumiverse_vercel as vercel

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

EVERYWHERE = ("production", "preview", "development")
# Developers pull the development target into files on their machines: no secret goes there.
DEPLOYED = ("production", "preview")


@dataclass(frozen=True)
class DeclaredSite:
    """What others need of the site.

    Attributes:
        url: address for people: the client's domain, or the one Vercel gives a project of that name.
    """

    url: pulumi.Output[str]


def declare_site(
    settings: ClientSettings,
    *,
    repository_full_name: pulumi.Input[str],
    repository_content: Sequence[pulumi.Resource],
    api_url: pulumi.Input[str],
    publishable_key: pulumi.Input[str],
    secret_key: pulumi.Input[str],
    parent: pulumi.Resource,
) -> DeclaredSite:
    """Declare the site, linked to a repository; its functions run in the region nearest to the database.

    Args:
        repository_content: what puts content on the repository's default branch.
    """
    site = vercel.Project(
        "site",
        name=settings.project_name,
        # No `framework`: the starter's vercel.json names it, and a template brings its own.
        git_repository=vercel.ProjectGitRepositoryArgs(type="github", repo=repository_full_name),
        resource_config=vercel.ProjectResourceConfigArgs(function_default_regions=[function_region(settings.region)]),
        team_id=settings.vercel_team,
        opts=pulumi.ResourceOptions(
            parent=parent,
            protect=settings.protect,
            # Linked once the branch has its content: each push after the link would build the site again.
            depends_on=repository_content,
        ),
    )
    inside = pulumi.ResourceOptions(parent=parent, deleted_with=site)
    for name, key, value, targets, sensitive in (
        ("site-client-name", "NEXT_PUBLIC_CLIENT_NAME", settings.client_name, EVERYWHERE, False),
        ("site-api-url", "NEXT_PUBLIC_SUPABASE_URL", api_url, EVERYWHERE, False),
        ("site-publishable-key", "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY", publishable_key, EVERYWHERE, False),
        ("site-secret-key", "SUPABASE_SECRET_KEY", secret_key, DEPLOYED, True),
    ):
        vercel.ProjectEnvironmentVariable(
            name,
            project_id=site.id,
            team_id=settings.vercel_team,
            key=key,
            value=value,
            targets=targets,
            sensitive=sensitive,
            opts=inside,
        )
    if settings.domain:
        vercel.ProjectDomain(
            "site-domain", project_id=site.id, team_id=settings.vercel_team, domain=settings.domain, opts=inside
        )
    host = settings.domain or f"{settings.project_name}.vercel.app"
    return DeclaredSite(pulumi.Output.concat("https://", host))


def function_region(database_region: str) -> str:
    """The Vercel region nearest to a database in an AWS region."""
    nearest = CONTINENT_REGIONS.get(database_region.partition("-")[0], VERCEL_DEFAULT_REGION)
    return FUNCTION_REGIONS.get(database_region, nearest)
