"""A person's data is found by whole addresses, numbers and names: who looks alike is neither exported nor erased."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.schema.conftest import Connection, Database
from tests.schema.crm import Crm

SUBJECT = "select subject from public.activities where organization_id = %s and id = %s"
TOLD = ("activities", "notifications", "audit_log", "deals", "contacts")


@pytest.fixture(scope="module")
def shared(ready: Database) -> Iterator[Connection]:
    """A connection for all examples of a property; each is rolled back by itself."""
    with ready.connect() as connection:
        yield connection
        connection.rollback()


@contextmanager
def example(connection: Connection) -> Iterator[Crm]:
    with connection.transaction(force_rollback=True):
        yield Crm.new(connection)


examples = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def about(crm: Crm, contact: str | None, text: str) -> None:
    """Rows that mention a text: attached to a contact, or to nobody."""
    crm.add("activities", contact_id=contact, kind="note", subject="Note", body=text)
    crm.add("deals", contact_id=contact, title="Deal", status="lost", closed_at="2026-01-01", lost_reason=text)
    member = crm.add("users", email=f"{uuid4()}@x.test", full_name="Member")
    crm.connection.execute(
        "insert into public.notifications (organization_id, user_id, kind, title, payload)"
        " values (%s, %s, 'info', 'Note', jsonb_build_object('text', %s::text, 'contact', %s::text))",
        (crm.organization, member, text, contact),
    )
    crm.connection.execute(
        "insert into public.audit_log (organization_id, action, entity_type, entity_id, new_values)"
        " values (%s, 'noted', 'contact', coalesce(%s, gen_random_uuid()), jsonb_build_object('text', %s::text))",
        (crm.organization, contact, text),
    )


def rows(crm: Crm, *, own: str) -> dict[str, list[str]]:
    """The tables' rows but those of one contact, erased or not; without the entries of the database itself."""
    found = {}
    for table in (*TOLD, "email_sends", "email_unsubscribes"):
        mine = "and not by_database" if table == "audit_log" else ""
        query = f"select t::text from public.{table} t where organization_id = %s {mine} order by 1"
        found[table] = [text for text in crm.values(query) if own not in text and "Erased" not in text]
    return found


def test_who_is_called_like_the_end_of_another_s_address_is_another_person(schema: Connection) -> None:
    crm = Crm.new(schema)
    ann, joann = crm.contact("ann@ex.com"), crm.contact("joann@ex.com")
    about(crm, ann, "Wrote to ann@ex.com")
    about(crm, joann, "Wrote to joann@ex.com")
    before = [text for texts in rows(crm, own=ann).values() for text in texts if "joann@" in text]
    assert len(before) == len(TOLD)
    assert "joann" not in str(crm.export(ann))
    assert crm.erase(ann) == {}
    after = [text for texts in rows(crm, own=ann).values() for text in texts]
    assert [text for text in after if "joann@" in text] == before
    assert "ann@ex.com" not in str(after).replace("joann@", "")


def test_a_telephone_number_that_is_a_word_is_none(schema: Connection) -> None:
    crm = Crm.new(schema)
    ann = crm.contact("ann@ex.com", phone="renewal")
    about(crm, None, "The renewal of the contract")
    before = rows(crm, own=ann)
    assert set(crm.export(ann)) == {"contacts", "audit_log"}
    assert crm.erase(ann) == {}
    assert rows(crm, own=ann) == before


def test_an_activity_on_another_s_deal_is_told_and_not_touched(schema: Connection) -> None:
    crm = Crm.new(schema)
    ann, joann = crm.contact("ann@ex.com"), crm.contact("joann@ex.com")
    deal = crm.add("deals", title="Deal", contact_id=joann)
    crm.add("activities", deal_id=deal, kind="note", subject="ann@ex.com knows Joann")
    crm.add("activities", contact_id=joann, kind="note", subject="met ann@ex.com")
    crm.connection.execute(
        'update public.contacts set custom_fields = \'{"friend": "ann@ex.com"}\' where id = %s', (joann,)
    )
    before = rows(crm, own=ann)
    assert set(crm.export(ann)) == {"contacts", "audit_log"}
    assert crm.erase(ann) == {"activities": 2, "contacts": 1}
    assert rows(crm, own=ann) == before


