"""Who must not be sent to is held by the database, whoever writes the send."""

import threading
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from tests.schema.conftest import Connection, Database, NewDatabase
from tests.schema.crm import Crm, act_as

ROLES = ("postgres", "service_role", "authenticated", "workflows")


@pytest.fixture
def crm(schema: Connection) -> Crm:
    return Crm.new(schema)


def as_role(crm: Crm, role: str) -> None:
    """Go on as that role, a member of the organization where it is the members' one."""
    account = str(uuid4())
    if role == "postgres":
        return
    if role == "workflows":
        crm.connection.execute("grant workflows to current_user")
    if role == "authenticated":
        crm.add("users", auth_user_id=account, email=f"{account}@one.test", full_name="Member", status="active")
    act_as(crm.connection, role, account)


def refused(crm: Crm, reason: str, email: str, **values: Any) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as error, crm.connection.transaction():
        crm.send(email, **values)
    assert error.value.diag.constraint_name == "email_sends_recipient"
    assert error.value.diag.message_primary == f"this address must not be sent to: {reason}"
    assert email not in str(error.value)


@pytest.mark.parametrize("role", ROLES)
def test_a_consenting_contact_may_be_sent_to_and_others_not(crm: Crm, role: str) -> None:
    consenting, other = crm.contact("yes@x.test"), crm.contact("no@x.test", marketing_consent=False)
    gone = crm.contact("gone@x.test")
    crm.add("email_unsubscribes", email="gone@x.test")
    campaign = crm.campaign()
    as_role(crm, role)
    crm.send("yes@x.test", contact_id=consenting, campaign_id=campaign)
    refused(crm, "without consent", "no@x.test", contact_id=other, campaign_id=campaign)
    refused(crm, "without consent", "no@x.test")
    refused(crm, "without consent", "unknown@x.test", campaign_id=campaign)
    refused(crm, "unsubscribed", "gone@x.test", contact_id=gone)
    refused(crm, "unsubscribed", "gone@x.test", status="sent")


def test_a_contact_is_not_reached_by_another_address_nor_an_address_by_another_contact(crm: Crm) -> None:
    consenting, other = crm.contact("yes@x.test"), crm.contact("no@x.test", marketing_consent=False)
    refused(crm, "without consent", "other@x.test", contact_id=other)
    refused(crm, "without consent", "no@x.test", contact_id=consenting)


def test_a_mail_that_is_no_marketing_needs_no_consent_of_who_is_no_contact(crm: Crm) -> None:
    crm.send("accounts@x.test")
    crm.add("email_unsubscribes", email="accounts@x.test", scope="marketing")
    crm.send("accounts@x.test")
    crm.add("email_unsubscribes", email="accounts@x.test")
    refused(crm, "unsubscribed", "accounts@x.test")


