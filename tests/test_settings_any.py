"""Anything at all in any setting of both files: it is taken, or refused in one line that names file and setting."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from common.errors import OperatorError
from components.client_environment import ClientEnvironment
from components.project_settings import MAILER_KEYS
from components.schema.resource import SchemaProvider
from components.settings import CLIENT_KEYS, ENVIRONMENT_KEYS, TIER_KEYS, ClientSettings, load_settings
from components.supabase.api_key import ApiKeyProvider
from components.supabase.endpoints import EndpointsProvider
from components.supabase.owner import OwnerProvider
from components.supabase.project import ProjectProvider
from components.supabase.settings import SettingsProvider
from tests import wiring

Values = dict[str, Any]
CLIENT: Values = {"clientId": "acme", "clientName": "Acme", "orgEmail": "owner@acme.example", "tier": "starter"}
TIER: Values = {"instanceSize": "small"}
MAILER: Values = {"host": "mail.agency.example", "user": "agency", "sender": "no-reply@agency.example"}
PROD: Values = {"organization": "agency", "tiers": {"starter": TIER}, "mailer": MAILER}

PROVIDERS = {
    "project": ProjectProvider(),
    "endpoints": EndpointsProvider(),
    "secret-key": ApiKeyProvider(),
    "schema": SchemaProvider(),
    "settings": SettingsProvider(),
    "owner": OwnerProvider(),
}

# What is nearly right meets more rules than noise does.
NEARLY: list[Any] = [
    "acme", "prod", "../prod", "Acme Outdoor", "two\nlines", "owner@acme.example", "a@b", "starter", "www.acme.example",
    "eu-west-2", "team_abc", "owner/name", "{clientId}", "{clientId}-" + "x" * 100, "small", "nano", "203.0.113.1/24",
    "::/0", "yes", "1", "", " ", "\x85", "e\u0301", "\U0001f600", 0, 1, 7, 587, 65536, -1, 10**30, 1.0, True, None,
    ["203.0.113.0/24"], ["fe80::1%eth0"], ["public"], ["public,private"], [""], [None], {"starter": {}}, {1: 2},
]  # fmt: skip
SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.dates()
ANYTHING = st.sampled_from(NEARLY) | st.recursive(
    SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(SIMPLE, inner, max_size=2), max_leaves=4
)


def some(keys: frozenset[str]) -> st.SearchStrategy[Values]:
    return st.dictionaries(st.sampled_from(sorted(keys)) | st.text(max_size=5), ANYTHING, max_size=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("settings")


def write(folder: Path, stack: str, values: Values) -> None:
    config = {f"client-environments:{key}": value for key, value in values.items()}
    text = yaml.safe_dump({"config": config}, allow_unicode=True)
    (folder / f"Pulumi.{stack}.yaml").write_text(text, encoding="utf-8")


@hypothesis_settings(deadline=None, max_examples=100)
@given(own=some(CLIENT_KEYS), shared=some(ENVIRONMENT_KEYS), tier=some(TIER_KEYS), mailer=some(MAILER_KEYS))
@example(own={}, shared={}, tier={}, mailer={})
@example(own={}, shared={"allowedAddresses": ["::/0"], "operatorAddresses": ["203.0.113.7"]}, tier={}, mailer={})
def test_any_value_is_taken_by_the_resources_too_or_refused_in_one_line(
    folder: Path, own: Values, shared: Values, tier: Values, mailer: Values
) -> None:
    """What is taken here and refused only by a resource would be refused after the first resources exist."""
    write(folder, "acme", CLIENT | own)
    write(folder, "prod", PROD | {"tiers": {"starter": TIER | tier}, "mailer": MAILER | mailer} | shared)
    try:
        taken = load_settings("acme", folder, variables={})
    except OperatorError as refusal:
        said = str(refusal)
        assert "\n" not in said
        assert said.isprintable()
        assert said.startswith("Pulumi.")
        return
    assert taken.client_id == "acme"
    assert refused_by_resources(taken) == []


def refused_by_resources(taken: ClientSettings) -> list[str]:
    """What our resources, declared with these settings, say against their inputs."""
    declared = wiring.run(lambda: ClientEnvironment("client", taken)).declared
    found = []
    for name, provider in PROVIDERS.items():
        given = declared[name].inputs
        found += [f"{name}: {failure.reason}" for failure in provider.check(given, given).failures]
    return found