def test_an_address_that_another_contact_has_today_says_nothing_about_who_had_it(schema: Connection) -> None:
    crm = Crm.new(schema)
    ann, joann = crm.contact("ann@ex.com"), crm.contact("joann@ex.com")
    crm.send("joann@ex.com", contact_id=ann)
    crm.add("activities", kind="note", subject="Call joann@ex.com back")
    crm.add("email_sends", email="joann@ex.com", subject="Hello Joann", contact_id=joann, status="opened")
    before = rows(crm, own=ann)
    assert crm.erase(ann) == {}
    assert rows(crm, own=ann) == before
    assert crm.send("joann@ex.com", contact_id=joann)


LOCAL = st.text("abnojm019.+_%'-*=/!", min_size=1, max_size=8).filter(lambda text: text.strip(".") == text)
DOMAIN = st.sampled_from(["ex.com", "ex.com.au", "ex.co", "x.com", "ann.ex.com", "ex-com.de", "EX.com"])
ADDRESS = st.builds("{}@{}".format, LOCAL, DOMAIN)
AROUND = st.sampled_from(
    [" {} ", "<{}>", "'{}'", '"{}"', "({}),", "mailto:{}?x=1", "{}.", "\n{}\n", "write {}!", "[{}]"]
)


@examples
@given(own=ADDRESS, other=ADDRESS, around=AROUND, upper=st.booleans())
def test_of_two_addresses_each_is_found_as_a_whole_and_the_other_is_not(
    shared: Connection, own: str, other: str, around: str, upper: bool
) -> None:
    assume(own.lower() != other.lower())
    with example(shared) as crm:
        ann = crm.contact(own)
        crm.contact(other)
        about(crm, None, around.format(other))
        before = rows(crm, own=ann)
        mention = crm.add("activities", kind="note", subject="Mine", body=around.format(own.upper() if upper else own))
        assert _sizes(crm.export(ann), "contacts", "activities") == {"contacts": 1, "activities": 1}
        assert crm.erase(ann) == {}
        assert crm.values(SUBJECT, mention) == ["Erased"]
        assert rows(crm, own=ann) == before


FORMATS = (
    "+44 20 7946 {}", "+4420 7946{}", "0044 (20) 7946-{}", "+44 (0)20 7946 {}", "020 7946 {}", "(020)7946.{}",
    "0207946{}", "+44207946{}", "00442 07946 {}", "0 20 79 46 {}",
)  # fmt: skip


@examples
@given(
    last=st.integers(0, 9999),
    other=st.integers(0, 9999),
    stored=st.sampled_from(FORMATS),
    written=st.sampled_from(FORMATS),
    longer=st.booleans(),
)
def test_a_telephone_number_is_found_however_it_is_written_and_no_other_is(
    shared: Connection, last: int, other: int, stored: str, written: str, longer: bool
) -> None:
    assume(last != other)
    with example(shared) as crm:
        ann = crm.contact(None, phone=stored.format(f"{last:04}"))
        about(crm, None, "Call " + written.format(f"{last:04}7" if longer else f"{other:04}"))
        before = rows(crm, own=ann)
        mention = crm.add(
            "activities", kind="call", subject="Mine", body=f"Call {written.format(f'{last:04}')}, please"
        )
        assert _sizes(crm.export(ann), "activities") == {"activities": 1}
        assert crm.erase(ann) == {}
        assert crm.values(SUBJECT, mention) == ["Erased"]
        assert rows(crm, own=ann) == before


def test_a_number_of_two_people_is_told_and_not_erased(schema: Connection) -> None:
    crm = Crm.new(schema)
    ann = crm.contact("ann@ex.com", phone="020 7946 0000")
    crm.contact("bob@ex.com", phone="+44 20 7946 0000")
    about(crm, None, "Call 020 7946 0000")
    before = rows(crm, own=ann)
    crm.erase(ann)
    assert rows(crm, own=ann) == before


