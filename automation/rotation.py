"""Rotation of a client's secrets: the next generation goes into the client's file first, then `up` carries it out.

A rotation that broke off is finished by the next one, or by any `up`: the file already says what is wanted.
"""

import os
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from automation.engine import Engine
from components.errors import OperatorError
from components.settings import PROJECT, ClientSettings


class Secret(StrEnum):
    """What can be rotated."""

    KEY = "key"
    PASSWORD = "password"  # noqa: S105


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
        OperatorError: the client has no such secret yet, or its file cannot be edited.
    """
    written = []
    for key, name, generation, secret in (
        ("keyGeneration", "secret-key", settings.key_generation, Secret.KEY),
        ("rotatePassword", "db-password", settings.password_generation, Secret.PASSWORD),
    ):
        held = _generations(engine, name)
        if not held:
            raise OperatorError(f"has no {name} yet", settings.client_id, "Run up first.")
        if secret in secrets and held == {generation}:
            _write(root / f"Pulumi.{settings.client_id}.yaml", key, generation + 1)
            written.append(f"{key}: {generation + 1}")
    return written


def _generations(engine: Engine, name: str) -> set[int]:
    """The generations in state; two while the older one waits to be deleted."""
    outputs = [r["outputs"] for r in engine.resources() if r["urn"].endswith(f"::{name}")]
    return {int(float((out.get("keepers") or out)["generation"])) for out in outputs}


def _write(path: Path, key: str, generation: int) -> None:
    text = path.read_text(encoding="utf-8")
    line = f"{PROJECT}:{key}: {generation}"
    changed, found = re.subn(rf"(?m)^(\s+){PROJECT}:{key}:[ ]*\d+[ ]*$", rf"\g<1>{line}", text)
    if not found:
        changed, found = re.subn(rf"(?m)^((\s+){PROJECT}:clientId:.*\n)", rf"\g<1>\g<2>{line}\n", text)
    if found != 1:
        raise OperatorError(f"{key} cannot be written", path.name, f"Set {PROJECT}:{key} to {generation} by hand.")
    new = path.with_suffix(".new")
    new.write_text(changed, encoding="utf-8")
    os.replace(new, path)
