"""What was changed by hand is repaired by the next apply, or told with the remedy; no table is open meanwhile."""

import json
import sys
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from common.errors import OperatorError
from pgschema.apply import apply, read_live
from pgschema.catalog import compare, query, read_snapshot
from pgschema.migrations import Migration, read_migrations
from pgschema.repair import repair, statements
from pgschema.stage import Organization
from tests.conftest import Local
from tests.schema.conftest import POPULATE, Connection, NewDatabase
from tests.schema.mutants import REPORTED, SECURITY, mutants

Folder = Callable[..., tuple[Migration, ...]]
BEYOND_REPAIR = {
    "table gone": ("drop table public.content_queue", "rls public.content_queue (missing)"),
    "table renamed": ("alter table public.deals rename to sales", "policy public.deals.deals_member (missing)"),
    "schema gone": ("drop schema private cascade", "function private.current_member() (missing)"),
    "column of a policy gone": (
        "alter table public.notifications drop column user_id cascade",
        "policy public.notifications.notifications_member (missing)",
    ),
    "helper of another type": (
        "drop function private.touch() cascade;create function private.touch() returns text language sql as 'select 1'",
        "function private.touch() (RETURNS text",
    ),
}


def read(connection: Connection) -> dict[str, str]:
    connection.execute("set local search_path = ''")
    return dict(connection.execute(query()).fetchall())


@pytest.fixture
def mutable(schema: Connection) -> Connection:
    """Where the API's roles may own things, as a careless hand may have arranged."""
    schema.execute("grant create on schema public, private to service_role, authenticated")
    return schema


@pytest.mark.parametrize("kind", SECURITY)
def test_each_change_of_security_is_named_and_repaired_wherever_it_is_made(mutable: Connection, kind: str) -> None:
    made, expected = mutants(kind), read_snapshot()
    for change in made.values():
        mutable.execute(change)
    live = read(mutable)
    named = compare(live, expected)
    assert set(made) <= set(named.security)
    assert not named.other
    repaired, told = repair(mutable, live, live, expected)
    assert repaired == expected
    assert set(told) == set(named.security)
    sys.stdout.write(f"{kind}: {len(made)} mutants, all repaired\n")


@pytest.mark.parametrize("kind", REPORTED)
def test_each_change_of_a_table_is_told_with_the_remedy_and_not_touched(schema: Connection, kind: str) -> None:
    made, expected = mutants(kind), read_snapshot()
    for change in made.values():
        schema.execute(change)
    live = read(schema)
    named = compare(live, expected)
    assert set(made) <= set(named.other)
    assert repair(schema, live, live, expected) == (live, ())
    assert all(line.endswith("and run make snapshot.") for line in named.warnings(expected))
    sys.stdout.write(f"{kind}: {len(made)} mutants, all reported\n")


def test_the_remedy_for_what_is_missing_is_the_sql_that_brings_it_back(schema: Connection) -> None:
    schema.execute(
        "drop index public.idx_contacts_organization_email; drop trigger deals_touch on public.deals;"
        "alter table public.deals drop constraint deals_amount_check"
    )
    for line in compare(read(schema), read_snapshot()).warnings(read_snapshot()):
        schema.execute(line.partition("Undo it: ")[2].partition(";")[0])
    assert read(schema) == read_snapshot()


@pytest.mark.parametrize("kind", BEYOND_REPAIR)
def test_what_is_beyond_repair_fails_by_name_and_leaves_everything_as_it_was(current: Connection, kind: str) -> None:
    change, named = BEYOND_REPAIR[kind]
    current.execute("alter table public.companies disable row level security")
    current.execute(change)
    current.commit()
    before = read_live(current)
    with pytest.raises(OperatorError, match="security is not as reviewed") as failed:
        apply(current, read_migrations(), snapshot=read_snapshot())
    assert named in str(failed.value)
    assert len(str(failed.value).splitlines()) == 1
    assert read_live(current) == before