NAME = st.sampled_from(["Ann", "Joann", "Anna", "Mary Ann", "O'Ann", "An", "%", "A_n", "Ann-Mary", "Änn"])
SURNAME = st.sampled_from(["Lee", "Leeson", "Lee Smith", "Flee", "L%", "Lee-Jones", "O'Lee"])


@examples
@given(
    own=st.tuples(NAME, SURNAME), other=st.tuples(NAME, SURNAME), around=st.sampled_from(["Met {}.", "({})", "{}'s"])
)
def test_of_two_names_that_look_alike_the_other_s_rows_stay(
    shared: Connection, own: tuple[str, str], other: tuple[str, str], around: str
) -> None:
    assume(own != other)
    with example(shared) as crm:
        ann = crm.contact(None, first_name=own[0], last_name=own[1])
        second = crm.contact(None, first_name=other[0], last_name=other[1])
        about(crm, second, around.format(" ".join(own)))
        about(crm, None, around.format(" ".join(other)))
        before = rows(crm, own=ann)
        crm.export(ann)
        crm.erase(ann)
        assert rows(crm, own=ann) == before


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@examples
@given(text=TEXT, key=TEXT, first=TEXT, last=TEXT)
def test_no_text_keeps_a_row_from_being_written_or_a_contact_from_being_erased(
    shared: Connection, text: str, key: str, first: str, last: str
) -> None:
    with example(shared) as crm:
        ann = crm.contact("ann@ex.com", first_name=first, last_name=last, phone=text)
        about(crm, None, f"{text} ann@ex.com {key}")
        about(crm, ann, text)
        assert _sizes(crm.export(ann), "activities") == {"activities": 2}
        crm.erase(ann)
        assert crm.values("select 1 from public.contacts where organization_id = %s") == []
        assert "ann@ex.com" not in str(rows(crm, own="-"))


def test_a_word_of_any_length_can_be_written_and_is_found(schema: Connection) -> None:
    crm = Crm.new(schema)
    local = "a" * 3000
    ann = crm.contact(f"{local}@ex.com"[-500:])
    crm.add("activities", kind="note", subject="Long", body=f"{local * 3}\n{local}@ex.com"[-500:] + f" {local * 3}")
    assert _sizes(crm.export(ann), "activities") == {"activities": 1}


@pytest.mark.parametrize("escape", [lambda text: f"line\n{text}", lambda text: f"C:\\{text}", lambda text: f'"{text}"'])
def test_what_json_escapes_is_found_as_it_was_written(schema: Connection, escape: Callable[[str], str]) -> None:
    crm = Crm.new(schema)
    ann = crm.contact("nann@ex.com")
    about(crm, None, escape("nann@ex.com"))
    found: dict[str, Any] = crm.export(ann)
    assert _sizes(found, "activities", "deals", "notifications") == {"activities": 1, "deals": 1, "notifications": 1}


def test_a_table_of_the_client_s_own_is_searched_too(schema: Connection) -> None:
    crm = Crm.new(schema)
    schema.execute("create table public.invoices (organization_id uuid, note text, payload jsonb)")
    schema.execute(
        "insert into public.invoices values (%(own)s, 'for ann@ex.com', null), (%(own)s, 'for joann@ex.com', null),"
        ' (%(own)s, \'+44 20 7946 0000\', null), (%(own)s, null, \'{"to": [{"x": "Ann Lee"}]}\')',
        {"own": crm.organization},
    )
    ann = crm.contact("ann@ex.com", phone="020 7946 0000", first_name="Ann", last_name="Lee")
    assert len(crm.export(ann)["invoices"]) == 3
    assert crm.erase(ann) == {"invoices": 3}


def _sizes(found: dict[str, Any], *tables: str) -> dict[str, int]:
    return {table: len(found.get(table, ())) for table in tables}
