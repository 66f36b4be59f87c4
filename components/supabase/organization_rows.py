"""The client's organization and its owner, as rows of the client's database. Knows no Pulumi.

Rows are found before they are written: the organization by its id or slug, the owner by account or address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from common.errors import OperatorError

ORGANIZATION = (
    "select id::text from public.organizations where id = %(id)s or slug = %(slug)s order by id = %(id)s desc"
)
ACCOUNT = (
    "select id::text, email_confirmed_at is not null as confirmed from auth.users"
    " where email = %(email)s and not is_sso_user"
)
ELSEWHERE = (
    "select o.name from public.users u join public.organizations o on o.id = u.organization_id"
    " where u.auth_user_id::text = %(account)s and u.organization_id::text is distinct from %(organization)s"
)
MOVED = (
    "select a.email from public.users u join auth.users a on a.id = u.auth_user_id"
    " where u.organization_id::text = %(organization)s and u.email = %(email)s"
    " and a.id::text is distinct from %(account)s"
)
CHANGE = (
    "update public.organizations set name = %(name)s, slug = %(slug)s, plan = %(plan)s, billing_email = %(contact)s"
    " where id = %(organization)s"
)
ADD = (
    "insert into public.organizations (id, name, slug, plan, billing_email)"
    " values (%(id)s, %(name)s, %(slug)s, %(plan)s, %(contact)s)"
)
KNOWN = (
    "update public.users set email = %(email)s, role = %(role)s, status = %(status)s where auth_user_id = %(account)s"
)
JOIN = (
    "insert into public.users as u (organization_id, auth_user_id, email, full_name, role, status)"
    " values (%(organization)s, %(account)s, %(email)s, %(full_name)s, %(role)s, %(status)s)"
    " on conflict (organization_id, email) do update"
    " set auth_user_id = excluded.auth_user_id, role = excluded.role, status = excluded.status"
)
LIVE = (
    "select o.slug, o.name, o.plan, coalesce(o.billing_email, '') as contact, u.role, u.status, u.email,"
    " a.email as signs_in_as from public.organizations o"
    " left join public.users u on u.organization_id = o.id and (u.email = %(email)s"
    " or u.auth_user_id = (select id from auth.users where email = %(email)s and not is_sso_user))"
    " left join auth.users a on a.id = u.auth_user_id where o.id::text = %(id)s order by a.email is null limit 1"
)


@dataclass(frozen=True)
class Found:
    """What there is already; None for what there is not.

    Attributes:
        organization, account: ids.
        confirmed: whether somebody has signed in to the account, or followed its invitation.
    """

    organization: str | None
    account: str | None
    confirmed: bool


def look(connection: psycopg.Connection[Any], wanted: Mapping[str, Any]) -> Found:
    """Look for the organization and the owner's account.

    Args:
        wanted: id, slug and email.

    Raises:
        OperatorError: the account belongs to another organization, or the owner's row to another account.
    """
    organization = connection.execute(ORGANIZATION, wanted).fetchone()
    account = connection.execute(ACCOUNT, wanted).fetchone()
    found = Found(organization and organization[0], account and account[0], bool(account and account[1]))
    keys = {**wanted, "organization": found.organization, "account": found.account}
    email = wanted["email"]
    if row := connection.execute(ELSEWHERE, keys).fetchone():
        raise OperatorError(f"the account of {email} belongs to organization '{row[0]}'", "owner", "Change orgEmail.")
    if row := connection.execute(MOVED, keys).fetchone():
        remedy = f"Set orgEmail to {row[0]}, or change that account back."
        raise OperatorError(f"the account of the member {email} signs in as {row[0]} now", "owner", remedy)
    return found


def write(connection: psycopg.Connection[Any], wanted: Mapping[str, Any], found: Found, account: str) -> str:
    """Write both rows, in one transaction with whatever the connection holds; the organization's id.

    A member who was the owner before stays a member with that role: whom to remove is for people to say. The name of
    a new one is taken from the address until they change it.
    """
    organization = found.organization or wanted["id"]
    values = {**wanted, "organization": organization, "account": account}
    values["full_name"] = wanted["email"].partition("@")[0][:200]
    connection.execute(CHANGE if found.organization else ADD, values)
    if not connection.execute(KNOWN, values).rowcount:
        connection.execute(JOIN, values)
    return str(organization)


def live(connection: psycopg.Connection[Any], organization: str, email: str) -> dict[str, Any] | None:
    """What the rows hold, under the names of the inputs; None when there is no organization.

    An owner who cannot sign in, for want of a row or of an account, has the email "". Nothing is told of tables or
    columns that are not there: that is a change of the schema.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        try:
            row = cursor.execute(LIVE, {"id": organization, "email": email}).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            return {}
    if row is None:
        return None
    signs_in_as = row.pop("signs_in_as")
    row["email"] = "" if not signs_in_as else signs_in_as if row["email"] == email else row["email"]
    return {name: value for name, value in row.items() if value is not None}
