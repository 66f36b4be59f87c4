import json
import os
import subprocess
import sys

import pytest

from common.errors import OperatorError
from pgschema.apply import apply
from pgschema.catalog import read_snapshot
from pgschema.isolation import check
from pgschema.migrations import read_migrations
from pgschema.stage import Organization
from tests.schema.conftest import OLD_DEFAULTS, POPULATE, Connection, Database, NewDatabase

SIMPLE_KEY = """
alter table activities drop constraint activities_organization_id_contact_id_fkey;
alter table activities add constraint simple foreign key (contact_id) references contacts (id)
"""
OWN = "organization_id = (select private.current_organization())"
BY_ADMIN = "(select private.current_member_role()) in ('owner', 'admin')"
HOLES = {
    "row-level security off": ("alter table contacts disable row level security", "contacts: select as authenticated"),
    "policy open to read": ("alter policy users_select on users using (true)", "users: select as authenticated"),
    "policy open for all": ("alter policy deals_member on deals using (true)", "deals: delete as authenticated"),
    "policy added": (
        "create policy x on deals for update to authenticated using (true)",
        "deals: update as authenticated",
    ),
    "policy added for anon": (
        "create policy x on deals to anon using (true); grant select on deals to anon",
        "deals: select as anon",
    ),
    "with check open": (
        "alter policy deals_member on deals with check (true)",
        "deals: insert as authenticated (member of another organization): 1 row",
    ),
    "with check missing on insert": (
        "alter policy users_insert on users with check (true)",
        "users: insert (owner) as authenticated (admin of the organization): 1 row",
    ),
    "rows may move": (
        f"alter policy deals_member on deals with check ({OWN} or true)",
        "deals: update (organization_id) as authenticated",
    ),
    "grant to anon": ("grant select on contacts to anon", "contacts: select as anon (not signed in)"),
    "insert granted to anon": ("grant insert on contacts to anon", "contacts: insert as anon"),
    "one column granted to anon": ("grant update (title) on deals to anon", "deals: update as anon"),
    "grant to public": ("grant delete on deals to public", "deals: delete as anon"),
    "truncate for anon": ("grant truncate on audit_log to anon", "audit_log: truncate as anon"),
    "truncate for members": ("grant truncate on companies to authenticated", "companies: truncate as authenticated"),
    "truncate for the server": ("grant truncate on companies to service_role", "companies: truncate as service_role"),
    "simple foreign key": (SIMPLE_KEY, "activities: update (contact_id) as authenticated"),
    "simple foreign key, server": (SIMPLE_KEY, "activities: update (contact_id) as service_role"),
    "members promote themselves": (
        "grant update (role) on users to authenticated",
        "users: update (role) as authenticated (member of the organization): 1 row",
    ),
    "owners change the plan": (
        "grant update (plan) on organizations to authenticated",
        "organizations: update (plan) as authenticated (owner of the organization): 1 row",
    ),
    "members delete the organization": (
        f"alter policy organizations_delete on organizations using ({OWN.replace('organization_id', 'id')})",
        "organizations: delete as authenticated (member of the organization): 1 row",
    ),
    "history deletable": (
        "grant delete on audit_log to authenticated",
        "audit_log: delete as authenticated (owner of the organization): reached a row",
    ),
    "history changeable": ("grant update on audit_log to authenticated", "audit_log: update as authenticated"),
    "history forgeable": (
        f"alter policy audit_log_member on audit_log with check ({OWN})",
        "audit_log: insert (user_id) as authenticated",
    ),
    "billing writable": (
        f"grant update on client_usage_metrics to authenticated; create policy x on client_usage_metrics for update"
        f" to authenticated using ({OWN})",
        "client_usage_metrics: update as authenticated (owner of the organization): reached a row",
    ),
    "notifications of colleagues": (
        f"alter policy notifications_member on notifications using ({OWN})",
        "notifications: select as authenticated (owner of the organization): 1 row",
    ),
    "disabled members": (
        "create or replace function private.current_organization() returns uuid language sql stable security definer"
        " set search_path = '' as 'select organization_id from public.users where auth_user_id = auth.uid()'",
        "contacts: select as authenticated (disabled member): 1 row",
    ),
    "recursion": (
        "alter policy users_select on users using"
        " (organization_id in (select u.organization_id from users u where u.auth_user_id = auth.uid()))",
        "users: select as authenticated (owner of the organization): failed with SQLSTATE 42P17",
    ),
    "view around the policies": (
        "create view everyone as select * from contacts; grant select on everyone to authenticated",
        "everyone: select as authenticated (member of another organization): 1 row",
    ),
    "invitations into any organization": (
        f"alter policy users_insert on users with check ({BY_ADMIN} and role <> 'owner')",
        "users: insert as authenticated (owner of another organization): 1 row",
    ),
    "any organization to edit": (
        f"alter policy organizations_update on organizations using ({BY_ADMIN}) with check ({BY_ADMIN})",
        "organizations: update as authenticated (owner of another organization): reached a row",
    ),
    "any organization to delete": (
        "alter policy organizations_delete on organizations using"
        " ((select private.current_member_role()) = 'owner' and status = 'closed')",
        "organizations: delete as authenticated (owner of another organization): reached a row",
    ),
    "trust in what accounts say of themselves": (
        "create policy x on deals for select to authenticated using"
        " (organization_id::text = (auth.jwt() -> 'user_metadata' ->> 'organization_id'))",
        "deals: select as authenticated (account without organization): 1 row",
    ),
    "view to write through": (
        "create view all_deals as select * from deals; grant update (title) on all_deals to authenticated",
        "all_deals: update as authenticated (member of another organization): reached a row",
    ),
    "view to delete through": (
        "create view all_deals as select * from deals; grant delete on all_deals to anon",
        "all_deals: delete as anon",
    ),
    "view to insert through": (
        "create view all_deals as select * from deals; grant insert on all_deals to authenticated",
        "all_deals: insert as authenticated (owner of another organization): 1 row",
    ),
    "materialized view": (
        "create materialized view totals as select count(*) from deals; grant select on totals to authenticated",
        "totals: select as authenticated (account without organization): not refused, no row",
    ),
    "sequence of other hands": (
        "create sequence numbers; grant usage on numbers to anon",
        "numbers: usage as anon (not signed in): failed with SQLSTATE 55000",
    ),
    "sequence to set back": (
        "create sequence numbers; grant update on numbers to authenticated",
        "numbers: update as authenticated",
    ),
    "helper for anon": (
        "grant usage on schema private to anon; grant execute on function private.current_member() to anon",
        "private.current_member: execute as anon (not signed in): not refused",
    ),
    "function with its owner's rights": (
        "create function everything(since date, variadic text[]) returns setof contacts language sql security definer"
        " as 'select * from public.contacts'; grant execute on function everything to authenticated",
        "everything: execute as authenticated",
    ),
    "mark of ownership": (
        "grant usage on schema private to authenticated; grant update on private.environment_mark to authenticated",
        "private.environment_mark: update as authenticated",
    ),
    "ledger": (
        "grant usage on schema supabase_migrations to anon;"
        " grant select on supabase_migrations.schema_migrations to anon",
        "supabase_migrations.schema_migrations: select as anon",
    ),
    "accounts": ("grant select on auth.users to authenticated", "auth.users: select as authenticated"),
    "tables of anybody's making": (
        "grant create on schema public to authenticated",
        "schema public: create as authenticated",
    ),
    "history deletable by the server": (
        "grant delete on audit_log to service_role",
        "audit_log: delete as service_role (server): not refused",
    ),
    "history changeable by the server": (
        "grant update on audit_log to service_role",
        "audit_log: update as service_role",
    ),
    "notifications in somebody's place": (
        f"alter policy notifications_member on notifications with check ({OWN})",
        "notifications: insert (user_id) as authenticated (owner of the organization): ",
    ),
    "notifications moved to colleagues": (
        f"alter policy notifications_member on notifications with check ({OWN})",
        "notifications: update (user_id) as authenticated (owner of the organization): ",
    ),
    "table of other hands": ("create table theirs (id int); grant insert on theirs to anon", "theirs: insert as anon"),
}


