"""The site of a client: variables and who may read them, the region of its functions, its domain."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pulumi
import pulumi_random as random
import pytest

from components.site import FUNCTION_REGIONS, Vercel, function_region
from components.urn import name_of
from local.emulators.vercel.app import REGIONS
from tests.wiring import SETTINGS, Declared, declare

URLS: list[str] = []
COMMITS = ("a" * 40,)


def declared(
    commits: Sequence[str] = COMMITS, secret_key: str = "made-up-secret", secret_key_id: str = "key-1", **changes: Any
) -> dict[str, Declared]:
    def program(parent: pulumi.Resource) -> None:
        content = random.RandomId("file", byte_length=1)
        site = Vercel(
            parent,
            replace(SETTINGS, **changes),
            repository_full_name="agency/client-acme-prod",
            repository_content=[content],
            commits=commits,
            api_url="https://x.example",
            publishable_key="sb_publishable_x",
            secret_key=pulumi.Output.secret(secret_key),
            secret_key_id=secret_key_id,
        )
        site.url.apply(URLS.append)

    URLS.clear()
    return {name: one for name, one in declare(program).items() if name != "file"}


def variables(resources: dict[str, Declared]) -> dict[str, Declared]:
    return {one.inputs["key"]: one for one in resources.values() if one.type == "ProjectEnvironmentVariable"}


def test_no_secret_has_a_public_name_and_every_secret_is_sensitive() -> None:
    found = variables(declared())
    secret = {key for key, one in found.items() if "made-up-secret" in str(one.inputs)}
    assert secret == {"SUPABASE_SECRET_KEY"} == {key for key, one in found.items() if one.inputs["sensitive"]}
    assert secret == {key for key in found if not key.startswith("NEXT_PUBLIC_")}
    assert all("value" in found[key].secret for key in secret)


def test_a_secret_does_not_reach_developers_machines() -> None:
    found = variables(declared())
    assert found["SUPABASE_SECRET_KEY"].inputs["targets"] == ["preview", "production"]
    assert found["NEXT_PUBLIC_SUPABASE_URL"].inputs["targets"] == ["development", "preview", "production"]


def test_the_starter_finds_every_variable_under_the_contracts_name() -> None:
    values = {key: one.inputs["value"] for key, one in variables(declared()).items()}
    assert values == {
        "NEXT_PUBLIC_CLIENT_NAME": "Acme Outdoor",
        "NEXT_PUBLIC_SUPABASE_URL": "https://x.example",
        "NEXT_PUBLIC_SUPABASE_PUBLISHABLE_KEY": "sb_publishable_x",
        "SUPABASE_SECRET_KEY": "made-up-secret",
    }


def test_the_site_is_linked_after_the_files_are_there() -> None:
    site = declared()["site"]
    assert site.inputs["gitRepository"] == {"repo": "agency/client-acme-prod", "type": "github"}
    assert site.dependencies == {"file"}


def test_no_framework_is_named_so_that_a_preview_asks_no_public_address_for_it() -> None:
    assert "framework" not in declared()["site"].inputs


def test_only_the_site_is_protected_and_what_is_inside_goes_with_it() -> None:
    resources = declared(domain="www.acme.example")
    assert {name for name, one in resources.items() if one.request.protect} == {"site"}
    assert {name_of(one.request.deletedWith) for name, one in resources.items() if name != "site"} == {"site"}


def test_the_address_is_the_clients_domain_or_the_projects() -> None:
    assert "site-domain" not in declared()
    assert URLS == ["https://client-acme-prod.vercel.app"]
    assert declared(domain="www.acme.example")["site-domain"].inputs["domain"] == "www.acme.example"
    assert URLS == ["https://www.acme.example"]


def test_the_team_is_named_on_every_resource() -> None:
    resources = declared(vercel_team="team_x", domain="www.acme.example")
    assert {one.inputs.get("teamId") for name, one in resources.items() if name != "probe"} == {"team_x"}


def test_the_branch_is_deployed_when_its_files_and_all_variables_are_there() -> None:
    resources = declared()
    deployment = resources["deployment"]
    assert (deployment.inputs["ref"], deployment.inputs["production"]) == ("main", True)
    keys = {name for name, one in resources.items() if one.type == "ProjectEnvironmentVariable"}
    assert deployment.dependencies == keys | {"file", "site"}


def test_another_value_or_commit_takes_another_deployment_and_the_trigger_tells_no_secret() -> None:
    def trigger(**changes: Any) -> Any:
        return declared(**changes)["deployment"].inputs["meta"]["builtFrom"]

    assert trigger() == trigger(vercel_team="team_x")
    changed = trigger(client_name="Other"), trigger(commits=["b" * 40]), trigger(secret_key_id="key-2")
    assert len({trigger(), *changed}) == 4
    assert re.fullmatch("[0-9a-f]{64}", trigger())
    # In a redacted copy of the state the secret reads differently, and nothing is to be deployed.
    assert trigger() == trigger(secret_key="another-made-up-secret")


def test_the_sites_own_address_is_probed_since_a_domain_may_not_lead_there_yet() -> None:
    probe = declared(domain="www.acme.example")["probe"]
    assert probe.inputs["environment"] == {
        "SITE_URL": "https://client-acme-prod.vercel.app",
        "DEPLOYMENT": "deployment-id",
    }


@pytest.mark.parametrize(
    ("database", "functions"),
    [
        ("eu-west-2", "lhr1"),
        ("af-south-1", "cpt1"),
        ("eu-south-9", "fra1"),  # not in the table: the continent's
        ("ap-southeast-9", "sin1"),
        ("xx-north-1", "iad1"),  # no continent we know: Vercel's own default
    ],
)
def test_functions_run_nearest_to_the_database(database: str, functions: str) -> None:
    assert function_region(database) == functions
    regions = declared(region=database)["site"].inputs["resourceConfig"]["functionDefaultRegions"]
    assert regions == [functions]


def test_every_region_of_the_table_is_one_of_vercels() -> None:
    assert set(FUNCTION_REGIONS.values()) <= set(REGIONS.split())
