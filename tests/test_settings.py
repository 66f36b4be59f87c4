"""Settings: what the files say, what is refused, and that a refusal names file, property, value and rule."""

import contextlib
import dataclasses
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from common.errors import OperatorError
from components.project_settings import Mailer, ServiceSettings
from components.settings import load_settings

CLIENT = {"clientId": "acme", "clientName": "Acme Outdoor", "orgEmail": "owner@acme.example", "tier": "starter"}
PROD = {"organization": "agency", "tiers": {"starter": {"instanceSize": "micro"}, "growth": {}}}


def write(folder: Path, stack: str, values: dict[str, object]) -> None:
    config = {f"client-environments:{key}": value for key, value in values.items()}
    (folder / f"Pulumi.{stack}.yaml").write_text(yaml.safe_dump({"config": config}, allow_unicode=True))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CLIENT_ENVIRONMENT", "SUPABASE_ORG_SLUG", "SUPABASE_ORG_ID"):
        monkeypatch.delenv(name, raising=False)
    write(tmp_path, "acme", CLIENT)
    write(tmp_path, "prod", PROD)
    return tmp_path


def test_a_client_file_of_four_facts_is_enough(folder: Path) -> None:
    settings = load_settings("acme", folder)
    assert settings.project_name == "client-acme-prod"
    assert (settings.environment, settings.region, settings.instance_size) == ("prod", "eu-west-2", "micro")
    assert settings.protect
    assert settings.archive_on_destroy


def test_one_changed_line_of_the_environment_changes_only_that_setting(folder: Path) -> None:
    before = load_settings("acme", folder)
    write(folder, "prod", {**PROD, "region": "eu-central-1"})
    after = load_settings("acme", folder)
    assert after == dataclasses.replace(before, region="eu-central-1")


def test_the_environment_can_be_overridden_for_local_mode(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "local", {**PROD, "protect": False})
    assert load_settings("acme", folder, "local").project_name == "client-acme-local"
    monkeypatch.setenv("CLIENT_ENVIRONMENT", "local")
    assert not load_settings("acme", folder).protect


@pytest.mark.parametrize("variable", ["SUPABASE_ORG_SLUG", "SUPABASE_ORG_ID"])
def test_the_organization_may_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    write(folder, "prod", {"tiers": PROD["tiers"]})
    with pytest.raises(OperatorError, match=r"organization.*SUPABASE_ORG_SLUG"):
        load_settings("acme", folder)
    monkeypatch.setenv(variable, "other-agency")
    assert load_settings("acme", folder).organization == "other-agency"


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("clientId", "other", "must be the stack's name"),
        ("clientName", "", "missing or empty"),
        ("clientName", "   ", "missing or empty"),
        ("clientName", "two\nlines", "one line"),
        ("clientName", ["Acme"], "must be text"),
        ("orgEmail", "owner", "must be an e-mail address"),
        ("orgEmail", "a b@acme.example", "must be an e-mail address"),
        ("tier", "platinum", "must be one of growth, starter in Pulumi.prod.yaml"),
        ("keyGeneration", 10**30, "1 to 1000000"),
        ("environment", "../etc", "must be a lower-case slug"),
        ("adopt", "yes", "must be true or false"),
        ("keyGeneration", 0, "must be a whole number"),
        ("domain", "https://acme.example", "must be a host name"),
        ("colour", "red", "is unknown"),
    ],
)
def test_a_wrong_client_setting_is_refused_by_property_value_and_rule(
    folder: Path, key: str, value: object, named: str
) -> None:
    write(folder, "acme", {**CLIENT, key: value})
    with pytest.raises(OperatorError) as refusal:
        load_settings("acme", folder)
    text = str(refusal.value)
    assert text.startswith("Pulumi.acme.yaml: ")
    assert key in text
    assert named in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("region", "London", "must be a region code"),
        ("projectName", "one-for-all", "must contain {clientId}"),
        ("projectName", "Client-{clientId}", "lower-case slug"),
        ("readyTimeout", "long", "must be a whole number"),
        ("tiers", {"starter": {"size": "micro"}}, "is unknown"),
        ("tiers", ["starter"], "must be a mapping"),
        ("repositoryTemplate", "starter", "must be owner/name"),
        ("vercelTeam", "my-agency", "must be the team's id"),
        ("mailer", {"host": "m.example", "user": "u", "sender": "nobody"}, "sender 'nobody' must be an e-mail address"),
        ("mailer", {"host": "m.example", "user": "u", "sender": "a@b.example", "port": 70000}, "must be a port"),
        ("mailer", {"host": "m.example", "sender": "a@b.example"}, "user is missing"),
        ("mailer", {"password": "secret"}, "is unknown"),
        ("allowedAddresses", ["203.0.113.0/24"], "needs operatorAddresses"),
        ("allowedAddresses", [], "needs operatorAddresses"),
        ("tiers", {"starter": {"instanceSize": "enormous"}}, "must be a compute size"),
        ("tiers", {None: {}}, "must be one of (no tiers) in Pulumi.prod.yaml"),
        ("mailer", {"host": "m m", "user": "u", "sender": "a@b.example"}, "host 'm m' must be a host name"),
        ("mailer", {"host": "m.example", "user": "u\x08v", "sender": "a@b.example"}, "user 'u\\x08v' must be one line"),
        ("operatorAddresses", ["203.0.113.1/24"], "must be networks such as"),
        ("sslEnforcement", "yes", "must be true or false"),
        ("dataApiSchemas", "public", "must be a list of texts"),
        ("tiers", {"starter": {"instanceSize": "small", "pointInTimeRecovery": 5}}, "must be one of 0, 7, 14, 28"),
        ("tiers", {"starter": {"instanceSize": "micro", "pointInTimeRecovery": 7}}, "needs instanceSize small"),
    ],
)
def test_a_wrong_environment_setting_names_the_environments_file(
    folder: Path, key: str, value: object, named: str
) -> None:
    write(folder, "prod", {**PROD, key: value})
    with pytest.raises(OperatorError) as refusal:
        load_settings("acme", folder)
    assert "Pulumi.prod.yaml" in str(refusal.value)
    assert named in str(refusal.value)


