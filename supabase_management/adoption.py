"""Ours or not: a project that exists under the wanted name is taken only with proof."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from common.errors import OperatorError
from supabase_management.client import Client
from supabase_management.errors import ApiError
from supabase_management.models import OwnershipMark, ProjectRecord
from supabase_management.pooler import (
    PAUSE_AFTER_REFUSAL,
    Login,
    attempt_login,
    find_address,
    login,
    wait_for_database,
)
from supabase_management.waiting import Pending, project_on_its_way, wait_until

LOG = logging.getLogger(__name__)
MOST_LOGINS = 3
NOT_HELD = "The state does not hold it: temporary logins do until `rotate` sets a new one."


@dataclass(frozen=True)
class Wanted:
    """A project as the stack wants it.

    Attributes:
        timeout: seconds.
        warn: takes what whoever runs this should know about a password.
    """

    project_name: str
    organization: str
    region: str
    client_id: str
    db_password: str = field(repr=False)
    timeout: float
    paused: bool = False
    adopt: bool = False
    instance_size: str | None = None
    warn: Callable[[str], None] = field(default=LOG.warning, repr=False, compare=False)


def take(client: Client, found: ProjectRecord, wanted: Wanted) -> str:
    """Prove that the project is ours, or adopt it when told to, and give its ref. Nothing changes before the proof.

    Proof is our mark in the database, which outlives a lost state, or a login with our password. Only no mark and a
    password refused twice, ten seconds apart, mean that it is somebody else's. What is ours keeps its password, and so
    does what is adopted by a login with `SUPABASE_DB_PASSWORD`; any other adopted project gets a new one.

    Raises:
        OperatorError: it is in another region, it is not ours, or neither can be proved.
    """
    require_region(found, wanted.region)
    with suppress(OperatorError):  # a database that is still coming up; the login waits for it
        if marked(client, found, wanted.client_id):
            _tell_lost_password(client, found, wanted)
            return found.ref
    known = os.environ.get("SUPABASE_DB_PASSWORD") if wanted.adopt else None
    if _password_works(client, found.ref, wanted, known or wanted.db_password):
        if known:
            wanted.warn(f"{_named(found)}: taken over with its password, which stays as it is. {NOT_HELD}")
        return found.ref
    if known:
        what = "its database refuses the password that is given for taking it over"
        raise OperatorError(what, _named(found), "Correct SUPABASE_DB_PASSWORD, or unset it to have a new one set.")
    if not wanted.adopt:
        if marked(client, found, wanted.client_id):
            return found.ref
        raise foreign(found, wanted.client_id, "its database refuses our password and")
    wanted.warn(
        f"{_named(found)}: resetting the database password, because `adopt: true`; whoever uses the old one must change"
    )
    client.set_password(found.ref, wanted.db_password)
    wait_for_database(client, found.ref, wanted.db_password, timeout=wanted.timeout, changed=True)
    return found.ref


def require_region(found: ProjectRecord, region: str) -> None:
    """Refuse a project that is elsewhere than the settings say; it cannot move.

    Raises:
        OperatorError: naming both regions.
    """
    if found.region != region:
        raise OperatorError(
            f"exists in region {found.region}, not in {region}",
            _named(found),
            "Set `region` in Pulumi.<environment>.yaml to where it is, or choose another project name.",
        )


def marked(client: Client, found: ProjectRecord, client_id: str) -> bool:
    """Whether the project's database holds our mark of this client.

    Raises:
        OperatorError: it could not be asked, which says nothing.
    """
    try:
        return client.ownership_mark(found.ref) == OwnershipMark(client_id, found.name)
    except ApiError as error:
        raise OperatorError(
            f"cannot tell whether it is ours, its database could not be asked for our mark: {error.reason}",
            _named(found),
            "Run `up` again later.",
        ) from error


def foreign(found: ProjectRecord, client_id: str, evidence: str = "its database") -> OperatorError:
    """The refusal of a project that is somebody else's."""
    return OperatorError(
        f"exists already, and nothing proves that it is ours: {evidence} holds no mark of client '{client_id}'",
        _named(found),
        f"Choose another project name, or set `adopt: true` in Pulumi.{client_id}.yaml to take it over: its database"
        " password is reset, unless SUPABASE_DB_PASSWORD holds it.",
    )


def _tell_lost_password(client: Client, found: ProjectRecord, wanted: Wanted) -> None:
    address = find_address(client, found.ref)
    if address and login(address, wanted.db_password) is Login.REFUSED:
        wanted.warn(f"{_named(found)}: found again by our mark. Its database password stays as it is. {NOT_HELD}")


def _named(found: ProjectRecord) -> str:
    return f"project '{found.name}' ({found.ref})"


def _password_works(client: Client, ref: str, wanted: Wanted, password: str) -> bool:
    outcomes: list[Login] = []

    def probe() -> bool | Pending:
        record = project_on_its_way(client, ref)
        address = find_address(client, ref) if record.status.startswith("ACTIVE") else None
        if address is None:
            return Pending(f"{record.status}, no login possible yet")
        attempt = attempt_login(address, password)
        attempt.require_hope(ref)
        outcome, state = attempt.outcome, f"{record.status}, {attempt.state}"
        if outcome is Login.NO_ANSWER:
            return Pending(state)  # nobody was asked, so it counts for nothing
        outcomes.append(outcome)
        if outcome is Login.ACCEPTED or outcomes.count(Login.REFUSED) == 2:
            return outcome is Login.ACCEPTED
        if len(outcomes) == MOST_LOGINS:
            remedy = attempt.remedy or "Run `up` again later."
            raise OperatorError(f"cannot tell whether it is ours: {state}", f"project {ref}", remedy)
        return Pending(state, PAUSE_AFTER_REFUSAL)

    return wait_until(probe, what=f"proof that project {ref} is ours", timeout=wanted.timeout)
