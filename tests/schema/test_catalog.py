import pytest

from local.snapshot import take
from pgschema.catalog import SECURITY, SNAPSHOT, compare, digests, query, read_snapshot, readable
from tests.schema.conftest import Connection

TABLES = {
    *("organizations", "users", "contacts", "companies", "deals", "activities"),
    *("email_campaigns", "email_templates", "email_sequences", "email_sends", "email_unsubscribes"),
    *("social_posts", "social_accounts", "content_queue", "content_templates"),
    *("client_usage_metrics", "subscription_history", "analytics_snapshots", "platform_metrics"),
    *("notifications", "audit_log"),
}
READ_ONLY = {"client_usage_metrics", "subscription_history", "analytics_snapshots", "platform_metrics"}


def test_the_snapshot_is_what_the_migrations_make(empty: Connection) -> None:
    assert SNAPSHOT.read_text() == take(empty), "run `make snapshot` and review what changed"


def test_there_are_21_tables_all_under_row_level_security(schema: Connection) -> None:
    rows = schema.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relrowsecurity"
    ).fetchall()
    assert {name for (name,) in rows} == TABLES
    tables = "select count(*) from pg_tables where schemaname = 'public'"
    assert schema.execute(tables).fetchone() == (21,)


def test_there_are_25_policies_spread_as_agreed(schema: Connection) -> None:
    rows = schema.execute(
        "select tablename, cmd, roles::text[] from pg_policies where schemaname = 'public'"
    ).fetchall()
    assert len(rows) == 25
    assert {tuple(roles) for _, _, roles in rows} == {("authenticated",)}
    per_table = {table: {cmd for name, cmd, _ in rows if name == table} for table in TABLES}
    assert per_table.pop("organizations") == {"SELECT", "UPDATE", "DELETE"}
    assert per_table.pop("users") == {"SELECT", "INSERT", "UPDATE"}
    assert {table for table, verbs in per_table.items() if verbs == {"SELECT"}} == READ_ONLY
    assert sum(verbs == {"ALL"} for verbs in per_table.values()) == 15


def test_there_are_17_performance_indexes(schema: Connection) -> None:
    count = "select count(*) from pg_indexes where schemaname = 'public' and indexname like %s"
    assert schema.execute(count, ("idx\\_%",)).fetchone() == (17,)


def test_every_foreign_key_has_an_index_that_begins_with_its_columns(schema: Connection) -> None:
    missing = schema.execute(
        """
        select conrelid::regclass::text, conname from pg_constraint k
        where contype = 'f' and connamespace = 'public'::regnamespace and not exists (
          select from pg_index i where i.indrelid = k.conrelid
          and (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)] = k.conkey)
        """
    ).fetchall()
    assert missing == []


def test_every_table_has_a_uuid_key_and_timestamps_kept_by_trigger(schema: Connection) -> None:
    snapshot = read_snapshot()
    for table in TABLES:
        assert snapshot[f"column public.{table}.id"] == "uuid not null default gen_random_uuid()"
        assert snapshot[f"column public.{table}.created_at"] == "timestamp with time zone not null default now()"
        assert snapshot[f"column public.{table}.updated_at"] == "timestamp with time zone not null default now()"
        assert "BEFORE UPDATE" in snapshot[f"trigger public.{table}.{table}_touch"]


def test_organization_scoped_tables_go_with_their_organization_and_refer_only_inside_it(schema: Connection) -> None:
    keys = schema.execute(
        """
        select conrelid::regclass::text, confrelid::regclass::text, pg_get_constraintdef(oid)
        from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace
        """
    ).fetchall()
    to_organization = {
        table for table, target, text in keys if target == "organizations" and "ON DELETE CASCADE" in text
    }
    assert to_organization == TABLES - {"organizations"}
    rest = [text for _, target, text in keys if target not in {"organizations", "auth.users"}]
    assert rest
    assert all(text.startswith("FOREIGN KEY (organization_id, ") for text in rest)