def test_the_schema_repels_every_attack_on_every_table(schema: Connection) -> None:
    report = check(schema)
    assert (report.leaks, report.lockouts) == ((), ())
    assert report.passed
    assert str(report) == f"isolation: {report.attacks} attacks, 0 leaks"
    assert report.attacks > 21 * (5 + 2 * 5)


@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_is_named_by_table_verb_and_role(schema: Connection, hole: str) -> None:
    opened, expected = HOLES[hole]
    schema.execute(opened)
    report = check(schema)
    assert not report.passed
    assert expected in str(report)


def test_default_privileges_that_keep_functions_from_everybody_hide_no_leak(schema: Connection) -> None:
    schema.execute("alter policy deals_member on deals using (true)")
    schema.execute("alter default privileges revoke execute on functions from public")
    told = str(check(schema))
    assert "leak: deals: update as authenticated (member of another organization): reached a row" in told
    assert "leak: deals: delete as authenticated (account without organization): reached a row" in told


def test_a_member_without_access_to_its_own_rows_fails_the_check(schema: Connection) -> None:
    schema.execute("revoke select on deals from authenticated")
    report = check(schema)
    assert [finding.table for finding in report.lockouts] == ["deals"]
    assert "locked out: deals: select as authenticated (owner of the organization)" in str(report)


