"""Bringing the owner in: first an account, by invitation, then the rows that make it the owner. Knows no Pulumi.

Interrupted anywhere, it goes on from what it finds: an account that exists is not invited by mail a second time unless
that is asked for, and a row that exists is changed.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from common.errors import OperatorError
from components.supabase import organization_rows
from supabase_management.auth_admin import Accounts
from supabase_management.client import Client
from supabase_management.models import PAUSED
from supabase_management.pooler import (
    Attempt,
    DatabaseAddress,
    Login,
    attempt_login,
    find_address,
    open_session,
    wait_for_database,
)

REFUSED = ""  # stands for a password that the database no longer takes


def enrol(
    wanted: Mapping[str, Any], organization: str, before_write: Callable[[], None], *, again: bool
) -> tuple[str, str]:
    """Make the owner one who can sign in.

    Args:
        wanted: the inputs of the resource.
        organization: the organization's id; a new one when it is not known.
        before_write: called before anything is changed; raises to prevent it.
        again: invite also an account that exists, unless somebody has come in by it.

    Returns:
        the organization's id, and a link that lets the owner in once; "" when none was made.

    Raises:
        OperatorError: no database, or a row or the mailer stands in the way; then nobody was invited.
    """
    wanted, ref = {**wanted, "id": organization}, wanted["project_ref"]
    with Client.from_environment(before_write) as client:
        address = wait_for_database(client, ref, wanted["db_password"], timeout=float(wanted["timeout"]))
        with _session(address, wanted) as connection:
            found = organization_rows.look(connection, wanted)
        account, link = found.account, ""
        if account is None or (again and not found.confirmed):
            with Accounts(client, ref, before_write) as accounts:
                if wanted["by_mail"]:
                    account = accounts.invite(wanted["email"])
                else:
                    account, link = accounts.invitation_link(wanted["email"])
    before_write()
    with _session(address, wanted) as connection:
        return organization_rows.write(connection, wanted, found, account), link


def read_owner(organization: str, recorded: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the database holds now, where it may differ from what was recorded.

    Returns:
        nothing for a paused project, an empty password for one whose login is refused, None for a project or an
        organization that is gone.

    Raises:
        OperatorError: the database does not answer, which says nothing about what it holds.
    """
    ref, password = recorded["project_ref"], recorded["db_password"]
    with Client.from_environment() as client:
        project = client.existing_project(ref)
        if project is None:
            return None
        if project.status in PAUSED:
            return {}
        address = find_address(client, ref)
    attempt = attempt_login(address, password) if address else Attempt(Login.NOT_YET)
    if attempt.outcome is Login.REFUSED:
        return {"db_password": REFUSED}
    if address is None or attempt.outcome is not Login.ACCEPTED:
        raise OperatorError(attempt.state, f"project {ref}", attempt.remedy or "Run again in a minute.")
    with _session(address, recorded) as connection:
        return organization_rows.live(connection, organization, recorded["email"])


@contextmanager
def _session(address: DatabaseAddress, wanted: Mapping[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    """One transaction; what the database refuses is told in one line."""
    try:
        with open_session(address, wanted["db_password"]) as connection:
            yield connection
    except psycopg.Error as error:
        told = " ".join(str(error).split("\n")[0].split()) or type(error).__name__
        remedy = "Run `up` again; a missing table is the schema's to make."
        raise OperatorError(f"the database refused: {told}", f"project {wanted['project_ref']}", remedy) from error