def test_a_tier_that_the_schema_does_not_know_is_refused_before_anything_exists(folder: Path) -> None:
    write(folder, "prod", {**PROD, "tiers": {"gold": {}}})
    write(folder, "acme", {**CLIENT, "tier": "gold"})
    with pytest.raises(OperatorError, match=r"tier 'gold' must be one of growth, scale, starter: the schema knows no"):
        load_settings("acme", folder)


def test_a_list_that_locks_an_operator_out_is_refused_with_the_network_that_it_lacks(folder: Path) -> None:
    operators = ["203.0.113.7", "198.51.100.0/24"]
    write(folder, "prod", {**PROD, "allowedAddresses": ["203.0.113.0/24", "::/0"], "operatorAddresses": operators})
    with pytest.raises(OperatorError, match=r"allowedAddresses .*must contain 198\.51\.100\.0/24 of operatorAddresses"):
        load_settings("acme", folder)


@pytest.mark.parametrize("name", ["prod", "local"])
def test_environment_names_are_reserved(folder: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="reserved"):
        load_settings(name, folder)


@pytest.mark.parametrize(
    "name", ["", "a", "Acme", "acme_co", "-acme", "acme-", "ac--me", "9lives", "a" * 41, "acme/.."]
)
def test_what_is_no_slug_is_refused_before_any_file_is_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(OperatorError, match="slug"):
        load_settings(name, tmp_path)


@pytest.mark.parametrize("content", ["config: [", "- a list", "config: 3", "", "\x00"])
def test_a_file_that_is_no_settings_file_is_refused_by_name(folder: Path, content: str) -> None:
    (folder / "Pulumi.acme.yaml").write_text(content)
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yaml"):
        load_settings("acme", folder)


def test_a_missing_file_says_how_to_make_one(folder: Path) -> None:
    with pytest.raises(OperatorError, match="clients new"):
        load_settings("nobody", folder)


def test_pulumis_own_keys_in_a_client_file_are_left_alone(folder: Path) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text("encryptionsalt: v1:abc\n" + path.read_text() + "  pulumi:disable-default-providers: ['*']\n")
    assert load_settings("acme", folder).client_id == "acme"


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text(), max_size=2),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


@given(key=st.sampled_from([*CLIENT, "environment", "adopt", "domain", "paused", "rotatePassword"]), value=VALUES)
def test_any_value_is_accepted_or_refused_but_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    folder = tmp_path_factory.mktemp("settings")
    write(folder, "prod", PROD)
    write(folder, "acme", {**CLIENT, key: value})
    with contextlib.suppress(OperatorError):
        assert load_settings("acme", folder).client_id == "acme"


def test_what_the_files_do_not_mention_is_left_alone(folder: Path) -> None:
    assert load_settings("acme", folder).service == ServiceSettings()


def test_the_settings_of_a_project_are_the_environments_and_its_tiers(folder: Path) -> None:
    tiers = {"starter": {"instanceSize": "small", "pointInTimeRecovery": 7, "ipv4": True}}
    mailer = {"host": "mail.agency.example", "user": "agency", "sender": "no-reply@agency.example"}
    networks = {"allowedAddresses": ["203.0.113.0/24", "2001:DB8::/32"], "operatorAddresses": ["203.0.113.7"]}
    given = {"mailer": mailer, "sslEnforcement": True, "dataApiSchemas": [], "legacyKeys": False}
    write(folder, "prod", {**PROD, **given, **networks, "tiers": tiers})
    assert load_settings("acme", folder).service == ServiceSettings(
        mailer=Mailer("mail.agency.example", 587, "agency", "no-reply@agency.example", 1),
        allowed_addresses=("203.0.113.0/24", "2001:db8::/32"),
        operator_addresses=("203.0.113.7/32",),
        ssl_enforcement=True,
        data_api_schemas=(),
        point_in_time_recovery=7,
        ipv4=True,
        legacy_keys=False,
    )
    write(folder, "acme", {**CLIENT, "legacyKeys": True})
    assert load_settings("acme", folder).service.legacy_keys is True
