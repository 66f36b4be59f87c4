"""A client whose rows break today's rules is upgraded, and nothing of its rows is lost."""

import hashlib

from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.isolation import check
from pgschema.migrations import read_migrations
from tests.schema.conftest import Connection
from tests.schema.crm import Crm

BEFORE = "20261125"  # the first version of the rules


def before(connection: Connection) -> Crm:
    """A database as it was before the rules."""
    apply(connection, [each for each in read_migrations() if each.version < BEFORE])
    return Crm.new(connection)


def after(connection: Connection) -> None:
    connection.commit()
    apply(connection, read_migrations(), snapshot=read_snapshot())


def test_repeated_sends_are_detached_and_what_they_pointed_at_is_kept(empty: Connection) -> None:
    crm = before(empty)
    contact, campaign = crm.contact("a@x.test"), crm.campaign()
    for number in range(3):
        crm.send("a@x.test", contact_id=contact, campaign_id=campaign, provider_message_id="m1", status="opened",
            created_at=f"2026-01-0{number + 1}")  # fmt: skip
    crm.send("a@x.test", campaign_id=campaign, provider_message_id=" ")
    crm.send("b@x.test", provider_message_id="")
    after(empty)
    sends = empty.execute(
        "select email, campaign_id::text, provider_message_id, status from email_sends order by created_at, email"
    ).fetchall()
    assert sends[0] == ("a@x.test", campaign, "m1", "opened")
    assert sends[1:3] == [("a@x.test", None, None, "opened")] * 2
    assert sends[3:] == [("a@x.test", None, None, "queued"), ("b@x.test", None, None, "queued")]
    kept = "select campaign_id::text, provider_message_id from private.detached_sends order by 2 nulls last"
    assert empty.execute(kept).fetchall() == [(campaign, "m1"), (campaign, "m1"), (campaign, None)]
    assert check(empty).passed


def test_who_unsubscribed_before_no_longer_consents(empty: Connection) -> None:
    crm = before(empty)
    for email in ("a@x.test", "b@x.test", "c@x.test"):
        crm.contact(email)
    crm.add("email_unsubscribes", email="a@x.test")
    crm.add("email_unsubscribes", email="old@x.test", contact_id=crm.values(
        "select id from contacts where organization_id = %s and email = 'b@x.test'")[0])  # fmt: skip
    after(empty)
    assert crm.values("select marketing_consent from contacts where organization_id = %s order by email") == [
        False, False, True
    ]  # fmt: skip


def test_fingerprints_of_before_get_the_key_and_go_on_matching(empty: Connection) -> None:
    crm = before(empty)
    old = f"{hashlib.sha256(b'a@x.test').hexdigest()}@erased.invalid"
    crm.add("email_unsubscribes", email=old)
    crm.send(old, status="sent")
    after(empty)
    for table in ("email_unsubscribes", "email_sends"):
        assert crm.values(
            f"select email = private.fingerprint('A@x.test') from {table} where organization_id = %s"
        ) == [True]
    assert old not in str(empty.execute("select * from private.erased_addresses").fetchall())
    assert crm.values("select private.refusal(%s, null, 'a@x.test', null, null)") == ["erased"]


def test_keys_of_two_databases_give_two_fingerprints(empty: Connection, schema: Connection) -> None:
    apply(empty, read_migrations())
    prints = [each.execute("select private.fingerprint('a@x.test')").fetchone() for each in (empty, schema)]
    assert prints[0] != prints[1]
