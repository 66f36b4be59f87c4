"""Read the rights in a definition of the catalog: `anon: SELECT, UPDATE (a, b) with grant option; etl: OWNER`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

QUOTED = r'"(?:[^"]|"")*"'
NAME = rf"(?:{QUOTED}|[\w$]+)"
GRANTEE = re.compile(rf"(?:^|; )(?P<role>{NAME}): (?P<rights>[A-Z](?:{QUOTED}|[^;\"])*)")
RIGHT = re.compile(
    rf"(?P<privilege>[A-Z]+)(?: \((?P<columns>{NAME}(?:, {NAME})*)\))?"
    r"(?P<option> with grant option)?(?:, |$)"
)
MARK = "rights: "
OWNER, PUBLIC = "OWNER", "PUBLIC"
# The role that deploys; the catalog calls it so whatever its name is.
DEPLOYER = "postgres"


@dataclass(frozen=True)
class Right:
    """One privilege of one role.

    Attributes:
        role: quoted as SQL needs it, or PUBLIC.
        privilege: upper case, as GRANT takes it.
        columns: quoted and separated by commas; empty for the whole object.
        grantable: whether the role may pass it on.
    """

    role: str
    privilege: str
    columns: str = ""
    grantable: bool = False

    @property
    def what(self) -> str:
        """The privilege with its columns, as GRANT and REVOKE take it."""
        return f"{self.privilege} ({self.columns})" if self.columns else self.privilege

    def __str__(self) -> str:
        return self.what + (" with grant option" if self.grantable else "")

    def grant(self, target: str) -> str:
        """The statement that gives it on a target such as `table public.contacts`."""
        option = " with grant option" if self.grantable else ""
        return f"grant {self.what} on {target} to {self.role}{option}"


def owner(definition: str) -> str:
    """Return the owner that a definition names, quoted; only `postgres` goes without saying."""
    return next((each.role for each in entries(definition) if each.privilege == OWNER), DEPLOYER)


def rights(definition: str) -> tuple[Right, ...]:
    """Return the rights that a definition names, in its order."""
    return tuple(each for each in entries(definition) if each.privilege != OWNER)


def entries(definition: str) -> Iterator[Right]:
    """Yield the rights that a definition names, and ownership as the privilege OWNER."""
    # A function's body before the rights may hold any text.
    for grantee in GRANTEE.finditer(definition.rpartition(MARK)[2]):
        for found in RIGHT.finditer(grantee["rights"]):
            columns, option = found["columns"] or "", bool(found["option"])
            yield Right(grantee["role"], found["privilege"], columns, option)
