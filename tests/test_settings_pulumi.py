"""Whatever Pulumi writes into a settings file is accepted back, for every setting there is."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from common.errors import OperatorError
from components.project_settings import MAILER_KEYS
from components.settings import CLIENT_KEYS, ENVIRONMENT_KEYS, TIER_KEYS, ClientSettings, load_settings

ROOT = Path(__file__).parent.parent
PREFIX = "client-environments:"
CLIENT: dict[str, Any] = {
    "clientId": "acme",
    "clientName": "007",  # a text that looks like a number stays a text
    "orgEmail": "owner@acme.example",
    "tier": "growth",
    "environment": "stage",
    "adopt": True,
    "domain": "www.acme.example",
    "paused": True,
    "rotatePassword": 3,
    "keyGeneration": 2,
    "inviteOwner": 4,
    "legacyKeys": True,
}
TIER: dict[str, Any] = {"instanceSize": "small", "pointInTimeRecovery": 7, "ipv4": True}
MAILER: dict[str, Any] = {
    "host": "mail.agency.example",
    "port": 2525,
    "user": "12345",  # `config set --path` writes it as a number
    "sender": "no-reply@agency.example",
    "passwordGeneration": 2,
}
ENVIRONMENT: dict[str, Any] = {
    "region": "eu-central-1",
    "organization": "agency",
    "tiers": {"growth": TIER},
    "projectName": "c-{clientId}-{environment}",
    "protect": False,
    "readyTimeout": 900,
    "repositoryTemplate": "owner/name",
    "ruleset": False,
    "archiveOnDestroy": False,
    "vercelTeam": "team_abc",
    "mailer": MAILER,
    "allowedAddresses": ["203.0.113.0/24", "2001:db8::/32"],
    "operatorAddresses": ["203.0.113.7/32"],
    "sslEnforcement": True,
    "dataApiSchemas": ["public", "graphql_public"],
    "legacyKeys": False,
}
SPELLING = {True: "true", False: "false"}
NEEDS_PULUMI = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi command is not on PATH"),
]


def text_of(value: Any) -> str:
    return SPELLING[value] if isinstance(value, bool) else str(value)


def as_by_hand(values: Mapping[str, Any]) -> str:
    return yaml.safe_dump({"config": {f"{PREFIX}{key}": value for key, value in values.items()}})


def as_pulumi(values: Mapping[str, Any]) -> str:
    """Pulumi keeps the kind of scalars inside lists and mappings, and makes texts of all others."""
    nested = (dict, list)
    return as_by_hand({key: each if isinstance(each, nested) else text_of(each) for key, each in values.items()})


def as_all_texts(values: Any) -> Any:
    if isinstance(values, dict):
        return {key: as_all_texts(value) for key, value in values.items()}
    return [as_all_texts(value) for value in values] if isinstance(values, list) else text_of(values)


def load(folder: Path, own: str, shared: str) -> ClientSettings:
    (folder / "Pulumi.acme.yaml").write_text(own)
    (folder / "Pulumi.stage.yaml").write_text(shared)
    return load_settings("acme", folder, variables={})


def leaves(values: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar with its path as `pulumi config set --path` takes it."""
    for key, value in values.items():
        path = f"{parent}.{key}" if parent else key
        if isinstance(value, dict):
            yield from leaves(value, path)
        elif isinstance(value, list):
            yield from ((f"{path}[{index}]", each) for index, each in enumerate(value))
        else:
            yield path, value


def test_the_samples_hold_every_setting_that_there_is() -> None:
    assert (set(CLIENT), set(ENVIRONMENT), set(TIER), set(MAILER)) == (
        CLIENT_KEYS,
        ENVIRONMENT_KEYS,
        TIER_KEYS,
        MAILER_KEYS,
    )


def test_what_pulumi_writes_back_says_the_same_as_what_was_written_by_hand(tmp_path: Path) -> None:
    by_hand = load(tmp_path, as_by_hand(CLIENT), as_by_hand(ENVIRONMENT))
    assert load(tmp_path, as_pulumi(CLIENT), as_pulumi(ENVIRONMENT)) == by_hand
    assert load(tmp_path, as_by_hand(as_all_texts(CLIENT)), as_by_hand(as_all_texts(ENVIRONMENT))) == by_hand
    assert by_hand == replace(by_hand, key_generation=2, paused=True, ready_timeout=900, protect=False)
    assert by_hand.service.mailer is not None
    assert (by_hand.service.mailer.port, by_hand.service.mailer.user) == (2525, "12345")


