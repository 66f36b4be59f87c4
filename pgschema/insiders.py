"""The facts of our own schema that no catalog holds, from `sql/checks/insiders.yaml`."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import OperatorError
from pgschema.migrations import SQL

FILE = SQL / "checks" / "insiders.yaml"
SHOWN = "sql/checks/insiders.yaml"
REQUIRED = ("tenant", "members", "own", "sealed", "helpers", "refused")


@dataclass(frozen=True)
class Refused:
    """A statement that a member role, or a database role, must not get through in its own organization."""

    table: str
    member: str
    verb: str
    template: str


@dataclass(frozen=True)
class Insiders:
    """Which table is the tenant, who its members are, and what they may not do.

    Attributes:
        tenant: `table`, `key` and the columns of a `closed` organization.
        members: `table`, its `tenant` and `account` columns, and the columns that make an account a member.
        own: table -> member role -> rows of its own organization that an UPDATE reaches.
        sealed: schema -> database roles that may not look into it.
        helpers: functions of sealed schemas that signed-in accounts may execute.
        refused: statements that must be refused.
    """

    tenant: Mapping[str, Any]
    members: Mapping[str, Any]
    own: Mapping[str, Mapping[str, int]]
    sealed: Mapping[str, tuple[str, ...]]
    helpers: frozenset[str]
    refused: tuple[Refused, ...]

    @property
    def tables(self) -> set[str]:
        """Every table that the file names."""
        return {self.tenant["table"], self.members["table"], *self.own, *(each.table for each in self.refused)}

    def member_columns(self, account: str) -> dict[str, str]:
        """The columns that make somebody an active owner, admin or member, or a disabled member."""
        disabled = account == "disabled"
        role = self.members["roles"]["member" if disabled else account]
        return {**role, **self.members["disabled" if disabled else "active"]}


@functools.cache
def read_insiders(path: Path = FILE) -> Insiders:
    """Read and check the file.

    Raises:
        OperatorError: it cannot be read, or a part is missing.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        missing = [name for name in REQUIRED if name not in content]
        if missing:
            raise OperatorError(f"lacks {', '.join(missing)}", SHOWN, "See the file in version control.")
        return Insiders(
            content["tenant"],
            content["members"],
            content["own"],
            {each["schema"]: tuple(each["roles"]) for each in content["sealed"]},
            frozenset(content["helpers"]),
            tuple(_refused(content["refused"])),
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", SHOWN, "Correct the file.") from None


def _refused(groups: list[dict[str, Any]]) -> Iterator[Refused]:
    for group in groups:
        for member in group["as"]:
            for verb, template in group["statements"].items():
                yield Refused(group["table"], member, verb, template)