def test_rows_that_are_there_already_stay_and_are_attacked(schema: Connection) -> None:
    fill = "insert into organizations (name, slug) select 'x', 'x' || n from generate_series(1, 50) n"
    schema.execute(fill)
    schema.execute("insert into contacts (organization_id, email) select id, slug || '@x.test' from organizations")
    assert check(schema).passed
    # The check rolls back the whole transaction it was called in, and commits nothing.
    assert schema.execute("select count(*) from organizations").fetchone() == (0,)


def test_committed_rows_of_others_stay_as_they_are_in_every_table(new_current: NewDatabase) -> None:
    made = new_current()
    with made.connect() as connection:
        connection.execute(POPULATE)
        for own in (Organization.of("owner", "member"), Organization.of("owner", "member")):
            accounts = json.dumps(dict.fromkeys(own.accounts))
            connection.execute("select pg_temp.populate(%s, %s)", (own.id, accounts))
    with made.connect() as connection:
        before = _rows(connection)
        assert all(len(rows) >= 2 for rows in before.values())
        assert check(connection).passed
        # The versions of the rows too: nothing was written, not even the same again.
        assert _rows(connection) == before
        connection.execute("alter policy deals_member on deals using (true)")
        connection.commit()
        assert "deals: delete as authenticated" in str(check(connection))
        assert _rows(connection) == before


def test_what_everybody_could_make_in_an_old_project_is_taken_back(empty: Connection) -> None:
    empty.execute("grant create on schema public to public, anon; " + OLD_DEFAULTS)
    empty.commit()
    apply(empty, read_migrations(), snapshot=read_snapshot())
    assert str(check(empty)).endswith(" 0 leaks")


def test_a_check_gives_way_to_whoever_holds_a_table(new_current: NewDatabase) -> None:
    made = new_current()
    with made.connect() as connection, made.connect() as other:
        other.execute("lock table contacts in access exclusive mode")
        with pytest.raises(OperatorError, match="lock timeout"):
            check(connection)


def test_two_checks_at_once_do_not_meet(ready: Database) -> None:
    with ready.connect() as one, ready.connect() as other:
        one.execute("select 1")
        assert check(one).passed
        assert check(other).passed


def test_every_table_of_ours_is_filled_so_that_no_attack_is_empty(schema: Connection) -> None:
    tables = [name for name in read_snapshot() if name.startswith("table public.")]
    schema.execute("revoke select on all tables in schema public from authenticated")
    assert len(check(schema).lockouts) == len(tables) == 21


def test_a_database_without_the_schema_is_one_line(empty: Connection) -> None:
    with pytest.raises(OperatorError, match=r"database: .*organizations.*could not be carried out"):
        check(empty)


def test_the_command_exits_1_on_a_leak_and_prints_json(new_current: NewDatabase) -> None:
    made = new_current()
    environment = {**os.environ, **made.environment}
    command = [sys.executable, "-m", "components.schema.isolation"]
    closed = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=False)
    assert closed.returncode == 0, closed.stderr
    assert json.loads(closed.stdout)["leaks"] == []
    with made.connect() as connection:
        connection.execute("grant select on contacts to anon")
    opened = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert opened.returncode == 1
    assert "1 leaks\nleak: contacts: select as anon (not signed in)" in opened.stdout


def _rows(connection: Connection) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table of the API with its version."""
    tables = [name.removeprefix("table ") for name in read_snapshot() if name.startswith("table public.")]
    return {
        name: connection.execute(f"select xmin::text, ctid::text, t::text from {name} t order by 2").fetchall()
        for name in tables
    }


def test_an_unreachable_database_is_one_line_and_exit_2() -> None:
    environment = {**os.environ, "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "-m", "components.schema.isolation"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