def test_anon_and_public_hold_nothing_and_nobody_may_truncate(schema: Connection) -> None:
    grants = {
        name: text for name, text in read_snapshot().items() if name.split()[0] in {"grants", "schema", "function"}
    }
    assert not [name for name, text in grants.items() if "anon" in text or "PUBLIC" in text]
    assert not [name for name, text in grants.items() if "TRUNCATE" in text]


def test_helpers_are_outside_the_api_and_pin_their_search_path(schema: Connection) -> None:
    functions = {name: text for name, text in read_snapshot().items() if name.startswith("function ")}
    assert all(name.startswith("function private.") for name in functions)
    assert all("SET search_path TO ''" in text for text in functions.values())
    asking = [text for name, text in functions.items() if ".current_" in name]
    assert len(asking) == 3
    assert all("STABLE PARALLEL SAFE SECURITY DEFINER" in text for text in asking)


@pytest.mark.parametrize(
    ("change", "name", "what"),
    [
        ("alter policy deals_member on deals using (true)", "policy public.deals.deals_member", "using (true)"),
        (
            "alter policy deals_member on deals to anon",
            "policy public.deals.deals_member",
            "permissive all to anon",
        ),
        ("drop policy deals_member on deals", "policy public.deals.deals_member", "missing"),
        (
            """create policy "It's: all" on deals for update to anon using (true)""",
            "policy public.deals.It's: all",
            "added permissive update to anon, using (true)",
        ),
        ("alter table deals disable row level security", "rls public.deals", "disabled"),
        (
            "create rule leak as on insert to deals do also notify deals",
            "rule public.deals.leak",
            "added CREATE RULE leak AS, ON INSERT TO public.deals DO, NOTIFY deals;",
        ),
        ("alter table deals force row level security", "rls public.deals", "forced"),
        ("grant select on deals to anon", "grants public.deals", "anon: SELECT"),
        ("grant update (role) on users to anon", "grants public.users", "anon: UPDATE (role)"),
        (
            "revoke all on deals from service_role",
            "grants public.deals",
            "without service_role: DELETE, INSERT, SELECT, UPDATE",
        ),
        ("grant usage on schema private to public", "schema private", "rights: PUBLIC: USAGE"),
        (
            "grant execute on function private.touch() to public",
            "function private.touch()",
            "rights: PUBLIC: EXECUTE",
        ),
        (
            "alter function private.current_member() security invoker",
            "function private.current_member()",
            "STABLE PARALLEL SAFE",
        ),
        ("alter table deals add column x text", "column public.deals.x", "added text"),
        (
            "alter table deals alter stage set default 'proposal'",
            "column public.deals.stage",
            "default 'proposal'::text",
        ),
        ("alter table deals alter stage drop not null", "column public.deals.stage", "without not null"),
        (
            "drop index idx_audit_log_organization_created_at",
            "index public.audit_log.idx_audit_log_organization_created_at",
            "missing",
        ),
        (
            "alter table deals drop constraint deals_amount_check",
            "constraint public.deals.deals_amount_check",
            "missing",
        ),
        ("alter table deals disable trigger deals_touch", "trigger public.deals.deals_touch", "(disabled)"),
    ],
)
def test_a_change_by_hand_is_named_with_what_changed(schema: Connection, change: str, name: str, what: str) -> None:
    live = drifted(schema, change)
    found = compare(live, read_snapshot())
    kind = name.split()[0]
    assert (found.security if kind in SECURITY else found.other) == {name: what}
    assert len(found.security) + len(found.other) == 1
    told = readable(live, read_snapshot())
    assert set(told) - set(read_snapshot()) == {f"{name}: {what}"}


def test_a_table_that_the_api_owns_is_a_right(schema: Connection) -> None:
    live = drifted(schema, "grant create on schema public to service_role; alter table deals owner to service_role")
    found = compare(live, read_snapshot())
    assert ", OWNER, " in found.security["grants public.deals"]


def test_a_catalog_as_reviewed_reads_as_the_snapshots_digests(schema: Connection) -> None:
    assert readable(drifted(schema, "select 1"), read_snapshot()) == digests(read_snapshot())


def drifted(schema: Connection, change: str) -> dict[str, str]:
    schema.execute(change)
    schema.execute("set local search_path = ''")
    return dict(schema.execute(query()).fetchall())
