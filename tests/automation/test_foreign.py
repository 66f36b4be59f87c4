"""What somebody made by hand in a client's database: named until it is gone, closed when an operator says so."""

import json

import psycopg
import pytest
from typer.testing import CliRunner

from automation.cli import NOT_LOOKED, app
from tests.automation.local_client import Client, MakeClient

BY_HAND = """
create table public.leads_import (mail text);
insert into public.leads_import values ('a@example.org');
grant select on public.leads_import to anon;
create view public.all_contacts as select * from public.contacts;
grant select on public.all_contacts to anon;
create function public.all_users() returns setof public.users language sql security definer
  as 'select * from public.users';
grant execute on function public.all_users() to anon
"""
NAMED = [
    "function public.all_users(), owner postgres: PUBLIC, anon may execute, as its owner",
    "table public.leads_import, owner postgres: anon may select, without row-level security",
    "view public.all_contacts, owner postgres: anon may select, as its owner",
]
CLOSED = [
    "function public.all_users(), owner postgres: nobody else may use it, as its owner",
    "table public.leads_import, owner postgres: nobody else may use it",
    "view public.all_contacts, owner postgres: nobody else may use it",
]
READS = ("select * from leads_import", "select * from all_contacts", "select all_users()")


def named(client: Client) -> tuple[int, list[str]]:
    """Exit code of `drift`, and what it says about the schema's catalog."""
    code, found = client("drift")
    assert found["error"] is None
    assert found["program"] == []
    changes = [change for change in found["hand"] if change["resource"] == "schema"]
    paths = [path.removeprefix('catalog["').removesuffix('"]') for each in changes for path in each["properties"]]
    judged = ("isolation", "leak ", "catalog.leak ")
    return code, sorted({path for path in paths if not path.startswith(judged)})


def refused(client: Client, statement: str) -> bool:
    try:
        client.query(f"set role anon; {statement}")
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_what_no_migration_made_stays_in_sight_until_it_is_gone(make_client: MakeClient) -> None:
    client = make_client("byhand")
    client.bring_up()
    assert named(client) == (0, [])
    client.query(BY_HAND)
    assert named(client) == (1, NAMED)
    # Neither an update nor a repair takes it out of sight, and neither touches it.
    assert client("up")[1]["error"] is None
    assert named(client) == (1, NAMED)
    code, done = client("up", "--refresh")
    assert code == 2
    assert "leads_import: select as anon" in done["error"]
    assert named(client) == (1, NAMED)
    assert not any(refused(client, statement) for statement in READS)

    client.query("alter table leads_import add phone text; grant insert on leads_import to anon")
    assert named(client) == (
        1,
        [NAMED[0], NAMED[1].replace("may select", "may insert, select"), NAMED[2]],
    )
    client.query("drop view all_contacts; drop function all_users; drop table leads_import")
    assert named(client) == (0, [])


def test_foreign_objects_are_closed_when_an_operator_says_so_and_nothing_is_dropped(
    make_client: MakeClient,
) -> None:
    client = make_client("closing")
    client.bring_up()
    client.query(BY_HAND + "; grant select on contacts to anon")
    # Without somebody who can answer it asks for --yes, and changes nothing.
    result = CliRunner().invoke(app, ["up", client.name, "--local", "--json", "--refresh", "--close-foreign"])
    assert (result.exit_code, "needs --yes" in json.loads(result.stdout)["error"]) == (2, True)
    assert "to close: table public.leads_import, owner postgres: anon may select" in result.stderr
    assert not any(refused(client, statement) for statement in READS)

    code, done = client("up", "--refresh", "--close-foreign", "--yes")
    assert (code, done["error"]) == (0, None)
    assert sorted(done["close_foreign"]["undo"]) == [
        "grant EXECUTE on routine public.all_users() to PUBLIC",
        "grant EXECUTE on routine public.all_users() to anon",
        "grant SELECT on table public.all_contacts to anon",
        "grant SELECT on table public.leads_import to anon",
    ]
    assert all(refused(client, statement) for statement in (*READS, "select * from contacts"))
    assert client.query("select mail from leads_import") == [("a@example.org",)]
    assert named(client) == (1, CLOSED)
    code, again = client("up", "--refresh", "--close-foreign")
    assert (code, again["close_foreign"]["closed"]) == (0, [])


@pytest.mark.long
def test_what_cannot_be_closed_is_named_and_stops_no_repair(make_client: MakeClient) -> None:
    client = make_client("notmine")
    client.bring_up()
    ref = client.state()["project"]["id"]
    with client.emulators.postgres.admin(ref) as admin:
        admin.execute("create table public.theirs (id int); grant select on public.theirs to anon")
    client.query("alter policy deals_member on deals using (true)")
    code, done = client("up", "--refresh", "--close-foreign", "--yes")
    assert code == 2
    assert "theirs: select as anon" in done["error"]
    assert "Repaired all the same: policy public.deals.deals_member" in done["error"]
    (left,) = done["close_foreign"]["left"]
    assert left.startswith("table public.theirs, owner supabase_admin: anon may select (")
    theirs = "table public.theirs, owner supabase_admin: anon may select, without row-level security"
    assert named(client) == (1, [theirs])


def test_closing_needs_a_look_first() -> None:
    result = CliRunner().invoke(app, ["up", "acme", "--local", "--close-foreign"])
    assert (result.exit_code, "needs --refresh" in result.stderr) == (2, True)


def test_a_preview_says_whether_it_looked_at_the_live_systems(make_client: MakeClient) -> None:
    client = make_client("looked")
    client.bring_up()
    client.query("create table public.scratch (id int)")
    for words in ((), ("--refresh",)):
        result = CliRunner().invoke(app, ["preview", client.name, "--local", "--json", *words])
        (planned,) = json.loads(result.stdout)["clients"]
        assert planned["live_systems_looked_at"] is bool(words)
        assert (NOT_LOOKED in result.stderr) is not bool(words)
        assert result.exit_code == (1 if words else 0)
        assert bool(planned["changes"]) is bool(words)
