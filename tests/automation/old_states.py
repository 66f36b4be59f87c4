"""States that older programs wrote, from before a client's resources stood under steps.

`states/<commit>-<engine>.json` was written by that commit's program on this machine, against the
emulators, and redacted: secrets are made-up texts, equal where they were equal. A further one:

    python -m tests.automation.old_states < exported.json > tests/automation/states/<commit>-<engine>.json

where `exported.json` is `pulumi stack export --show-secrets`, or rehearsal's state with its
secrets in the same form.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pulumi.automation import Deployment

from automation.local import LOCAL_PASSPHRASE
from automation.pulumi_engine import PulumiEngine
from automation.workspace import open_engine
from components.urn import is_component, parse
from local.rehearsal.state import Resource, Snapshot, StateFile
from local.rehearsal.values import Secret
from local.rehearsal.vault import PASSPHRASE
from tests.automation.local_client import Client

STATES = Path(__file__).with_name("states")
COMMITS = ("510c064", "0588aec")
SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
# Of no use to an engine, long, or about the machine that wrote it.
LEFT_OUT = {"created", "modified", "sourcePosition", "stackTrace", "secrets_providers", "manifest", "metadata"}
SHORTENED = {"content", "catalog"}
SHOWN = {"__provider", "__meta", "__pulumi_raw_state_delta"}
ADDRESSES = {r"127\.0\.0\.1:\d+": "127.0.0.1:1", r"sb_publishable_[\w-]+": "sb_publishable_redacted"}


def resources_of(state: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the resources of either engine's state."""
    found: list[dict[str, Any]] = state.get("deployment", state)["resources"]
    return found


def old_urns(commit: str, client: Client) -> dict[tuple[str, ...], str]:
    """Return the URN that an older program gave each of a client's resources, by identity."""
    resources = resources_of(json.loads(text_of(commit, client)))
    return {parse(each["urn"]).identity: each["urn"] for each in resources}


def text_of(commit: str, client: Client) -> str:
    """Return a committed state as that of a client; it was written for `acme`."""
    engine = open_engine(client.name, local=True, root=client.root).name.partition(" ")[0]
    return (STATES / f"{commit}-{engine}.json").read_text().replace("acme", client.name)


@dataclass
class Held:
    """The state that a client's engine keeps, to be read and replaced."""

    client: Client

    def read(self) -> dict[str, Any]:
        """Return it as the engine writes it, secrets encrypted."""
        engine = self._engine()
        if not isinstance(engine, PulumiEngine):
            content: dict[str, Any] = json.loads(self._file().path.read_text())
            return content
        exported = engine._find().export_stack()  # type: ignore[union-attr]
        return {"version": exported.version, "deployment": exported.deployment}

    def write(self, state: dict[str, Any]) -> None:
        """Replace it by one whose secrets this client's passphrase opens, or are in plain text."""
        engine = self._engine()
        if isinstance(engine, PulumiEngine):
            now = self.read()["deployment"]
            envelope = {name: now[name] for name in ("manifest", "secrets_providers")}
            deployment = Deployment(state["version"], {**state["deployment"], **envelope})
            engine._find().import_stack(deployment)  # type: ignore[union-attr]
        elif "salt" in state:
            self._file().path.write_text(json.dumps(state))
        else:
            opened = [Resource(**_secrets(each)) for each in state["resources"]]
            self._file().save(Snapshot(opened))

    def put_back(self, commit: str) -> None:
        """Give what the client has the URNs that an older program gave it, without the steps between."""
        state, old = self.read(), old_urns(commit, self.client)
        (top,) = (urn for (_, kind, name), urn in old.items() if is_component(kind))
        text = json.dumps(state)
        for each in resources_of(state):
            urn = parse(each["urn"])
            if not each["type"].startswith("pulumi:"):
                text = text.replace(f'"{urn}"', f'"{top if is_component(urn.type) else old[urn.identity]}"')
        state = json.loads(text)
        seen = set[str]()
        held = [each for each in resources_of(state) if not (each["urn"] in seen or seen.add(each["urn"]))]
        state.get("deployment", state)["resources"] = held
        self.write(state)

    def _engine(self) -> Any:
        return open_engine(self.client.name, local=True, root=self.client.root)

    def _file(self) -> StateFile:
        file = StateFile(self.client.root / ".local/rehearsal", self.client.name, {PASSPHRASE: LOCAL_PASSPHRASE})
        file.load()
        return file


def _secrets(value: Any) -> Any:
    if isinstance(value, list):
        return [_secrets(each) for each in value]
    if not isinstance(value, dict):
        return value
    if SIGNATURE in value:
        return Secret(value["plaintext"])
    return {key: _secrets(each) for key, each in value.items()}


def redact(state: dict[str, Any]) -> dict[str, Any]:
    """Return an exported state without secrets, addresses of this machine, and long texts."""
    encoded = "deployment" in state
    names: dict[str, str] = {}
    for secret in _plaintexts(resources_of(state)):
        for text in _texts(json.loads(secret) if encoded else secret):
            names.setdefault(text, f"redacted{len(names) + 1:024d}")
    return {"version": state["version"], **_kept({k: v for k, v in state.items() if k != "version"}, names, encoded)}


def _plaintexts(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and SIGNATURE in value:
        yield value["plaintext"]
    elif isinstance(value, dict):
        for key, each in value.items():
            if key not in SHOWN:
                yield from _plaintexts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _plaintexts(each)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _kept(value: Any, names: dict[str, str], encoded: bool) -> Any:
    if isinstance(value, list):
        return [_kept(each, names, encoded) for each in value]
    if isinstance(value, str):
        return _renamed(value, names)
    if not isinstance(value, dict):
        return value
    if SIGNATURE in value and encoded:
        plain = _kept(json.loads(value["plaintext"]), names, encoded)
        return {SIGNATURE: SECRET, "plaintext": json.dumps(plain)}
    kept = {}
    for key, each in value.items():
        if key in SHOWN:
            kept[key] = each
        elif key in SHORTENED and each:
            kept[key] = "redacted" if isinstance(each, str) else dict([*each.items()][:3])
        elif key not in LEFT_OUT:
            kept[key] = _kept(each, names, encoded)
    return kept


def _renamed(text: str, names: dict[str, str]) -> str:
    for secret in sorted(names, key=len, reverse=True):
        if len(secret) > 7 or text == secret:
            text = text.replace(secret, names[secret])
    for pattern, instead in ADDRESSES.items():
        text = re.sub(pattern, instead, text)
    return text


if __name__ == "__main__":
    json.dump(redact(json.load(sys.stdin)), sys.stdout, indent=1)
    sys.stdout.write("\n")