def test_pending_migrations_come_first_and_the_repair_after_them(current: Connection, folder: Folder) -> None:
    current.execute("alter policy deals_member on deals using (true); create policy x on deals to anon using (true)")
    current.commit()
    new = {"20990101000000_roles.sql": "grant references on public.companies to service_role;"}
    reviewed = read_snapshot() | {
        "grants public.companies": read_snapshot()["grants public.companies"].replace(
            "service_role: DELETE, INSERT,", "service_role: DELETE, INSERT, REFERENCES,"
        )
    }
    applied = apply(current, folder(new), snapshot=reviewed)
    assert applied.files == ("sql/migrations/20990101000000_roles.sql",)
    assert applied.repaired == ("policy public.deals.deals_member", "policy public.deals.x")
    assert applied.live.catalog == read_live(current).catalog == reviewed


def test_a_difference_that_a_migration_makes_is_no_drift_and_fails(current: Connection, folder: Folder) -> None:
    current.execute("alter table public.deals disable row level security")
    current.commit()
    before = read_live(current)
    with pytest.raises(OperatorError, match=r"grants public\.companies .*review the difference") as failed:
        apply(
            current,
            folder({"20990101000000_x.sql": "grant select on public.companies to anon;"}),
            snapshot=read_snapshot(),
        )
    assert "deals" not in str(failed.value)
    assert read_live(current) == before


