"""The state of one stack: a JSON file whose secrets are encrypted, and the lock that one operation holds on it."""

import base64
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from automation.processes import is_alive
from common.errors import OperatorError
from components.urn import name_of
from local.rehearsal.values import SECRET_SIGNATURE, SIGNATURE, Properties, Secret, plain, transform
from local.rehearsal.vault import Vault

VERSION = 1


def stacks_in(folder: Path) -> list[str]:
    """Return the names of the stacks whose state holds at least one resource, sorted."""
    found = []
    for path in folder.glob("*.json"):
        try:
            if json.loads(path.read_text())["resources"]:
                found.append(path.stem)
        except (ValueError, KeyError, TypeError):
            found.append(path.stem)  # damaged, so nobody knows that it is empty
    return sorted(found)


@dataclass
class Resource:
    """One resource as the last operation left it; `delete` marks the old half of a replacement, still to be deleted,
    and `pending_replacement` one that is deleted already and whose new half is still to be made."""

    urn: str
    type: str
    custom: bool = False
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    replacement_trigger: Any = None
    protect: bool = False
    retain: bool = False
    deleted_with: str = ""
    delete: bool = False
    pending_replacement: bool = False

    @property
    def name(self) -> str:
        """The logical name."""
        return name_of(self.urn)

    def needs(self) -> set[str]:
        """The URNs that must exist as long as this resource does."""
        return {self.parent, self.deleted_with, *self.dependencies} - {""}


@dataclass
class Snapshot:
    """Everything in state, in the order of dependency, and the operations that were running when it was written."""

    resources: list[Resource] = field(default_factory=list)
    pending: dict[str, str] = field(default_factory=dict)

    def outputs(self) -> Properties:
        """The outputs of the stack."""
        return next((item.outputs for item in self.resources if item.type == "pulumi:pulumi:Stack"), {})


class StateFile:
    """Reads and writes one stack's state.

    Args:
        folder: where the state of all stacks lives.
        stack: the stack's name.
        environment: holds the passphrase of the secrets.
    """

    def __init__(self, folder: Path, stack: str, environment: Mapping[str, str]) -> None:
        self.path, self._stack, self._environment = folder / f"{stack}.json", stack, environment
        self._vault: Vault | None = None

    def load(self) -> Snapshot:
        """The last written state, empty when there is none.

        Raises:
            OperatorError: the file is damaged, of another version, or its secrets do not open.
        """
        try:
            content = json.loads(self.path.read_text())
            if content["version"] != VERSION:
                raise OperatorError(f"has version {content['version']}, not {VERSION}", str(self.path))
            self._vault = Vault(self._environment, base64.b64decode(content["salt"]))
            return Snapshot([Resource(**self._open(item)) for item in content["resources"]], dict(content["pending"]))
        except FileNotFoundError:
            self._vault = Vault(self._environment)
            return Snapshot()
        except OSError as error:
            raise OperatorError(f"cannot be read: {error.strerror}", str(self.path), "Make it readable.") from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise OperatorError("is damaged", str(self.path), "Restore it, or remove it to begin anew.") from None

    def save(self, snapshot: Snapshot) -> None:
        """Replace the file in one step: a crash leaves the old state or the new one.

        Raises:
            OperatorError: the file cannot be written; the old state is still there.
        """
        vault = self._vault or Vault(self._environment)
        resources = [_sealed(item, vault) for item in snapshot.resources]
        content = {
            "version": VERSION,
            "salt": base64.b64encode(vault.salt).decode(),
            "pending": snapshot.pending,
            "resources": resources,
        }
        try:
            self._replace(content)
        except OSError as error:
            remedy = "Make room for it, then run it again: what was made meanwhile is found again."
            raise OperatorError(f"cannot be written: {error.strerror}", str(self.path), remedy) from None

    def _replace(self, content: dict[str, Any]) -> None:
        beside = self.path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)

    def _open(self, item: Any) -> Any:
        """A resource or a value as the file has it, with its secrets opened."""
        if isinstance(item, list):
            return [self._open(part) for part in item]
        if not isinstance(item, dict):
            return item
        if item.get(SIGNATURE) == SECRET_SIGNATURE:
            assert self._vault is not None
            return Secret(self._vault.open(item["ciphertext"]))
        return {key: self._open(value) for key, value in item.items()}

    @contextmanager
    def lock(self) -> Iterator[int]:
        """Hold the stack for one operation; gives the descriptor that a provider process inherits.

        The lock ends with the last process that has it open. A killed engine's provider still finishes what it is
        writing: as long as it does, nobody else begins.

        Raises:
            OperatorError: another process holds it; names that process.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise self._held(os.read(descriptor, 32).decode()) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            yield descriptor
        finally:
            os.close(descriptor)

    def _held(self, holder: str) -> OperatorError:
        if holder.isdigit() and not is_alive(int(holder)):
            return OperatorError(
                f"process {holder} is dead, but its providers still finish what they were writing",
                self._stack,
                "The lock ends with them: run again in a moment.",
            )
        return OperatorError(f"process {holder} is at work on this stack", self._stack, "Wait until it has ended.")


def _sealed(resource: Resource, vault: Vault) -> dict[str, Any]:
    def seal(value: Any) -> dict[str, str]:
        return {SIGNATURE: SECRET_SIGNATURE, "ciphertext": vault.seal(plain(value))}

    written = {}
    for each in fields(Resource):
        value = getattr(resource, each.name)
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        if value != default:
            written[each.name] = transform(value, seal)
    return written
