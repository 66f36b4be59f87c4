"""The check on a live database: no sequence moves, nothing is sent, no row and no setting stays."""

import socket
import threading
from collections.abc import Iterator

import pytest

from pgschema.isolation import judge
from tests.schema.conftest import Connection
from tests.schema.test_holes import Hole, Open, filled, opened

__all__ = ["filled", "opened"]

COUNTING = """
create table public.tickets (id bigint generated always as identity primary key, number serial,
  organization_id uuid not null references public.organizations (id) on delete cascade, title text not null);
alter table public.tickets enable row level security;
revoke all on public.tickets from public, anon, authenticated, service_role;
grant select, delete, insert (organization_id, title), update (title) on public.tickets to authenticated;
create policy tickets_all on public.tickets to authenticated using (true) with check (true);
create sequence public.invoices;
revoke all on sequence public.invoices, public.tickets_number_seq from public, anon, authenticated, service_role;
grant usage on sequence public.invoices, public.tickets_number_seq to authenticated;
create function private.numbered() returns trigger language plpgsql security definer set search_path = '' as
  $$begin perform nextval('public.invoices'); return new; end$$;
create trigger numbered before insert on public.deals for each row execute function private.numbered();
create function public.next_invoice() returns bigint language sql security definer set search_path = ''
  as $$select nextval('public.invoices')$$;
revoke all on function public.next_invoice() from public, anon;
grant execute on function public.next_invoice() to authenticated;
create function public.reset_invoices() returns bigint language sql security definer set search_path = ''
  as $$select setval('public.invoices', 1)$$;
revoke all on function public.reset_invoices() from public, anon;
grant execute on function public.reset_invoices() to authenticated;
select nextval('public.invoices'), nextval('public.tickets_id_seq'), nextval('public.tickets_number_seq');
"""
SENDING = """
create extension dblink schema extensions;
create function private.tell() returns trigger language plpgsql security definer set search_path = '' as
  $$begin perform extensions.dblink_connect('{dsn}'); return new; end$$;
create trigger tell before insert or update or delete on public.contacts
  for each statement execute function private.tell();
create trigger tell after insert on public.users for each row execute function private.tell();
create function public.ask() returns void language plpgsql security definer set search_path = '' as
  $$begin perform extensions.dblink_connect('{dsn}'); end$$;
grant execute on function public.ask() to authenticated;
create view public.asked as select public.ask()::text as answer;
grant select on public.asked to authenticated;
"""
WRITING = """
create function public.wipe() returns void language sql security definer set search_path = ''
  as $$delete from public.notifications$$;
revoke all on function public.wipe() from public, anon;
grant execute on function public.wipe() to authenticated;
create procedure public.sweep() language sql security definer set search_path = ''
  as $$update public.deals set title = title || 'x'$$;
revoke all on procedure public.sweep() from public, anon;
grant execute on procedure public.sweep() to authenticated
"""
STATE = """
select jsonb_build_object('settings', (select jsonb_object_agg(name, setting) from pg_settings),
  'claims', coalesce(current_setting('request.jwt.claims', true), ''), 'role', current_user,
  'locks', (select count(*) from pg_locks where locktype = 'advisory'),
  'sequences', (select jsonb_object_agg(sequencename, last_value) from pg_sequences),
  'functions', (select count(*) from pg_proc), 'relations', (select count(*) from pg_class))
"""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket on loopback that remembers nobody; `accept` tells whether somebody called."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(0.2)
        yield listening


def state(connection: Connection) -> object:
    rows = {
        table: connection.execute(f"select xmin::text, ctid::text, t::text from {table} t order by 2").fetchall()
        for (table,) in connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'r'"
            " and relnamespace in ('public'::regnamespace, 'auth'::regnamespace)"
        ).fetchall()
    }
    return connection.execute(STATE).fetchone(), rows


def test_no_sequence_moves_and_rows_and_settings_are_as_before(opened: Open) -> None:
    connection = opened(Hole(0, "counting", COUNTING))
    connection.execute("set local search_path = ''; set local lock_timeout = '7s'")
    before = state(connection)
    report = judge(connection)
    assert state(connection) == before
    told = str(report)
    # What must not be tried is judged all the same.
    assert "leak: tickets: insert as authenticated (member of another organization): 1 row" in told
    assert "not judged: next_invoice: execute as authenticated" in told
    assert "not judged: reset_invoices: execute as authenticated" in told
    assert "note: deals: judged by a copy of its policies" in told
    assert not [finding for finding in report.leaks if finding.table == "deals"]


def test_a_table_whose_trigger_counts_is_still_proved_open(opened: Open) -> None:
    connection = opened(Hole(0, "counting", COUNTING + "alter policy deals_member on public.deals using (true)"))
    told = str(judge(connection))
    assert "leak: deals: select as authenticated (member of another organization): 1 row" in told
    assert "leak: deals: delete as authenticated (member of another organization): reached a row" in told


def test_nothing_is_sent(opened: Open, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    dsn = f"host={host} port={port} user=x password=x connect_timeout=2"
    connection = opened(Hole(0, "sending", SENDING.format(dsn=dsn), as_admin=True))
    report = judge(connection)
    told = str(report)
    with pytest.raises(TimeoutError):
        listener.accept()
    assert "not judged: ask: execute as authenticated (any account): runs with its owner's rights" in told
    assert "not judged: asked: select as authenticated (any account): reads from outside the database" in told
    assert "note: contacts: judged by a copy of its policies" in told
    assert 'note: tried without triggers that may reach outside: alter table "public"."users" disable trigger' in told
    assert report.leaks == report.lockouts == ()
    assert connection.execute("select tgenabled from pg_trigger where tgname = 'tell'").fetchall() == [("O",)] * 2


def test_a_clone_is_asked_what_a_live_database_is_not(opened: Open, listener: socket.socket) -> None:
    host, port = listener.getsockname()
    dsn = f"host={host} port={port} user=x password=x connect_timeout=2"
    connection = opened(Hole(0, "sending", SENDING.format(dsn=dsn), as_admin=True))
    called = threading.Event()

    def hang_up() -> None:
        listener.settimeout(30)
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            called.set()

    threading.Thread(target=hang_up, daemon=True).start()
    judge(connection, clone=True)
    assert called.is_set()


def test_a_function_that_writes_is_tried_on_a_clone(opened: Open) -> None:
    connection = opened(Hole(0, "writing", WRITING))
    live, clone = judge(connection), judge(connection, clone=True)
    assert {(each.table, each.verb) for each in live.unjudged} == {("wipe", "execute"), ("sweep", "execute")}
    for name in ("wipe", "sweep"):
        assert f"{name}: execute as authenticated (member of another organization): changed rows of" in str(clone)
    assert clone.unjudged == ()
