"""Holes opened on purpose, as data: each is SQL for a database that holds our schema and two filled organizations.

`LISTED` follows issue 12, `more_holes.MORE` are shapes of our own, and `right_things.QUIET` must not be named.
A hole keeps its number for ever.
"""

from dataclasses import dataclass

OWN = "organization_id = (select private.current_organization())"
NEVER_GRANTED = "revoke all on {0} from public, anon, authenticated, service_role;"


@dataclass(frozen=True)
class Hole:
    """One hole, or one thing that must stay quiet.

    Attributes:
        number: stable, for reports.
        name: what was done, in a few words.
        sql: statements without parameters, run as the project's owner.
        exploitable: whether one of the API's roles can use it, so that attacks must name it.
        named: part of the object's name that a finding about it shows.
        as_admin: whether only a superuser may run `sql`.
    """

    number: int
    name: str
    sql: str
    exploitable: bool = True
    named: str = ""
    as_admin: bool = False

    def __str__(self) -> str:
        return f"{self.number} {self.name}"


def new_table(name: str, columns: str, rights: str = "select, insert, update, delete", *, rls: bool = True) -> str:
    """A new table, without a policy, with rights for authenticated and service_role only."""
    return (
        f"create table {name} ({columns});"
        + (f"alter table {name} enable row level security;" if rls else "")
        + NEVER_GRANTED.format(name)
        + f"grant {rights} on {name} to authenticated, service_role;"
    )


TENANT = "organization_id uuid not null references public.organizations (id) on delete cascade"
ID = "id uuid primary key default gen_random_uuid()"
DEFINER = "language sql stable security definer set search_path = ''"

# As Supabase makes it, for a database that has none.
STORAGE = """
create table if not exists storage.buckets (id text primary key, name text not null unique, owner uuid,
  public boolean default false, created_at timestamptz default now());
create table if not exists storage.objects (id uuid primary key default gen_random_uuid(),
  bucket_id text references storage.buckets (id), name text, owner uuid, created_at timestamptz default now(),
  unique (bucket_id, name));
alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;
grant all on storage.buckets, storage.objects to anon, authenticated, service_role, postgres;
"""

