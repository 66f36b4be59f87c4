"""Right and common things: no check may name one of them. The flag says which need an entry in allowed.yaml."""

from tests.schema.holes import DEFINER, ID, NEVER_GRANTED, OWN, STORAGE, TENANT, Hole, new_table

MEMBERS = f"to authenticated using ({OWN}) with check ({OWN})"

QUIET: tuple[Hole, ...] = (
    Hole(
        201,
        "trigram index",
        "create extension if not exists pg_trgm schema extensions;"
        " create index on public.contacts using gin (first_name extensions.gin_trgm_ops)",
        exploitable=False,
        as_admin=True,
    ),
    Hole(
        202,
        "partitioned table",
        new_table("public.events", f"id uuid, {TENANT}, day date not null) partition by range (day")
        + f"create policy events_member on public.events {MEMBERS};"
        " create table public.events_2020 partition of public.events for values from ('2020-01-01') to ('2021-01-01');"
        + NEVER_GRANTED.format("public.events_2020"),
        exploitable=False,
    ),
    Hole(
        203,
        "counting view with its caller's rights",
        "create view public.how_many with (security_invoker) as select count(*) from public.contacts;"
        " grant select on public.how_many to authenticated",
        exploitable=False,
    ),
    Hole(
        204,
        "identity table",
        new_table(
            "public.tickets", f"id bigint generated always as identity primary key, {TENANT}, title text not null"
        )
        + f"create policy tickets_all on public.tickets {MEMBERS}",
        exploitable=False,
    ),
    Hole(
        205,
        "view with its caller's rights",
        "create view public.emails with (security_invoker) as select email from public.contacts;"
        " grant select on public.emails to authenticated",
        exploitable=False,
    ),
    Hole(
        206,
        "definer function for the server only",
        f"create function public.all_contacts() returns setof public.contacts {DEFINER}"
        " as 'select * from public.contacts'; revoke all on function public.all_contacts() from public, anon,"
        " authenticated; grant execute on function public.all_contacts() to service_role",
        exploitable=False,
    ),
    Hole(
        207,
        "polymorphic definer function, revoked",
        f"create function public.first_of(anyarray) returns anyelement {DEFINER} as 'select $1[1]';"
        " revoke all on function public.first_of from public, anon, authenticated",
        exploitable=False,
    ),
    Hole(208, "extension's functions in public", "create extension citext with schema public", False, "", True),
    Hole(
        209,
        "definer function that answers with the caller's own rows",
        f"create function public.my_contacts() returns setof public.contacts {DEFINER} as 'select * from"
        " public.contacts where organization_id = private.current_organization()';"
        " revoke all on function public.my_contacts() from public, anon;"
        " grant execute on function public.my_contacts() to authenticated",
        exploitable=False,
    ),
    Hole(
        210,
        "variadic function, revoked",
        f"create function public.glue(variadic words text[]) returns text {DEFINER} as 'select words[1]';"
        " revoke all on function public.glue from public, anon, authenticated",
        exploitable=False,
    ),
    Hole(
        211,
        "trigger that raises where a row would move",
        "create function private.stay() returns trigger language plpgsql set search_path = '' as"
        " $$begin if new.organization_id <> old.organization_id then raise exception 'stays'; end if;"
        " return new; end$$;"
        " create trigger stay before update on public.deals for each row execute function private.stay()",
        exploitable=False,
    ),
    Hole(
        212,
        "trigger that always raises",
        new_table("public.facts", f"{ID}, {TENANT}, body text", "select, insert, update, delete")
        + f"create policy facts_all on public.facts {MEMBERS};"
        " create function private.frozen() returns trigger language plpgsql set search_path = '' as"
        " $$begin raise exception 'facts never change'; end$$; create trigger frozen before update or delete"
        " on public.facts for each row execute function private.frozen()",
        exploitable=False,
    ),
    Hole(
        213,
        "generated column and deferred key",
        new_table(
            "public.lines",
            f"{ID}, {TENANT}, net numeric not null, gross numeric generated always as (net * 2) stored,"
            " parent uuid, unique (organization_id, id), foreign key (organization_id, parent)"
            " references public.lines (organization_id, id) deferrable initially deferred",
        )
        + f"create policy lines_all on public.lines {MEMBERS}",
        exploitable=False,
    ),
    Hole(
        214,
        "table for the server only",
        f"create table public.secrets ({ID}, body text not null); alter table public.secrets enable row level security;"
        + NEVER_GRANTED.format("public.secrets")
        + "grant select, insert, update, delete on public.secrets to service_role",
        exploitable=False,
    ),
    Hole(
        215,
        "child table that follows its parent",
        new_table("public.deal_items", f"{ID}, deal_id uuid not null references public.deals (id), label text not null")
        + "create policy items_all on public.deal_items to authenticated"
        " using (exists (select from public.deals d where d.id = deal_id))"
        " with check (exists (select from public.deals d where d.id = deal_id))",
        exploitable=False,
    ),
    Hole(
        216,
        "owner's view that filters by the caller's organization",
        f"create view public.mine as select email from public.contacts where {OWN};"
        " grant select on public.mine to authenticated",
        exploitable=False,
    ),
    Hole(
        217,
        "a profile for each account, its own only",
        new_table("public.profiles", "id uuid primary key references auth.users (id), nickname text")
        + "create policy profiles_own on public.profiles to authenticated"
        " using (id = (select auth.uid())) with check (id = (select auth.uid()))",
        exploitable=False,
    ),
    Hole(
        218,
        "tenant column under another name and a stricter check",
        new_table(
            "public.sites",
            f"{ID}, tenant uuid not null references public.organizations (id), host text not null unique"
            " check (host ~ '^[a-z0-9-]+\\.[a-z]{2,6}$'), pages integer not null check (pages between 3 and 9),"
            " live_from date not null, live_to date not null, check (live_to > live_from)",
        )
        + "create policy sites_all on public.sites to authenticated"
        " using (tenant = (select private.current_organization()))"
        " with check (tenant = (select private.current_organization()))",
        exploitable=False,
    ),
    Hole(
        219,
        "renamed table, required column, unique index and stricter check",
        "alter table public.content_templates rename to people; alter table public.people add column code text;"
        " update public.people set code = substr(md5(id::text), 1, 8);"
        " alter table public.people alter code set not null;"
        " create unique index on public.people (code);"
        " alter table public.people add check (code ~ '^[0-9a-f]{8}$')",
        exploitable=False,
    ),
    Hole(
        220,
        "invoker function with composite, array and default arguments",
        "create function public.near(one public.contacts, many uuid[] default '{}', variadic words text[] default '{}')"
        " returns setof public.contacts language sql stable set search_path = '' as 'select * from public.contacts';"
        " grant execute on function public.near to authenticated",
        exploitable=False,
    ),
    Hole(
        221,
        "published table with row-level security",
        "alter publication supabase_realtime add table public.deals",
        exploitable=False,
    ),
    Hole(
        222,
        "webhook function that nobody may call",
        "create function private.hook() returns trigger language plpgsql security definer set search_path = ''"
        " as 'begin return new; end'; create trigger hook after insert on public.contacts for each row"
        " execute function private.hook()",
        exploitable=False,
    ),
    Hole(
        223,
        "files in a folder of their organization",
        STORAGE + "create policy files on storage.objects to authenticated"
        " using (split_part(name, '/', 1) = (select private.current_organization())::text)"
        " with check (split_part(name, '/', 1) = (select private.current_organization())::text)",
        exploitable=False,
        as_admin=True,
    ),
    Hole(
        224,
        "table with one column and no key",
        "create table public.bare (label text);" + NEVER_GRANTED.format("public.bare"),
        exploitable=False,
    ),
    Hole(
        225,
        "trigger that gives each new organization and account rows of their own",
        new_table("public.preferences", f"{ID}, {TENANT}, theme text")
        + f"create policy preferences_all on public.preferences {MEMBERS};"
        + new_table("public.profiles", "id uuid primary key references auth.users (id) deferrable initially deferred")
        + "create policy profiles_own on public.profiles to authenticated"
        " using (id = (select auth.uid())) with check (id = (select auth.uid()));"
        " create function private.welcome() returns trigger language plpgsql security definer set search_path = '' as"
        " $$begin insert into public.preferences (organization_id) values (new.organization_id);"
        " if new.auth_user_id is not null then insert into public.profiles (id) values (new.auth_user_id); end if;"
        " return new; end$$; create trigger welcome after insert on public.users for each row"
        " execute function private.welcome()",
        exploitable=False,
    ),
)

NEEDS_ALLOWING: tuple[tuple[Hole, str], ...] = (
    (
        Hole(
            301,
            "lookup table for all members",
            "create table public.countries (code text primary key, name text not null);"
            " alter table public.countries enable row level security;"
            + NEVER_GRANTED.format("public.countries")
            + "grant select on public.countries to authenticated;"
            " create policy countries_read on public.countries for select to authenticated using (true)",
            exploitable=False,
            named="countries",
        ),
        "- {object: public.countries, role: authenticated, verb: select, reason: a lookup table, reviewer: Ann}",
    ),
    (
        Hole(
            302,
            "lead form for anon",
            f"create table public.leads ({ID}, email text not null check (email like '%@%'));"
            " alter table public.leads enable row level security;"
            + NEVER_GRANTED.format("public.leads")
            + "grant insert on public.leads to anon;"
            " create policy leads_insert on public.leads for insert to anon with check (true)",
            exploitable=False,
            named="leads",
        ),
        "- {object: public.leads, role: anon, verb: insert, reason: the site's form, reviewer: Ann}",
    ),
)
