"""Rotation of a client's secrets: the next generation goes into the client's file first, then `up` carries it out.

A rotation that broke off is finished by the next one, or by any `up`: the file already says what is wanted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from pathlib import Path

from automation.engine import Engine
from automation.settings_editor import set_setting as _write
from common.errors import OperatorError
from components.settings import ClientSettings
from components.urn import name_of


class Secret(StrEnum):
    """What can be rotated."""

    KEY = "key"
    PASSWORD = "password"  # noqa: S105


@dataclass(frozen=True)
class _Place:
    """Where the generation of a secret stands: the setting that says it, and the resource whose state holds it."""

    key: str
    resource: str
    generation: Callable[[ClientSettings], int]


PLACES = {
    Secret.KEY: _Place("keyGeneration", "secret-key", attrgetter("key_generation")),
    Secret.PASSWORD: _Place("rotatePassword", "db-password", attrgetter("password_generation")),
}


def begin_rotation(settings: ClientSettings, root: Path, engine: Engine, secrets: Sequence[Secret]) -> list[str]:
    """Write the next generation of secrets into the client's file, but for those still on their way.

    Args:
        settings: the client's settings.
        root: the folder that holds the client's file.
        engine: the client's stack.
        secrets: which of them.

    Returns:
        What was written, such as `keyGeneration: 2`; empty when an earlier rotation is to be finished.

    Raises:
        OperatorError: the client is paused, has no such secret yet, or its file cannot be edited.
    """
    if settings.paused:
        remedy = "Nothing was changed. Take out `paused: true` and run up first."
        raise OperatorError("is paused, and its secrets cannot be renewed", settings.client_id, remedy)
    written = []
    for secret, place in PLACES.items():
        held = _generations(engine, place.resource)
        if not held:
            raise OperatorError(f"has no {place.resource} yet", settings.client_id, "Run up first.")
        generation = place.generation(settings)
        if secret in secrets and held == {generation}:
            _write(root / f"Pulumi.{settings.client_id}.yaml", place.key, generation + 1)
            written.append(f"{place.key}: {generation + 1}")
    return written


def unfinished_rotation(settings: ClientSettings, engine: Engine, secrets: Sequence[Secret]) -> str | None:
    """Compare the state after a rotation with the client's settings.

    Returns:
        One line when the state does not hold exactly the wanted generation of each secret; None when it does.
    """
    for secret in secrets:
        place = PLACES[secret]
        held, wanted = _generations(engine, place.resource), place.generation(settings)
        if held != {wanted}:
            found = " and ".join(map(str, sorted(held))) or "none"
            told = f"not rotated: the settings say {place.key}: {wanted}, the state holds generation {found}"
            return f"{place.resource}: {told}. Run rotate again; if it stays so, look at the client's preview."
    return None


def _generations(engine: Engine, name: str) -> set[int]:
    """The generations in state; two while the older one waits to be deleted."""
    outputs = [r["outputs"] for r in engine.resources() if name_of(r["urn"]) == name]
    return {int(float((out.get("keepers") or out)["generation"])) for out in outputs}
