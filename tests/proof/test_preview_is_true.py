"""For every change of a single setting, the preview lists exactly what `up` then does, refusals included."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from automation.engine import Engine, Outcome
from automation.workspace import open_engine
from common.errors import OperatorError
from components.project_settings import MAILER_KEYS
from components.settings import CLIENT_KEYS, ENVIRONMENT_KEYS, PROJECT, TIER_KEYS
from tests.automation.local_client import Client, MakeClient

CLIENT_FILE, ENVIRONMENT_FILE = "client", "environment"
MAILER = {"host": "mail.agency.example", "user": "agency", "sender": "no-reply@agency.example"}


@dataclass(frozen=True)
class Change:
    """A new value for the setting at a path of one file; None removes the setting."""

    file: str
    path: str
    value: Any

    @property
    def setting(self) -> str:
        """File and setting, without the name of a tier."""
        return f"{self.file} {self.path.replace('tiers.starter.', 'tiers.*.')}"


# One client goes through each list in order, so every change is one setting away from the state before it.
SERIES: dict[str, list[Change]] = {
    "usual": [
        Change(CLIENT_FILE, "clientName", "Acme Indoor"),
        Change(CLIENT_FILE, "tier", "growth"),
        Change(CLIENT_FILE, "paused", True),
    ],
    "client": [
        Change(CLIENT_FILE, "clientName", "Acme Indoor"),
        Change(CLIENT_FILE, "clientId", "somebody-else"),
        Change(CLIENT_FILE, "clientId", None),  # put back by the test
        Change(CLIENT_FILE, "orgEmail", "next@acme.example"),
        Change(CLIENT_FILE, "tier", "growth"),
        Change(CLIENT_FILE, "tier", "starter"),
        Change(CLIENT_FILE, "environment", "local"),
        Change(CLIENT_FILE, "adopt", True),
        Change(CLIENT_FILE, "rotatePassword", 2),
        Change(CLIENT_FILE, "keyGeneration", 2),
        Change(CLIENT_FILE, "inviteOwner", 2),
        Change(CLIENT_FILE, "domain", "www.acme.example"),
        Change(CLIENT_FILE, "domain", None),
        Change(CLIENT_FILE, "legacyKeys", True),
        Change(CLIENT_FILE, "paused", True),
        Change(CLIENT_FILE, "paused", None),
    ],
    "environment": [
        Change(ENVIRONMENT_FILE, "region", "eu-central-1"),
        Change(ENVIRONMENT_FILE, "region", "eu-west-2"),
        Change(ENVIRONMENT_FILE, "organization", "another-organization"),
        Change(ENVIRONMENT_FILE, "organization", None),
        Change(ENVIRONMENT_FILE, "readyTimeout", 90),
        Change(ENVIRONMENT_FILE, "archiveOnDestroy", True),
        Change(ENVIRONMENT_FILE, "ruleset", False),
        Change(ENVIRONMENT_FILE, "repositoryTemplate", "agency/site-template"),
        Change(ENVIRONMENT_FILE, "tiers.scale", None),
        Change(ENVIRONMENT_FILE, "tiers.starter.instanceSize", "small"),
        Change(ENVIRONMENT_FILE, "projectName", "site-{clientId}-{environment}"),
        Change(ENVIRONMENT_FILE, "vercelTeam", "team_another"),
        Change(ENVIRONMENT_FILE, "vercelTeam", None),
        Change(ENVIRONMENT_FILE, "protect", True),
    ],
    "service": [
        Change(ENVIRONMENT_FILE, "tiers.starter.instanceSize", "small"),
        Change(ENVIRONMENT_FILE, "tiers.starter.pointInTimeRecovery", 7),
        Change(ENVIRONMENT_FILE, "tiers.starter.ipv4", True),
        Change(ENVIRONMENT_FILE, "mailer", MAILER),
        Change(ENVIRONMENT_FILE, "mailer.host", "smtp.agency.example"),
        Change(ENVIRONMENT_FILE, "mailer.port", 2525),
        Change(ENVIRONMENT_FILE, "mailer.user", "mailer"),
        Change(ENVIRONMENT_FILE, "mailer.sender", "hello@agency.example"),
        Change(ENVIRONMENT_FILE, "mailer.passwordGeneration", 2),
        Change(ENVIRONMENT_FILE, "operatorAddresses", ["127.0.0.0/8"]),
        Change(ENVIRONMENT_FILE, "allowedAddresses", ["127.0.0.0/8", "203.0.113.0/24"]),
        Change(ENVIRONMENT_FILE, "sslEnforcement", True),
        Change(ENVIRONMENT_FILE, "dataApiSchemas", ["public", "storage"]),
        Change(ENVIRONMENT_FILE, "dataApiSchemas", []),
        Change(ENVIRONMENT_FILE, "legacyKeys", True),
    ],
}


def every_setting() -> set[str]:
    """Every key that the settings model reads, by the file it stands in."""
    return {
        *(f"{CLIENT_FILE} {key}" for key in CLIENT_KEYS),
        *(f"{ENVIRONMENT_FILE} {key}" for key in ENVIRONMENT_KEYS - {"tiers"}),
        f"{ENVIRONMENT_FILE} tiers.scale",
        *(f"{ENVIRONMENT_FILE} tiers.*.{key}" for key in TIER_KEYS),
        *(f"{ENVIRONMENT_FILE} mailer.{key}" for key in MAILER_KEYS),
    }


def test_the_series_change_every_setting_of_the_model() -> None:
    assert {change.setting for series in SERIES.values() for change in series} == every_setting()


@pytest.mark.parametrize(
    "series",
    ["usual", *(pytest.param(name, marks=pytest.mark.long) for name in SERIES if name != "usual")],
)
def test_a_preview_lists_what_up_does_for_each_changed_setting(
    make_client: MakeClient, series: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_PASSWORD", "made-up-for-the-mailer")
    client = make_client(series[:3])
    assert opened(client).up().error is None
    differing, acted = {}, 0
    for change in SERIES[series]:
        write(client, change)
        planned = told(lambda: opened(client).preview())
        done = told(lambda: opened(client).up())
        acted += bool(done)
        if planned != done:
            differing[f"{change.setting} -> {change.value}"] = {"preview": planned, "up": done}
    assert differing == {}
    assert acted >= len(SERIES[series]) // 2


def opened(client: Client) -> Engine:
    """Open the client's engine as the command line does, reading the files anew."""
    return open_engine(client.name, local=True, root=client.root)


def told(operation: Callable[[], Outcome]) -> list[str]:
    """Return the changes of a preview or an update, or its refusal."""
    try:
        outcome = operation()
    except OperatorError as error:
        return [f"refused: {error}"]
    if outcome.error:
        return [f"refused: {outcome.error}"]
    return sorted(f"{step.operation} {step.name}" for step in outcome.changes)


def write(client: Client, change: Change) -> None:
    """Set, or remove, one setting in the client's or the environment's file."""
    name = client.name if change.file == CLIENT_FILE else "local"
    path = Path(client.root, f"Pulumi.{name}.yaml")
    content = yaml.safe_load(path.read_text())
    first, *rest = change.path.split(".")
    place, key = content["config"], f"{PROJECT}:{first}"
    for part in rest:
        place, key = place.setdefault(key, {}), part
    if change.path == "clientId" and change.value is None:
        place[key] = client.name
    elif change.value is None:
        place.pop(key, None)
    else:
        place[key] = change.value
    path.write_text(yaml.safe_dump(content))