def test_a_busy_table_stops_the_repair_instead_of_queueing_readers(
    new_current: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = new_current().connect
    with connect() as reader, connect() as connection:
        connection.execute("alter table deals disable row level security")
        connection.commit()
        reader.execute("select from public.deals")
        monkeypatch.setattr("pgschema.transaction.limits", lambda _=None: ("set local lock_timeout = '50ms'",))
        with pytest.raises(OperatorError, match="repair failed: canceling statement due to lock timeout"):
            apply(connection, read_migrations(), snapshot=read_snapshot())


VICTIM, OUTSIDER = Organization.of("owner", "member"), Organization.of("owner", "member")
CLOSING = """
alter table deals force row level security; drop policy deals_member on deals;
create policy mine on deals for delete to authenticated using (false);
alter policy contacts_member on contacts using (false); revoke all on contacts from authenticated, service_role;
alter table companies disable row level security; revoke all on companies from authenticated;
alter function private.current_member_role() security invoker
"""
OPENING = """
alter policy users_select on users using (true); create policy all_of_it on activities to authenticated using (true);
grant select on email_sends to anon; alter table email_sends disable row level security
"""
ATTEMPTS = [(role, table) for role in ("anon", "authenticated")
            for table in ("deals", "contacts", "companies", "users", "activities", "email_sends")]  # fmt: skip
ATTEMPT = "select pg_temp.attack(%s, %s, %s)"


def reached(connection: Connection) -> set[tuple[str, str]]:
    """Who sees rows of the victim in which table, as role and table."""
    claims = json.dumps({"role": "authenticated", "sub": OUTSIDER.accounts["owner"]})
    found = set()
    for role, table in ATTEMPTS:
        look = f"select from public.{table} where organization_id = '{VICTIM.id}'"
        (outcome,) = connection.execute(ATTEMPT, (role, claims, look)).fetchone() or ("",)
        if outcome not in {"0", "42501"}:
            found.add((role, table))
    return found


@pytest.fixture
def connect(new_current: NewDatabase, local: Local) -> Callable[[], Connection]:
    """Gives connections to a database with rows of two organizations, that can attack."""
    made = new_current()

    def open_connection() -> Connection:
        connection = made.connect()
        connection.autocommit = True
        connection.execute(POPULATE)
        return connection

    with open_connection() as connection, local.postgres.admin(made.ref) as admin:
        for each in (VICTIM, OUTSIDER):
            for account in each.accounts.values():
                admin.execute("insert into auth.users (id) values (%s)", (account,))
            connection.execute("select pg_temp.populate(%s, %s)", (each.id, json.dumps(each.accounts)))
        assert reached(connection) == set()
    return open_connection


def watch(
    connection: Connection, seen: list[set[tuple[str, str]]], looked: threading.Event, end: threading.Event
) -> None:
    while not end.is_set():
        seen.append(reached(connection))
        looked.set()


@pytest.mark.parametrize(("drift", "open_before"), [(CLOSING, 0), (OPENING + ";" + CLOSING, 4)])
def test_an_attacker_sees_no_moment_in_which_the_repair_opens_a_table(
    connect: Callable[[], Connection], drift: str, open_before: int
) -> None:
    looked, end = threading.Event(), threading.Event()
    seen: list[set[tuple[str, str]]] = []
    with connect() as connection, connect() as attacker:
        connection.execute("discard temp")  # the gate makes the attacks' functions itself
        connection.execute(drift)
        thread = threading.Thread(target=watch, args=(attacker, seen, looked, end))
        thread.start()
        assert looked.wait(30)
        applied = apply(connection, read_migrations(), snapshot=read_snapshot())
        looked.clear()
        assert looked.wait(30)
        before = len(seen)
        looked.clear()
        assert looked.wait(30)
        end.set()
        thread.join()
    assert applied.live.catalog == read_snapshot()
    assert len(seen[0]) == open_before
    assert all(now <= earlier for earlier, now in pairwise(seen))
    assert seen[before:] == [set()] * len(seen[before:])


def test_even_statement_by_statement_the_order_of_the_repair_opens_nothing(connect: Callable[[], Connection]) -> None:
    def opened_on_the_way(order: Callable[[str], bool]) -> list[set[tuple[str, str]]]:
        with connect() as connection:
            connection.execute(OPENING + ";" + CLOSING)
            with connection.transaction():
                live = read(connection)
            wrong = compare(live, read_snapshot()).security
            seen = [reached(connection)]
            for statement in sorted(statements(wrong, live, read_snapshot()), key=order):
                connection.execute(statement)
                seen.append(reached(connection))
            return [now - earlier for earlier, now in pairwise(seen)]

    assert not any(opened_on_the_way(lambda _: True))
    assert any(opened_on_the_way(lambda statement: not statement.startswith("grant"))), "another order would"


NEW_KINDS = {
    "another owner": (
        "grant workflows to current_user; grant create on schema public to workflows;"
        " alter table public.deals owner to workflows; revoke create on schema public from workflows"
    ),
    "rights of a role of no list": "grant select on public.deals to dashboard_user",
    "columns of a role that keeps others": "grant update on public.users to authenticated",
    "the schema public": "grant create on schema public to anon",
    "default privileges": "alter default privileges in schema public grant all on tables to anon, public",
    "default privileges everywhere": "alter default privileges grant select on tables to anon",
    "published": "alter publication supabase_realtime add table public.deals (id, organization_id)",
}


@pytest.mark.parametrize("kind", NEW_KINDS)
def test_what_else_security_hangs_on_is_named_and_repaired(schema: Connection, kind: str) -> None:
    schema.execute(NEW_KINDS[kind])
    live, expected = read(schema), read_snapshot()
    assert compare(live, expected).security
    repaired, _ = repair(schema, live, live, expected)
    assert repaired == expected


def test_views_and_procedures_of_a_migration_are_repaired_too(schema: Connection) -> None:
    schema.execute(
        "create view public.own with (security_invoker = true) as select id from public.deals;"
        "create procedure private.tidy() language sql as 'select 1';"
        "revoke all on procedure private.tidy() from public;"
        "alter publication supabase_realtime add table public.deals (id, organization_id) where (amount > 1)"
    )
    reviewed = read(schema)
    schema.execute(
        "alter view public.own reset (security_invoker); grant select on public.own to anon;"
        "create or replace procedure private.tidy() language sql security definer as 'select 2';"
        "grant execute on procedure private.tidy() to anon; alter publication supabase_realtime drop table public.deals"
    )
    live = read(schema)
    assert {"view public.own", "grants public.own", "procedure private.tidy()"} <= set(compare(live, reviewed).security)
    assert repair(schema, live, live, reviewed)[0] == reviewed


def test_foreign_objects_are_left_alone_by_a_repair(schema: Connection) -> None:
    schema.execute("create table public.theirs (id int); grant select on public.theirs to anon")
    schema.execute("alter table public.deals add n bigint generated always as identity")
    schema.execute("grant select on public.deals to anon")
    live = read(schema)
    repaired, told = repair(schema, live, live, read_snapshot())
    assert told == ("grants public.deals",)
    assert repaired["grants public.theirs"] == "anon: SELECT"
