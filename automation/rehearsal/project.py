"""What `Pulumi.yaml` and the stack's file say: the project's name and the stack's configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.errors import OperatorError


@dataclass(frozen=True)
class Project:
    """A Pulumi project and one stack of it; `config` has full keys (`project:key`) and text values."""

    name: str
    config: Mapping[str, str]


def read_project(root: Path, stack: str) -> Project:
    """Read both files as Pulumi does: the stack's values over the project's defaults.

    Raises:
        OperatorError: `Pulumi.yaml` is missing, a file is not YAML, or a value is encrypted for Pulumi.
    """
    project = _read(root / "Pulumi.yaml")
    if not isinstance(project.get("name"), str):
        raise OperatorError("holds no project name", "Pulumi.yaml")
    name = project["name"]
    values: dict[str, Any] = {}
    for key, value in (project.get("config") or {}).items():
        declared = value if isinstance(value, Mapping) else {"value": value}
        default = declared.get("value", declared.get("default"))
        if default is not None:
            values[_full(name, key)] = default
    stack_file = root / f"Pulumi.{stack}.yaml"
    own = _read(stack_file).get("config") if stack_file.exists() else {}
    values |= {_full(name, key): value for key, value in (own or {}).items()}
    for key, value in values.items():
        if isinstance(value, Mapping) and "secure" in value:
            raise OperatorError(f"{key} is encrypted, which rehearsal does not read", stack_file.name)
    return Project(name, {key: _text(value) for key, value in values.items()})


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise OperatorError("no such file", path.name, "Run this in the repository's root.") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise OperatorError("cannot be read as YAML", path.name) from None
    if content is not None and not isinstance(content, Mapping):
        raise OperatorError("must hold a mapping", path.name)
    return content or {}


def _full(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