def test_who_left_the_sequences_still_gets_campaigns(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    sequence = crm.add("email_sequences", name="Welcome", trigger_event="manual")
    crm.add("email_unsubscribes", email="a@x.test", scope="sequence")
    refused(crm, "unsubscribed", "a@x.test", contact_id=contact, sequence_id=sequence)
    crm.send("a@x.test", contact_id=contact, campaign_id=crm.campaign())


@pytest.mark.parametrize("role", ROLES)
def test_an_unsubscribe_takes_consent_back_and_stops_what_waits(crm: Crm, role: str) -> None:
    contact, bystander = crm.contact("a@x.test"), crm.contact("aa@x.test")
    waiting = crm.send("a@x.test", contact_id=contact)
    other = crm.send("aa@x.test", contact_id=bystander)
    as_role(crm, role)
    crm.connection.execute(
        "insert into public.email_unsubscribes (organization_id, email) values (%s, ' A@X.test')", (crm.organization,)
    )
    crm.connection.execute("reset role")
    consents = "select marketing_consent from public.contacts where organization_id = %s order by email"
    assert crm.values(consents) == [False, True]
    states = "select status from public.email_sends where organization_id = %s and id = %s"
    assert [crm.values(states, each) for each in (waiting, other)] == [["failed"], ["queued"]]
    for status in ("queued", "sent"):
        with pytest.raises(psycopg.errors.CheckViolation), crm.connection.transaction():
            crm.connection.execute("update public.email_sends set status = %s where id = %s", (status, waiting))


def test_a_waiting_send_cannot_be_turned_to_another_address(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    crm.contact("no@x.test", marketing_consent=False)
    send = crm.send("a@x.test", contact_id=contact)
    with pytest.raises(psycopg.errors.CheckViolation), crm.connection.transaction():
        crm.connection.execute("update public.email_sends set email = 'no@x.test' where id = %s", (send,))


def test_what_the_provider_reports_is_taken_down_after_an_unsubscribe_too(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    send = crm.send("a@x.test", contact_id=contact, status="sent")
    crm.add("email_unsubscribes", email="a@x.test")
    for status in ("delivered", "opened", "clicked", "complained"):
        crm.connection.execute("update public.email_sends set status = %s where id = %s", (status, send))
    crm.connection.execute("delete from public.contacts where id = %s", (contact,))
    assert crm.values("select status from public.email_sends where organization_id = %s") == ["complained"]


def test_a_withdrawn_consent_stops_what_waits(crm: Crm) -> None:
    crm.send("a@x.test", contact_id=crm.contact("a@x.test"))
    crm.connection.execute("update public.contacts set marketing_consent = false where email = 'a@x.test'")
    assert crm.values("select status from public.email_sends where organization_id = %s") == ["failed"]


def test_a_member_adds_an_unsubscribe_and_cannot_take_it_back(crm: Crm) -> None:
    as_role(crm, "authenticated")
    crm.add("email_unsubscribes", email="a@x.test")
    assert crm.connection.execute("update public.email_unsubscribes set reason = 'by phone'").rowcount == 1
    for statement in (
        "delete from public.email_unsubscribes",
        "update public.email_unsubscribes set email = 'b@x.test'",
        "update public.email_unsubscribes set scope = 'sequence'",
        "truncate public.email_unsubscribes",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), crm.connection.transaction():
            crm.connection.execute(statement.encode())


def test_consent_of_who_unsubscribed_counts_once_the_server_has_taken_the_unsubscribe_back(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    crm.add("email_unsubscribes", email="a@x.test")
    as_role(crm, "service_role")
    give = "update public.contacts set marketing_consent = true, consent_at = now() where organization_id = %s"
    consents = f"{give} returning marketing_consent"
    assert crm.values(consents) == [False]
    crm.connection.execute("delete from public.email_unsubscribes where email = 'a@x.test'")
    assert crm.values(consents) == [True]
    crm.send("a@x.test", contact_id=contact)


def test_an_erased_address_is_known_when_it_is_imported_again_until_new_consent_is_given(crm: Crm) -> None:
    crm.erase(crm.contact("a@x.test"))
    assert "a@x.test" not in str(crm.connection.execute("select * from private.erased_addresses").fetchall())
    refused(crm, "erased", "a@x.test")
    # An import keeps the contact and no consent, whatever date the list gives it; an upsert of the same list neither.
    upsert = (
        "insert into public.contacts as c (organization_id, email, marketing_consent, consent_at)"
        " values (%s, 'A@x.test', true, clock_timestamp()) on conflict (organization_id, email) do update"
        " set marketing_consent = excluded.marketing_consent, consent_at = excluded.consent_at"
        " returning marketing_consent"
    )
    for _ in range(2):
        assert crm.values(upsert) == [False]
        refused(crm, "erased", "a@x.test")
    old = "update public.contacts set marketing_consent = true, consent_at = '2020-01-01' where organization_id = %s"
    assert crm.values(f"{old} returning marketing_consent") == [False]
    new = old.replace("'2020-01-01'", "clock_timestamp()")
    assert crm.values(f"{new} returning marketing_consent") == [True]
    crm.send("a@x.test")


def test_a_waiting_send_of_an_erased_contact_is_not_sent(crm: Crm) -> None:
    contact = crm.contact("a@x.test")
    crm.send("a@x.test", contact_id=contact)
    crm.erase(contact)
    assert crm.values("select status from public.email_sends where organization_id = %s") == ["failed"]
    with pytest.raises(psycopg.errors.CheckViolation), crm.connection.transaction():
        crm.connection.execute("update public.email_sends set status = 'queued'")


def test_another_organization_s_unsubscribe_or_erasure_changes_nothing(crm: Crm) -> None:
    other = Crm.new(crm.connection)
    other.erase(other.contact("a@x.test"))
    other.add("email_unsubscribes", email="b@x.test")
    for email in ("a@x.test", "b@x.test"):
        crm.send(email, contact_id=crm.contact(email))


def test_one_campaign_is_sent_once_to_each_contact_and_address(crm: Crm) -> None:
    contact, campaign = crm.contact("a@x.test"), crm.campaign()
    crm.send("a@x.test", contact_id=contact, campaign_id=campaign)
    for values in ({"contact_id": contact}, {}):
        for email in ("a@x.test", "new@x.test") if values else ("a@x.test",):
            with pytest.raises(psycopg.errors.UniqueViolation), crm.connection.transaction():
                crm.send(email, campaign_id=campaign, **values)
    crm.send("a@x.test", contact_id=contact, campaign_id=crm.campaign())
    for _ in range(2):
        crm.send("a@x.test", contact_id=contact)


def test_a_campaign_sent_before_and_after_an_erasure_does_not_keep_the_next_erasure_from_its_end(crm: Crm) -> None:
    campaign = crm.campaign()
    for _ in range(2):
        crm.connection.execute("delete from private.erased_addresses")
        contact = crm.contact("a@x.test")
        crm.send("a@x.test", contact_id=contact, campaign_id=campaign)
        crm.erase(contact)
    assert len(crm.values("select campaign_id from public.email_sends where organization_id = %s")) == 2


def test_a_message_id_is_unique_with_its_provider_in_an_organization(crm: Crm) -> None:
    crm.send("a@x.test", provider_message_id="m1")
    crm.send("b@x.test", provider_message_id="m1", provider="Resend")
    Crm.new(crm.connection).send("a@x.test", provider_message_id="m1")
    for provider in (None, "resend "):
        with pytest.raises(psycopg.errors.UniqueViolation), crm.connection.transaction():
            crm.send("c@x.test", provider_message_id="m1", provider=provider)
    for email in ("d@x.test", "e@x.test"):
        crm.send(email, provider_message_id=" ")


def test_a_stranger_is_refused_before_it_learns_who_may_be_sent_to(crm: Crm) -> None:
    stranger = Crm.new(crm.connection)
    crm.contact("no@x.test", marketing_consent=False)
    as_role(stranger, "authenticated")
    for email in ("no@x.test", "unknown@x.test"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), crm.connection.transaction():
            crm.send(email)


@pytest.fixture
def committed(new_current: NewDatabase) -> tuple[Database, str]:
    """A database of its own with one organization, for what two connections do."""
    database = new_current()
    with database.connect() as connection:
        crm = Crm.new(connection)
        crm.contact("a@x.test")
    return database, crm.organization


@pytest.mark.parametrize("email", ["a@x.test", "unknown@x.test"])
@pytest.mark.parametrize("first", ["send", "unsubscribe"])
def test_a_send_and_an_unsubscribe_at_once_leave_nothing_to_send(
    committed: tuple[Database, str], email: str, first: str
) -> None:
    database, organization = committed
    with database.connect() as one, database.connect() as two:
        steps = {
            "send": lambda crm: crm.send(email),
            "unsubscribe": lambda crm: crm.add("email_unsubscribes", email=email),
        }
        second = "unsubscribe" if first == "send" else "send"
        steps[first](Crm(one, organization))
        outcome: list[str] = []

        def run() -> None:
            try:
                steps[second](Crm(two, organization))
                two.commit()
                outcome.append("done")
            except psycopg.errors.CheckViolation:
                two.rollback()
                outcome.append("refused")

        thread = threading.Thread(target=run)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "the second waits for the first"
        one.commit()
        thread.join(10)
    with database.connect() as connection:
        statuses = Crm(connection, organization).values("select status from email_sends where organization_id = %s")
    assert outcome == ["done" if first == "send" else "refused"]
    assert statuses == (["failed"] if first == "send" else [])
