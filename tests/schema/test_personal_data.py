"""One person's data, exported and erased wherever it is, and nobody else's."""

from uuid import uuid4

import psycopg
import pytest

from pgschema.stage import Organization
from tests.schema.conftest import POPULATE, Connection

PERSON = ("jane.roe@example.test", "+44 20 7946 0000", "Jane Roe", "j.roe@old.example.test", "secret words")
FILL = """
update contacts set email = 'jane.roe@example.test', first_name = 'Jane', last_name = 'Roe', phone = '+44 20 7946 0000',
  external_id = 'crm-jane', custom_fields = '{"likes": "secret words"}' where id = %(contact)s;
update activities set subject = 'Call Jane', body = 'secret words' where contact_id = %(contact)s;
insert into activities (organization_id, kind, subject, body) values
  (%(own)s, 'note', 'Fair', 'Met JANE ROE'), (%(own)s, 'note', 'Fair', 'Sunny'),
  (%(own)s, 'note', 'Fair', 'mail to Jane.Roe@Example.test');
update deals set title = 'secret words', status = 'lost', closed_at = now(), lost_reason = 'Jane left'
  where contact_id = %(contact)s;
update email_sends set email = 'j.roe@old.example.test', subject = 'secret words', error = 'secret words',
  status = 'bounced' where contact_id = %(contact)s;
update email_unsubscribes set email = 'jane.roe@example.test', reason = 'secret words' where contact_id = %(contact)s;
insert into notifications (organization_id, user_id, kind, title)
  select organization_id, id, 'info', 'Jane Roe wrote' from users where organization_id = %(own)s limit 1;
update audit_log set new_values = '{"name": "secret words"}', old_values = '{"phone": "+44 20 7946 0000"}'
  where entity_id = %(contact)s;
insert into audit_log (organization_id, action, entity_type, entity_id, new_values) values
  (%(own)s, 'won', 'deal', gen_random_uuid(), '{"by": "jane.roe@example.test", "amount": 12}');
"""


@pytest.fixture
def people(schema: Connection) -> dict[str, str]:
    """Two organizations with rows in every table; the first one's contact is `contact`."""
    schema.execute(POPULATE)
    own, other = Organization.of("owner", "member"), Organization.of("owner", "member")
    for each in (own, other):
        accounts = psycopg.types.json.Jsonb(each.accounts)
        schema.execute("select pg_temp.populate(%s, %s)", (each.id, accounts))
    found = schema.execute("select id::text from contacts where organization_id = %s", (own.id,)).fetchone()
    assert found
    values = {"contact": found[0], "own": own.id, "other": other.id}
    psycopg.ClientCursor(schema).execute(FILL, values)
    return values


def everything(connection: Connection, organization: str) -> dict[str, list[str]]:
    """All rows of an organization as text, table by table."""
    found = connection.execute(
        "select table_name from information_schema.columns where table_schema = 'public'"
        " and column_name = 'organization_id'"
    ).fetchall()
    return {
        name: [
            text
            for (text,) in connection.execute(f"select t::text from {name} t where organization_id = '{organization}'")
        ]
        for (name,) in found
    }


def test_an_export_holds_every_row_that_points_at_the_contact_or_names_it(
    schema: Connection, people: dict[str, str]
) -> None:
    (found,) = schema.execute("select private.export_contact(%(contact)s)", people).fetchone() or ()
    assert {name: len(rows) for name, rows in found.items()} == {
        "contacts": 1, "activities": 3, "deals": 1, "email_sends": 1, "email_unsubscribes": 1, "notifications": 1,
        # Two that members wrote, three that the database did: created, changed, consent taken back.
        "audit_log": 5,
    }  # fmt: skip
    assert found["contacts"][0]["custom_fields"] == {"likes": "secret words"}
    assert "Sunny" not in str(found)


def test_an_erased_contact_is_nowhere_and_facts_and_history_stay(schema: Connection, people: dict[str, str]) -> None:
    before, others = everything(schema, people["own"]), everything(schema, people["other"])
    (left,) = schema.execute("select private.erase_contact(%(contact)s)", people).fetchone() or ()
    assert left == {}
    after = everything(schema, people["own"])
    text = str(after).lower()
    assert [each for each in (people["contact"], *PERSON, "Jane") if each.lower() in text] == []
    assert {name: len(rows) for name, rows in after.items()} == {
        # The history grows by the erasure's own entries: the deal changed, the contact deleted.
        name: len(rows) - (name in {"contacts", "notifications"}) + 2 * (name == "audit_log")
        for name, rows in before.items()
    }
    assert everything(schema, people["other"]) == others
    history = schema.execute(
        "select action, entity_type, new_values from audit_log where organization_id = %(own)s and not by_database"
        " order by action", people,
    ).fetchall()  # fmt: skip
    assert history == [("created", "contact", None), ("won", "deal", {"amount": 12})]
    assert schema.execute(
        "select status, lost_reason from deals where organization_id = %(own)s", people
    ).fetchall() == [("lost", None)]


def test_who_unsubscribed_stays_unsubscribed_also_when_erased_twice(schema: Connection, people: dict[str, str]) -> None:
    for _ in range(2):
        schema.execute("select private.erase_contact(id) from contacts where organization_id = %(own)s", people)
        kept = schema.execute(
            "select email = private.fingerprint('Jane.Roe@example.test'), scope from email_unsubscribes"
            " where organization_id = %(own)s", people,
        ).fetchall()  # fmt: skip
        assert kept == [(True, "all")]
        back = schema.execute(
            "insert into contacts (organization_id, email) values (%(own)s, 'jane.roe@example.test') returning id",
            people,
        ).fetchone()
        assert back
        schema.execute(
            "insert into email_unsubscribes (organization_id, contact_id, email)"
            " values (%s, %s, 'jane.roe@example.test')", (people["own"], back[0]),
        )  # fmt: skip


def test_somebody_of_the_same_name_is_left_and_told(schema: Connection, people: dict[str, str]) -> None:
    schema.execute(
        "insert into contacts (organization_id, first_name, last_name) values (%(own)s, 'jane', 'ROE')", people
    )
    schema.execute('update email_campaigns set audience = \'{"to": ["jane.roe@example.test"]}\'')
    (left,) = schema.execute("select private.erase_contact(%(contact)s)", people).fetchone() or ()
    assert left == {"email_campaigns": 1}
    assert schema.execute("select from contacts where last_name = 'ROE'").rowcount == 1


def test_an_unknown_contact_is_refused(schema: Connection) -> None:
    for name in ("export_contact", "erase_contact"):
        with pytest.raises(psycopg.errors.NoDataFound, match="there is no contact"), schema.transaction():
            schema.execute(f"select private.{name}(%s)", (uuid4(),))
