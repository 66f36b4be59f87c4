"""What we read of the Management API's answers. Unknown fields and unknown enum values are survived on purpose."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

T = TypeVar("T")

PENDING = frozenset(
    {"UNKNOWN", "COMING_UP", "RESTORING", "UPGRADING", "RESTARTING", "RESIZING", "PAUSING", "ACTIVE_UNHEALTHY"}
)
TERMINAL = frozenset({"INACTIVE", "GOING_DOWN", "REMOVED", "INIT_FAILED", "PAUSE_FAILED", "RESTORE_FAILED"})
GONE = frozenset({"GOING_DOWN", "REMOVED"})
PAUSED = frozenset({"INACTIVE", "PAUSING"})


class MalformedError(ValueError):
    """An answer lacks a field that we cannot do without."""


def parse(kind: type[T], value: Any) -> T:
    """Make a dataclass of a JSON object: known fields only, null taken as absent.

    Raises:
        MalformedError: not an object, or a required field is missing or null.
    """
    if not isinstance(value, Mapping):
        raise MalformedError(f"expected an object with the fields of {kind.__name__}, got {type(value).__name__}")
    given = {}
    for each in fields(kind):  # type: ignore[arg-type]
        if value.get(each.name) is not None:
            given[each.name] = value[each.name]
        elif each.default is MISSING:
            raise MalformedError(f"the answer lacks '{each.name}' ({kind.__name__})")
    return kind(**given)


@dataclass(frozen=True)
class ProfileRecord:
    """A person with an account."""

    username: str


@dataclass(frozen=True)
class OrganizationRecord:
    """An organization; the plan belongs to it, not to a project."""

    slug: str = ""  # in lists only
    plan: str = "unknown"


@dataclass(frozen=True)
class EntitlementRecord:
    """One thing that a plan allows or not; `choices` are empty where it is no choice between values."""

    key: str
    allowed: bool
    choices: tuple[str, ...] = ()


def entitlement(value: Any) -> EntitlementRecord:
    """Read one entitlement of the API's list."""
    config = value["config"] if isinstance(value["config"], Mapping) else {}
    choices = tuple(str(each) for each in config.get("set") or ())
    return EntitlementRecord(str(value["feature"]["key"]), value["hasAccess"] is True, choices)


@dataclass(frozen=True)
class ProjectRecord:
    """A project, from a list or on its own.

    Attributes:
        status: one of `PENDING` or `TERMINAL`, `ACTIVE_HEALTHY`, or a value of later days.
        database_host: `db.<ref>.<domain>`, empty in lists.
    """

    ref: str
    name: str
    region: str
    status: str = "UNKNOWN"
    organization_slug: str = ""
    is_branch: bool = False
    database_host: str = ""


@dataclass(frozen=True)
class RegionRecord:
    """A region an organization may use; `status` is set when something is wrong with it (capacity, other)."""

    code: str
    status: str = ""


@dataclass(frozen=True)
class KeyRecord:
    """An API key; `api_key` is masked unless the request asked to reveal it."""

    name: str
    api_key: str = ""
    id: str = ""
    type: str = "legacy"


@dataclass(frozen=True)
class PoolerRecord:
    """Where the pooler of a project listens. The API names the transaction port only."""

    db_host: str
    db_port: int
    db_user: str
    db_name: str
    database_type: str = "PRIMARY"


@dataclass(frozen=True)
class TemporaryLogin:
    """A login that the service makes for some minutes; it inherits nothing, but may become `postgres`."""

    role: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class HealthRecord:
    """One service of a project."""

    name: str
    status: str = "UNHEALTHY"


@dataclass(frozen=True)
class OwnershipMark:
    """The row by which a database tells whose it is."""

    client_id: str
    project_name: str