def spoilt() -> Iterator[Any]:
    """Each flag and number of both files with a text that is nearly one."""
    wrong = {
        bool: ["yes", "True ", " true", "1", "on", "TRUE"],
        int: ["1.0", " 2", "2 ", "two", "0x2", "02", "2_0", "-2"],
    }
    for kind, values in (("client", CLIENT), ("environment", ENVIRONMENT)):
        for path, value in leaves(values):
            for text in wrong.get(type(value), ()):
                yield pytest.param(kind, path, text, id=f"{kind}-{path}={text}")


@pytest.mark.parametrize(("kind", "path", "text"), [*spoilt()])
def test_a_text_that_is_nearly_a_boolean_or_a_number_is_refused_by_name(
    tmp_path: Path, kind: str, path: str, text: str
) -> None:
    client, environment = as_all_texts(CLIENT), as_all_texts(ENVIRONMENT)
    *parents, last = path.split(".")
    place = client if kind == "client" else environment
    for parent in parents:
        place = place[parent]
    place[last] = text
    with pytest.raises(OperatorError, match=rf"{last} '{text}' must be"):
        load(tmp_path, as_by_hand(client), as_by_hand(environment))


def test_an_encrypted_setting_is_refused_without_showing_it(tmp_path: Path) -> None:
    own = {**CLIENT, "keyGeneration": {"secure": "v1:abcdef"}}
    with pytest.raises(OperatorError, match=r"keyGeneration is encrypted.*--plaintext") as refusal:
        load(tmp_path, as_by_hand(own), as_by_hand(ENVIRONMENT))
    assert "abcdef" not in str(refusal.value)


class Stack:
    """A Pulumi project whose program does nothing, driven by the real command."""

    def __init__(self, folder: Path, state: Path) -> None:
        options = {"toolchain": "pip", "virtualenv": str(ROOT / ".venv")}
        project = {"name": "client-environments", "runtime": {"name": "python", "options": options}}
        (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        (folder / "__main__.py").write_text("")
        self._folder = folder
        self._environment = {
            **os.environ,
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "made up",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
        }

    def __call__(self, *words: str) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *words],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def set(self, values: Mapping[str, Any], file: str) -> None:
        """Say every value with `config set`, those inside lists and mappings with `--path`."""
        for path, value in leaves(values):
            nested = ["--path"] if "." in path or "[" in path else []
            self("config", "set", *nested, "--config-file", file, f"{PREFIX}{path}", "--", text_of(value))


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "project").mkdir()
    (tmp_path / "state").mkdir()
    return Stack(tmp_path / "project", tmp_path / "state")


@pytest.mark.parametrize("by_cli", [pytest.param(by, marks=NEEDS_PULUMI) for by in (False, True)], ids=["hand", "cli"])
def test_every_setting_survives_the_real_command(tmp_path: Path, stack: Stack, by_cli: bool) -> None:
    """Written by hand or by `config set`, then rewritten by `stack init`, `config set`, `up` and `preview`."""
    project = tmp_path / "project"
    by_hand = load(tmp_path, as_by_hand(CLIENT), as_by_hand(ENVIRONMENT))
    if not by_cli:
        load(project, as_by_hand(CLIENT), as_by_hand(ENVIRONMENT))
    stack("stack", "init", "acme")
    if by_cli:
        stack.set(CLIENT, "Pulumi.acme.yaml")
        stack.set(ENVIRONMENT, "Pulumi.stage.yaml")
    else:  # any `config set` rewrites the whole file
        stack("config", "set", f"{PREFIX}clientId", "acme")
        stack("config", "set", "--config-file", "Pulumi.stage.yaml", f"{PREFIX}organization", "agency")
    for verb in ("preview", "up", "config"):
        stack(verb, *(["--yes", "--skip-preview"] if verb == "up" else []))
        assert load_settings("acme", project, variables={}) == by_hand
    written = (project / "Pulumi.acme.yaml").read_text()
    assert yaml.safe_load(written)["config"] == yaml.safe_load(as_pulumi(CLIENT))["config"]
