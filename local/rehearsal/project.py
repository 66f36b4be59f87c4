"""What `Pulumi.yaml` and the stack's file say: the project's name and the stack's configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import OperatorError
from components.settings_file import read_settings_file


@dataclass(frozen=True)
class Project:
    """A Pulumi project and one stack of it; `config` has full keys (`project:key`) and text values."""

    name: str
    config: Mapping[str, str]


def read_project(root: Path, stack: str) -> Project:
    """Read both files as Pulumi does: the stack's values over the project's defaults.

    Raises:
        OperatorError: `Pulumi.yaml` is missing, a file is not YAML, or a value is encrypted for Pulumi.

    Scalars inside lists and mappings stay texts; Pulumi's own engine keeps the type of those.
    """
    project = read_settings_file(root / "Pulumi.yaml", "Run this in the repository's root.")
    if not isinstance(project.get("name"), str):
        raise OperatorError("holds no project name", "Pulumi.yaml")
    name = project["name"]
    values: dict[str, Any] = {}
    for key, value in _config(project, "Pulumi.yaml").items():
        declared = value if isinstance(value, Mapping) else {"value": value}
        default = declared.get("value", declared.get("default"))
        if default is not None:
            values[_full(name, key)] = default
    stack_file = root / f"Pulumi.{stack}.yaml"
    own = _config(read_settings_file(stack_file), stack_file.name) if stack_file.exists() else {}
    values |= {_full(name, key): value for key, value in own.items()}
    for key, value in values.items():
        if isinstance(value, Mapping) and "secure" in value:
            raise OperatorError(f"{key} is encrypted, which rehearsal does not read", stack_file.name)
    return Project(name, {key: _text(value) for key, value in values.items()})


def _config(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    config = content.get("config") or {}
    if not isinstance(config, Mapping):
        raise OperatorError("config must be a mapping", name)
    return config


def _full(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