LISTED: tuple[Hole, ...] = (
    Hole(1, "row-level security off", "alter table public.contacts disable row level security", named="contacts"),
    Hole(2, "with check true", "alter policy deals_member on public.deals with check (true)", named="deals"),
    Hole(
        3,
        "extra permissive policy",
        "create policy extra on public.deals for select to authenticated using (true)",
        named="deals",
    ),
    Hole(
        4,
        "grant and policy for anon",
        "grant select on public.contacts to anon; create policy open on public.contacts to anon using (true)",
        named="contacts",
    ),
    Hole(
        5,
        "owner's view without an organization column",
        "create view public.emails as select email from public.contacts;"
        " grant select on public.emails to authenticated",
        named="emails",
    ),
    Hole(
        6,
        "definer function in public",
        f"create function public.all_contacts() returns setof public.contacts {DEFINER}"
        " as 'select * from public.contacts'; grant execute on function public.all_contacts() to authenticated",
        named="all_contacts",
    ),
    Hole(
        7,
        "definer function in the exposed schema api",
        f"create schema api; grant usage on schema api to authenticated;"
        f" create function api.all_contacts() returns setof public.contacts {DEFINER}"
        " as 'select * from public.contacts'; grant execute on function api.all_contacts() to authenticated",
        named="api.all_contacts",
    ),
    Hole(
        8,
        "trigger copies rows to an open table",
        new_table("public.copies", "id bigint generated always as identity, payload jsonb", "select", rls=False)
        + "create function private.copy_out() returns trigger language plpgsql security definer set search_path = ''"
        " as 'begin insert into public.copies (payload) values (to_jsonb(new)); return new; end';"
        " create trigger copy_out after insert or update on public.contacts for each row"
        " execute function private.copy_out()",
        named="copies",
    ),
    Hole(
        9,
        "foreign key without the organization",
        "alter table public.activities drop constraint activities_organization_id_contact_id_fkey;"
        " alter table public.activities add foreign key (contact_id) references public.contacts (id)",
        named="activities",
    ),
    Hole(10, "one column for anon", "grant select (email) on public.contacts to anon", named="contacts"),
    Hole(11, "whole-table update of users", "grant update on public.users to authenticated", named="users"),
    Hole(
        12,
        "default privileges for anon",
        "alter default privileges in schema public grant select on tables to anon",
        exploitable=False,
    ),
    Hole(13, "history deletable by the server", "grant delete on public.audit_log to service_role", named="audit_log"),
    Hole(
        14,
        "another login that bypasses row-level security",
        "create role hole_reader login bypassrls; grant usage on schema public to hole_reader;"
        " grant select on all tables in schema public to hole_reader",
        exploitable=False,
        as_admin=True,
    ),
    Hole(
        15,
        "pg_read_all_data for authenticated",
        "alter role authenticated inherit; grant pg_read_all_data to authenticated",
        as_admin=True,
    ),
    Hole(
        16,
        "foreign table",
        "create extension file_fdw schema extensions; create server files foreign data wrapper file_fdw;"
        " create foreign table public.passwd (line text) server files options (filename '/etc/hostname');"
        " grant select on public.passwd to authenticated",
        named="passwd",
        as_admin=True,
    ),
    Hole(
        17,
        "partition without row-level security",
        new_table("public.events", f"id uuid, {TENANT}, day date not null) partition by range (day")
        + f"create policy events_member on public.events to authenticated using ({OWN}) with check ({OWN});"
        " create table public.events_2020 partition of public.events for values from ('2020-01-01') to ('2021-01-01');"
        " grant select on public.events_2020 to authenticated",
        named="events_2020",
    ),
    Hole(
        18,
        "filled table without row-level security",
        new_table("public.notes", f"{ID}, {TENANT}, body text not null", rls=False)
        + "insert into public.notes (organization_id, body) select id, 'x' from public.organizations",
        named="notes",
    ),
    Hole(
        19,
        "empty table with an open policy and no organization column",
        new_table("public.settings", "key text primary key, value jsonb not null")
        + "create policy settings_all on public.settings to authenticated using (true) with check (true)",
        named="settings",
    ),
    Hole(
        20,
        "table in the exposed schema api",
        "create schema api; grant usage on schema api to authenticated;"
        + new_table("api.leads", f"{ID}, {TENANT}, email text not null", rls=False),
        named="api.leads",
    ),
    Hole(
        21,
        "published table without row-level security",
        f"create table public.feed ({ID}, {TENANT}, body text);"
        " revoke all on public.feed from public, anon, authenticated, service_role;"
        " alter publication supabase_realtime add table public.feed",
        named="feed",
    ),
    Hole(
        22,
        "helper answers a fixed organization",
        "create or replace function private.current_organization() returns uuid language sql stable security definer"
        " set search_path = '' as 'select id from public.organizations order by created_at, id limit 1'",
    ),
    Hole(
        23,
        "auth.uid() replaced",
        "create or replace function auth.uid() returns uuid language sql stable security definer as"
        " 'select auth_user_id from public.users where auth_user_id is not null and status = ''active'' limit 1'",
        as_admin=True,
    ),
    Hole(
        24,
        "private schema open",
        "grant usage on schema private to anon, authenticated;"
        " grant select on private.environment_mark to anon, authenticated",
        named="environment_mark",
    ),
    Hole(
        25,
        "role setting exposes private",
        "alter role authenticator set pgrst.db_schemas = 'public, private';"
        " grant usage on schema private to authenticated; grant select on private.environment_mark to authenticated",
        named="environment_mark",
        as_admin=True,
    ),
    Hole(
        26,
        "rule writes elsewhere",
        "create rule copy_out as on update to public.contacts do also"
        " update public.deals set title = 'x' where organization_id <> new.organization_id",
    ),
    Hole(
        27,
        "policy open for rows without an owner",
        f"alter policy contacts_member on public.contacts using ({OWN} or owner_id is null)",
        named="contacts",
    ),
    Hole(
        28,
        "policy that opens later",
        f"alter policy contacts_member on public.contacts using ({OWN} or now() > '2090-01-01')",
        exploitable=False,
    ),
    Hole(
        29,
        "restrictive policy locks members out",
        "create policy nothing on public.contacts as restrictive to authenticated using (false)",
        named="contacts",
    ),
    Hole(30, "accounts readable", "grant select on auth.users to authenticated", named="auth.users", as_admin=True),
    Hole(
        31,
        "ledger readable",
        "grant usage on schema supabase_migrations to authenticated;"
        " grant select on supabase_migrations.schema_migrations to authenticated",
        named="schema_migrations",
    ),
    Hole(
        32,
        "definer procedure",
        "create procedure public.wipe() language sql security definer set search_path = ''"
        " as 'delete from public.deals'; grant execute on procedure public.wipe() to authenticated",
        named="wipe",
    ),
    Hole(33, "disabled trigger", "alter table public.contacts disable trigger contacts_touch", exploitable=False),
    Hole(34, "workflows may delete", "grant delete on public.contacts to workflows", exploitable=False),
    Hole(
        35,
        "new domain and comment",
        "create domain public.code as text; comment on table public.contacts is 'x'",
        exploitable=False,
    ),
    Hole(36, "dashboard right for the reader", "grant dashboard_user to supabase_read_only_user", False, "", True),
    Hole(
        37,
        "owner's view for admins of any organization",
        "create view public.everybody as select u.* from public.users u where"
        " (select private.current_member_role()) = 'admin'; grant select on public.everybody to authenticated",
        named="everybody",
    ),
    Hole(38, "invitations active at once", "alter table public.users alter status set default 'active'", False),
    Hole(
        39,
        "one account in several organizations",
        "alter table public.users drop constraint users_auth_user_id_key",
        exploitable=False,
    ),
    Hole(
        40,
        "trigger promotes whoever changes itself",
        "create function private.promote() returns trigger language plpgsql set search_path = ''"
        " as 'begin new.role := ''owner''; return new; end'; create trigger promote before update on public.users"
        " for each row execute function private.promote()",
        named="users",
    ),
    Hole(
        41,
        "view over auth.users",
        "create view public.accounts as select id, email from auth.users; grant select on public.accounts"
        " to authenticated",
        named="accounts",
    ),
    Hole(
        42,
        "definer function with composite, array and variadic arguments",
        f"create function public.matching(one public.contacts, many uuid[], variadic words text[])"
        f" returns setof public.contacts {DEFINER} as 'select * from public.contacts';"
        " grant execute on function public.matching to authenticated",
        named="matching",
    ),
    Hole(
        43,
        "definer trigger function",
        "create function public.noop() returns trigger language plpgsql security definer set search_path = ''"
        " as 'begin return new; end'; grant execute on function public.noop() to authenticated",
        exploitable=False,
    ),
    Hole(
        44,
        "row-level security off on the mark",
        "alter table private.environment_mark disable row level security",
        False,
    ),
    Hole(
        45, "authenticator may become workflows", "grant workflows to authenticator", exploitable=False, as_admin=True
    ),
)
