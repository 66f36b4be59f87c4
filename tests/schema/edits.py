"""What somebody may do to a database by hand, as data: every kind of object, made, changed and opened."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """One edit.

    Attributes:
        kind: what it is, in a few words.
        make: statements, run as the project's owner.
        named: how the line about it begins.
        change: statements that change what was made; what is said must change with it.
        as_admin: whether only a superuser may run it.
    """

    kind: str
    make: str
    named: str
    change: str = ""
    as_admin: bool = False


SIX = "as 'select 6'"
FILES = "create extension file_fdw schema extensions; create server files foreign data wrapper file_fdw"
ELSEWHERE = "create foreign data wrapper w; create server files foreign data wrapper w options (host 'secret.example')"
EDITS: tuple[Edit, ...] = (
    # Objects of their own.
    Edit("schema", "create schema extra", "schema extra", "grant usage on schema extra to anon"),
    Edit(
        "table",
        "create table public.x (id int)",
        "table public.x, owner",
        "grant select on public.x to anon",
    ),
    Edit(
        "table's column",
        "create table public.x (id int)",
        "table public.x",
        "alter table public.x add y text",
    ),
    Edit(
        "table in a schema of its own",
        "create schema extra; create table extra.x ()",
        "table extra.x",
    ),
    Edit(
        "table that looks like ours",
        'create table public."contacts.x" ()',
        "table public.'contacts.x'",
    ),
    Edit(
        "table's policy",
        "create table public.x (id int); create policy p on public.x using (false)",
        "table public.x",
        "alter policy p on public.x using (true)",
    ),
    Edit(
        "partition",
        "create table public.x (id int) partition by list (id); create table public.x1 partition of public.x default",
        "table public.x1",
        "alter table public.x detach partition public.x1",
    ),
    Edit("inheritance", "create table public.x () inherits (public.contacts)", "table public.x"),
    Edit(
        "view",
        "create view public.x as select 1 as one",
        "view public.x",
        "grant select on public.x to anon",
    ),
    Edit(
        "materialized view",
        "create materialized view public.x as select 1 as one",
        "matview public.x",
    ),
    Edit(
        "sequence",
        "create sequence public.x",
        "sequence public.x",
        "grant usage on sequence public.x to anon",
    ),
    Edit(
        "function",
        f"create function public.x() returns int language sql {SIX}",
        "function public.x(), owner postgres: PUBLIC may execute",
        "create or replace function public.x() returns int language sql as 'select 7'",
    ),
    Edit(
        "function in a schema of Supabase's",
        f"create function extensions.x() returns int language sql security definer {SIX}",
        "function extensions.x(), owner postgres",
    ),
    Edit(
        "procedure",
        f"create procedure public.x() language sql {SIX}",
        "procedure public.x()",
        "revoke execute on procedure public.x() from public",
    ),
    Edit(
        "aggregate",
        "create aggregate public.x(int) (sfunc = int4pl, stype = int)",
        "aggregate public.x(integer)",
    ),
    Edit(
        "enum",
        "create type public.x as enum ('a', 'b')",
        "type public.x, owner postgres: enum",
        "alter type public.x rename value 'b' to 'c'",
    ),
    Edit(
        "domain",
        "create domain public.x as text",
        "type public.x",
        "alter domain public.x set not null",
    ),
    Edit(
        "composite",
        "create type public.x as (a int)",
        "type public.x",
        "alter type public.x add attribute b int",
    ),
    Edit(
        "range",
        "create type public.x as range (subtype = int)",
        "type public.x, owner postgres: range",
    ),
    Edit(
        "operator",
        "create operator public.### (function = int4pl, leftarg = int, rightarg = int)",
        "operator public.###(integer,integer)",
    ),
    Edit(
        "cast",
        "create type public.x as (a int); create cast (public.x as text) with inout",
        "cast public.x as text",
    ),
    Edit(
        "publication",
        "create publication mine for table public.deals",
        "publication mine",
        "alter publication mine set (publish = 'insert')",
    ),
    Edit(
        "publication of a schema",
        "create publication mine for tables in schema public",
        "publication mine",
        "",
        True,
    ),
    Edit("publication of all", "create publication mine for all tables", "publication mine", "", True),
    Edit(
        "subscription",
        "create subscription mine connection 'dbname=x password=y' publication z"
        " with (connect = false, slot_name = none)",
        "subscription mine",
        "",
        True,
    ),
    Edit(
        "event trigger",
        "create function public.x() returns event_trigger language plpgsql as 'begin end';"
        " create event trigger watch on ddl_command_end execute function public.x()",
        "event-trigger watch",
        "alter event trigger watch disable",
        True,
    ),
    Edit("extension", "create extension file_fdw", "extension file_fdw", "", True),
    Edit("foreign data wrapper", ELSEWHERE, "foreign-data-wrapper w", "", True),
    Edit(
        "server",
        ELSEWHERE,
        "server files",
        "alter server files options (add password 'secret')",
        True,
    ),
    Edit(
        "user mapping",
        f"{FILES}; create user mapping for anon server files",
        "user-mapping files for anon",
        "",
        True,
    ),
    Edit(
        "foreign table",
        f"{FILES}; create foreign table public.x (line text) server files options (filename '/dev/null')",
        "foreign-table public.x",
        "grant select on public.x to anon",
        True,
    ),
    # Roles.
    Edit(
        "login",
        "create role hand_x login",
        "role hand_x: login",
        "alter role hand_x bypassrls",
        True,
    ),
    Edit(
        "role that passes policies",
        "create role hand_x bypassrls",
        "role hand_x: bypassrls",
        "",
        True,
    ),
    Edit(
        "role that makes roles",
        "create role hand_x createrole",
        "role hand_x: createrole",
        "",
        True,
    ),
    Edit("anon bypasses policies", "alter role anon bypassrls", "role anon: bypassrls", "", True),
    Edit(
        "authenticated logs in",
        "alter role authenticated login",
        "role authenticated: login",
        "",
        True,
    ),
    Edit(
        "membership",
        "grant pg_read_all_data to anon",
        "membership anon in pg_read_all_data",
        "grant pg_read_all_data to anon with admin option",
        True,
    ),
    Edit(
        "membership in the deployer",
        "grant {owner} to supabase_read_only_user",
        "membership supabase_read_only_user in postgres",
        "",
        True,
    ),
    Edit(
        "membership of ours",
        "grant workflows to service_role",
        "membership service_role in workflows",
        "",
        True,
    ),
    Edit(
        "exposed schemas",
        "alter role authenticator set pgrst.db_schemas = 'public, private'",
        "setting authenticator pgrst.db_schemas: public, private",
        "alter role authenticator set pgrst.db_schemas = 'public, auth'",
        True,
    ),
    Edit(
        "preset claims",
        "alter role anon set request.jwt.claims = '{{}}'",
        "setting anon request.jwt.claims",
        "",
        True,
    ),
    Edit(
        "setting of the database",
        "alter database {database} set search_path = private",
        "setting database search_path: private",
        "",
        True,
    ),
    Edit(
        "right to make schemas",
        "grant create on database {database} to anon",
        "database ",
        "",
        True,
    ),
    Edit(
        "right to switch triggers off",
        "grant set on parameter session_replication_role to authenticated",
        "parameter session_replication_role",
        "",
        True,
    ),
    Edit(
        "default privileges",
        "alter default privileges in schema public grant select on tables to anon",
        "default-privileges public.tables: added anon: SELECT",
        "alter default privileges in schema public grant insert on tables to anon",
    ),
    Edit(
        "default privileges everywhere",
        "alter default privileges grant execute on functions to anon",
        "default-privileges *.functions",
    ),
    Edit(
        "default privileges of another role",
        "create role hand_x; alter default privileges for role hand_x in schema public grant select on tables to anon",
        "default-privileges public.tables for hand_x",
        "",
        True,
    ),
    # Supabase's own.
    Edit(
        "accounts readable",
        "grant select on auth.users to authenticated",
        "grants auth.users, owner supabase_auth_admin",
    ),
    Edit(
        "accounts readable by a superuser's hand",
        "grant select (id) on auth.users to anon",
        "grants auth.users",
        "",
        True,
    ),
    Edit(
        "policy on accounts",
        "create policy p on auth.users to anon using (true)",
        "policy auth.users.p",
        "",
        True,
    ),
    Edit(
        "trigger on accounts",
        "create function public.x() returns trigger language plpgsql as 'begin return new; end';"
        " create trigger t after insert on auth.users for each row execute function public.x()",
        "trigger auth.users.t",
    ),
    Edit(
        "function that policies rely on",
        "create or replace function auth.uid() returns uuid language sql stable as 'select gen_random_uuid()'",
        "function auth.uid()",
        "",
        True,
    ),
    Edit(
        "objects made in extensions",
        "grant create on schema extensions to anon",
        "schema extensions",
        "",
        True,
    ),
    Edit(
        "ledger readable",
        "grant select on supabase_migrations.schema_migrations to anon",
        "grants supabase_migrations.",
    ),
    Edit(
        "table beside the ledger",
        "create table supabase_migrations.x ()",
        "table supabase_migrations.x",
    ),
    # What our migrations made.
    Edit(
        "schema opened",
        "grant usage on schema private to anon",
        "schema private: rights: anon: USAGE",
    ),
    Edit(
        "tables made in public",
        "grant create on schema public to anon",
        "schema public: rights: anon: CREATE",
    ),
    Edit(
        "right of a role of no list",
        "grant select on contacts to dashboard_user",
        "grants public.contacts: dashboard_user",
    ),
    Edit(
        "right on a column",
        "grant select (email) on contacts to anon",
        "grants public.contacts: anon: SELECT (email)",
    ),
    Edit(
        "right on a helper",
        "grant execute on function private.touch() to anon",
        "function private.touch(): rights: anon",
    ),
    Edit(
        "another owner",
        "alter table contacts owner to supabase_read_only_user",
        "grants public.contacts",
        "",
        True,
    ),
    Edit(
        "another owner of a helper",
        "alter function private.touch() owner to anon",
        "function private.touch()",
        "",
        True,
    ),
    Edit(
        "published",
        "alter publication supabase_realtime add table contacts",
        "published public.contacts.supabase_realtime",
    ),
    Edit("unlogged", "alter table notifications set unlogged", "table public.notifications"),
    Edit("replica identity", "alter table contacts replica identity full", "table public.contacts"),
    Edit("storage parameter", "alter table contacts set (fillfactor = 70)", "table public.contacts"),
    Edit(
        "rule",
        "create rule r as on delete to contacts do instead nothing",
        "rule public.contacts.r",
    ),
    Edit(
        "statistics",
        "create statistics s on email, phone from contacts",
        "statistics public.contacts.s",
    ),
    Edit(
        "column",
        "alter table contacts add n bigint generated always as identity",
        "column public.contacts.n",
    ),
    Edit(
        "keys not enforced",
        "alter table deals disable trigger all",
        "constraint public.deals.",
        "",
        True,
    ),
    Edit(
        "trigger that sends rows away",
        "create function private.x() returns trigger language plpgsql as 'begin return new; end'; create trigger t"
        " after insert on contacts for each row execute function private.x('https://x.example', 'Bearer secret')",
        "trigger public.contacts.t: added CREATE TRIGGER t AFTER INSERT ON public.contacts",
    ),
)
