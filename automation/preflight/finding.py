"""What one look at an account or a tool found."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx

State = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's.

    Attributes:
        name: what was looked at, such as `GitHub token`.
        says: what was found, without secrets.
        state: `failed` is what would stop an `up`; a `warning` would not, today.
        remedy: what the operator can do; empty when all is well.
    """

    name: str
    says: str
    state: State = "ok"
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding in JSON's types."""
        return asdict(self)


def unanswered(name: str, error: httpx.HTTPError) -> Finding:
    """A service that does not answer."""
    return Finding(name, f"does not answer ({type(error).__name__})", "failed", "Check the network and try again.")
