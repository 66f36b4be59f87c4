"""Addresses as they are compared, an organization's own currency, and time zones that exist."""

import psycopg
import pytest

from tests.schema.conftest import Connection
from tests.schema.crm import Crm


@pytest.fixture
def crm(schema: Connection) -> Crm:
    return Crm.new(schema, currency="EUR")


@pytest.mark.parametrize("given", ["Ann@Ex.com", " ann@ex.com\t", "\u00a0ANN@EX.COM\n"])
def test_addresses_are_normalised_and_not_refused(crm: Crm, given: str) -> None:
    crm.add("contacts", email=given)
    crm.add("users", email=given, full_name="Ann")
    crm.add("email_unsubscribes", email=given)
    crm.add("email_sends", email=given, subject="Hello", status="bounced")
    crm.add("email_campaigns", name="N", subject="S", from_name="F", from_email=given, reply_to=given)
    for table in ("contacts", "users", "email_unsubscribes", "email_sends"):
        crm.connection.execute(f"update public.{table} set email = upper(email)".encode())
        assert crm.values(f"select email from public.{table} where organization_id = %s") == ["ann@ex.com"]
    senders = "select array[from_email, reply_to] from public.email_campaigns where organization_id = %s"
    assert crm.values(senders) == [["ann@ex.com"] * 2]


def test_one_address_written_in_two_ways_is_one_contact(crm: Crm) -> None:
    crm.contact("ann@ex.com")
    with pytest.raises(psycopg.errors.UniqueViolation):
        crm.contact(" ANN@ex.com ")


def test_blanks_are_no_address_and_what_is_none_is_refused(crm: Crm) -> None:
    crm.contact("  ")
    assert crm.values("select email from public.contacts where organization_id = %s") == [None]
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.contact("ann")


def test_a_deal_without_a_currency_has_its_organization_s(crm: Crm) -> None:
    crm.add("deals", title="One")
    crm.add("deals", title="Two", currency=None)
    crm.add("deals", title="Three", currency="USD")
    crm.add("subscription_history", event="started")
    assert crm.values("select currency from public.deals where organization_id = %s order by title") == [
        "EUR", "USD", "EUR"
    ]  # fmt: skip
    assert crm.values("select currency from public.subscription_history where organization_id = %s") == ["EUR"]
    with pytest.raises(psycopg.errors.CheckViolation):
        crm.add("deals", title="Four", currency="euro")


@pytest.mark.parametrize("table", ["organizations", "users"])
def test_a_time_zone_exists(crm: Crm, table: str) -> None:
    if table == "users":
        crm.add("users", email="a@x.test", full_name="Ann")
    change = f"update public.{table} set timezone = %s"
    crm.connection.execute(change.encode(), ("europe/london ",))
    assert crm.connection.execute(f"select distinct timezone from public.{table}".encode()).fetchall() == [
        ("Europe/London",)
    ]
    for wrong in ("Europe/Londn", "CEST+7", "", "x"):
        with pytest.raises(psycopg.errors.CheckViolation) as error, crm.connection.transaction():
            crm.connection.execute(change.encode(), (wrong,))
        assert error.value.diag.constraint_name == f"{table}_timezone"


def test_a_time_zone_that_was_there_before_does_not_keep_the_row_from_its_changes(crm: Crm) -> None:
    crm.connection.execute("alter table public.organizations disable trigger organizations_timezone")
    crm.connection.execute("update public.organizations set timezone = 'London'")
    crm.connection.execute("alter table public.organizations enable trigger organizations_timezone")
    crm.connection.execute("update public.organizations set name = 'Two', timezone = 'London'")
    assert crm.connection.execute("select timezone from public.organizations").fetchall() == [("London",)]
