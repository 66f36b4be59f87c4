"""Rows of a customer database for the tests of sending, history and personal data."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from tests.schema.conftest import Connection


@dataclass(frozen=True)
class Crm:
    """One organization's rows, written through a connection by whatever role it has at the moment."""

    connection: Connection
    organization: str

    @classmethod
    def new(cls, connection: Connection, **values: Any) -> "Crm":
        """An organization of its own, with these columns."""
        row = {"name": "One", "slug": f"one-{uuid4()}", **values}
        return cls(connection, insert(connection, "organizations", row))

    def add(self, table: str, **values: Any) -> str:
        """Insert a row and return its id."""
        return insert(self.connection, table, {"organization_id": self.organization, **values})

    def contact(self, email: str | None = None, **values: Any) -> str:
        """A contact who consents, unless the values say otherwise."""
        consent = {"marketing_consent": True, "consent_at": "2020-01-01"}
        return self.add("contacts", email=email, **{**consent, **values})

    def campaign(self) -> str:
        return self.add("email_campaigns", name="News", subject="News", from_name="One", from_email="one@one.test")

    def send(self, email: str, **values: Any) -> str:
        """A mail that waits to be sent."""
        return self.add("email_sends", email=email, subject="Hello", **values)

    def values(self, query: str, *parameters: Any) -> list[Any]:
        """The first column of a query in which %s stands for the organization first."""
        rows = self.connection.execute(query.encode(), (self.organization, *parameters))
        return [row[0] for row in rows]

    def export(self, contact: str) -> dict[str, Any]:
        return self._call("export_contact", contact)

    def erase(self, contact: str) -> dict[str, Any]:
        return self._call("erase_contact", contact)

    def _call(self, function: str, contact: str) -> dict[str, Any]:
        row = self.connection.execute(f"select private.{function}(%s)".encode(), (contact,)).fetchone()
        assert row is not None
        found: dict[str, Any] = row[0]
        return found


def insert(connection: Connection, table: str, row: dict[str, Any]) -> str:
    columns, marks = ", ".join(row), ", ".join("%s" for _ in row)
    made = connection.execute(
        f"insert into public.{table} ({columns}) values ({marks}) returning id::text".encode(), list(row.values())
    ).fetchone()
    assert made is not None
    return str(made[0])


def act_as(connection: Connection, role: str, account: str | None = None) -> None:
    """Take a role of the API, with the token of an account."""
    connection.execute("reset role")
    claims = f'{{"role": "{role}"' + (f', "sub": "{account}"' if account else "") + "}"
    connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
    connection.execute(f"set local role {role}".encode())
