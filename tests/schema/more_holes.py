"""Holes of our own making, beside those of issue 12; numbers from 101."""

from tests.schema.holes import DEFINER, ID, OWN, STORAGE, TENANT, Hole, new_table

MORE: tuple[Hole, ...] = (
    Hole(
        101,
        "columns without the organization readable",
        "revoke select on public.contacts from authenticated; grant select (email) on public.contacts to authenticated;"
        " alter policy contacts_member on public.contacts using (true)",
        named="contacts",
    ),
    Hole(
        102,
        "open policy on a new table",
        new_table("public.notes", f"{ID}, {TENANT}, body text not null")
        + "create policy notes_all on public.notes to authenticated using (true) with check (true)",
        named="notes",
    ),
    Hole(
        103,
        "open where a flag is set",
        new_table("public.pages", f"{ID}, {TENANT}, title text not null, is_public boolean not null default false")
        + f"create policy pages_all on public.pages to authenticated using ({OWN} or is_public) with check ({OWN})",
        named="pages",
    ),
    Hole(
        104,
        "open for one listed value",
        new_table("public.jobs", f"{ID}, {TENANT}, state text not null default 'new' check (state in ('new', 'done'))")
        + f"create policy jobs_all on public.jobs to authenticated using ({OWN} or state = 'done') with check ({OWN})",
        named="jobs",
    ),
    Hole(
        105,
        "open for one enum label",
        "create type public.mood as enum ('calm', 'loud');"
        + new_table("public.moods", f"{ID}, {TENANT}, mood public.mood not null default 'calm'")
        + f"create policy moods_all on public.moods to authenticated using ({OWN} or mood = 'loud') with check ({OWN})",
        named="moods",
    ),
    Hole(
        106,
        "child table joined by its parent's key alone",
        new_table("public.deal_items", f"{ID}, deal_id uuid not null references public.deals (id), label text not null")
        + "create policy items_all on public.deal_items to authenticated"
        " using (exists (select from private.environment_mark) or true) with check (true)",
        named="deal_items",
    ),
    Hole(
        107,
        "definer function taking an organization",
        f"create function public.contacts_of(organization uuid) returns setof public.contacts {DEFINER}"
        " as 'select * from public.contacts where organization_id = organization';"
        " grant execute on function public.contacts_of to authenticated",
        named="contacts_of",
    ),
    Hole(
        108,
        "definer function that counts",
        f"create function public.size() returns bigint {DEFINER} as 'select count(*) from public.contacts';"
        " grant execute on function public.size to anon, authenticated",
        named="size",
    ),
    Hole(
        109,
        "definer function that writes",
        "create function public.close_deal(deal uuid) returns void language sql security definer set search_path = ''"
        " as 'update public.deals set title = ''closed'' where id = deal';"
        " grant execute on function public.close_deal to authenticated",
        named="close_deal",
    ),
    Hole(
        110,
        "invoker function before a definer one",
        f"create function private.dump() returns setof public.contacts {DEFINER} as 'select * from public.contacts';"
        " create function public.dump() returns setof public.contacts language sql stable"
        " as 'select * from private.dump()'; grant usage on schema private to authenticated;"
        " grant execute on function private.dump(), public.dump() to authenticated",
        named="dump",
    ),
    Hole(
        111,
        "overloaded definer function",
        f"create function public.found(text) returns setof public.deals {DEFINER} as 'select * from public.deals';"
        f" create function public.found(integer) returns integer {DEFINER} as 'select 1';"
        " grant execute on function public.found(text) to authenticated",
        named="found",
    ),
    Hole(
        112,
        "trigger copies rows into another organization",
        "create function private.spread() returns trigger language plpgsql security definer set search_path = '' as"
        " $$begin insert into public.notifications (organization_id, user_id, kind, title)"
        " select u.organization_id, u.id, 'info', new.title from public.users u"
        " where u.organization_id <> new.organization_id; return new; end$$;"
        " create trigger spread after insert or update on public.deals for each row execute function private.spread()",
        named="notifications",
    ),
    Hole(
        113,
        "trigger moves rows to another organization",
        "create function private.move() returns trigger language plpgsql security definer set search_path = '' as"
        " $$begin new.organization_id := (select id from public.organizations where id <> new.organization_id limit 1);"
        " return new; end$$; create trigger move before update on public.email_templates for each row"
        " execute function private.move()",
        named="email_templates",
    ),
    Hole(
        114,
        "policy believes user_metadata under another name",
        "create policy own on public.deals for select to authenticated"
        " using (organization_id::text = (auth.jwt() -> 'user_metadata' ->> 'tenant'))",
        named="deals",
    ),
    Hole(
        115,
        "policy believes a request header",
        "create policy own on public.deals for select to authenticated using (organization_id::text ="
        " (nullif(current_setting('request.headers', true), '')::json ->> 'x-tenant'))",
        named="deals",
    ),
    Hole(
        116,
        "claims preset for a role",
        'alter role anon set request.jwt.claims = \'{"sub": "0b6a1e2c-0000-4000-8000-000000000000"}\'',
        named="anon",
        as_admin=True,
    ),
    Hole(
        117,
        "sign-up joins the organization it names",
        "create function public.joined() returns trigger language plpgsql security definer set search_path = '' as"
        " $$begin insert into public.users (organization_id, auth_user_id, email, full_name, status) values"
        " ((new.raw_user_meta_data ->> 'organization_id')::uuid, new.id, lower(new.email), 'New', 'active');"
        " return new; end$$; revoke all on function public.joined() from public, anon, authenticated;"
        " create trigger joined after insert on auth.users for each row execute function public.joined()",
    ),
    Hole(
        118,
        "materialized view",
        "create materialized view public.totals as select organization_id, count(*) from public.deals group by 1;"
        " grant select on public.totals to authenticated",
        named="totals",
    ),
    Hole(
        119,
        "view over a view with its owner's rights",
        "create view private.everything as select * from public.contacts;"
        " create view public.everything with (security_invoker) as select * from private.everything;"
        " grant usage on schema private to authenticated; grant select on private.everything to authenticated;"
        " grant select on public.everything to authenticated",
        named="everything",
    ),
    Hole(
        120,
        "owner's view that counts",
        "create view public.how_many as select count(*) as n from public.deals;"
        " grant select on public.how_many to authenticated",
        named="how_many",
    ),
    Hole(
        121,
        "inheritance child without row-level security",
        "create table public.old_deals () inherits (public.deals); grant select on public.old_deals to authenticated",
        named="old_deals",
    ),
    Hole(
        122,
        "identity table with an open policy",
        new_table(
            "public.tickets", f"id bigint generated always as identity primary key, {TENANT}, title text not null"
        )
        + "create policy tickets_all on public.tickets to authenticated using (true) with check (true)",
        named="tickets",
    ),
    Hole(
        123,
        "table with a required domain column and an open policy",
        "create domain public.postcode as text not null check (value ~ '^[0-9]{5}$');"
        + new_table("public.places", f"{ID}, {TENANT}, code public.postcode, unique (code)")
        + "create policy places_all on public.places to authenticated using (true) with check (true)",
        named="places",
    ),
    Hole(
        124,
        "table that no row can be made for",
        new_table("public.riddles", f"{ID}, {TENANT}, answer text not null check (md5(answer) like 'abcdef012%')")
        + "create policy riddles_all on public.riddles to authenticated using (true) with check (true)",
        named="riddles",
    ),
    Hole(125, "insert revoked from members", "revoke insert on public.deals from authenticated", named="deals"),
    Hole(126, "update revoked from members", "revoke update on public.contacts from authenticated", named="contacts"),
    Hole(
        127,
        "with check false",
        "alter policy companies_member on public.companies with check (false)",
        named="companies",
    ),
    Hole(
        128,
        "policy for delete open",
        "create policy extra on public.activities for delete to authenticated using (true)",
        named="activities",
    ),
    Hole(
        129,
        "members change the account of a row of theirs",
        "grant update (auth_user_id) on public.users to authenticated",
        named="users",
    ),
    Hole(
        130,
        "definer function for anon that tells whether an address is known",
        f"create function public.known(address text) returns boolean {DEFINER} as"
        " 'select exists (select from public.contacts where email = address)';"
        " grant execute on function public.known to anon",
        named="known",
    ),
    Hole(
        131,
        "definer function in a schema that has nothing else",
        f"create schema rpc; grant usage on schema rpc to anon; create function rpc.users() returns setof public.users"
        f" {DEFINER} as 'select * from public.users'",
        named="rpc.users",
    ),
    Hole(
        132,
        "row-level security bypassed by ownership",
        "grant create on schema public to authenticated; alter table public.deals owner to authenticated;"
        " revoke create on schema public from authenticated",
        named="deals",
        as_admin=True,
    ),
    Hole(
        133,
        "policy of one organization's members for another's admins",
        "create policy extra on public.contacts for select to authenticated"
        " using ((select private.current_member_role()) = 'admin')",
        named="contacts",
    ),
    Hole(
        134,
        "table readable through membership of a role",
        "alter role anon inherit; create role hole_team; grant select on public.contacts to hole_team;"
        " grant hole_team to anon; create policy open on public.contacts to anon using (true)",
        named="contacts",
        as_admin=True,
    ),
    Hole(135, "authenticated bypasses row-level security", "alter role authenticated bypassrls", True, "", True),
    Hole(
        136,
        "bytea, range and composite columns with an open policy",
        "create type public.spot as (x integer, y integer);"
        + new_table("public.shapes", f"{ID}, {TENANT}, raw bytea not null, span daterange not null, at public.spot")
        + "create policy shapes_all on public.shapes to authenticated using (true) with check (true)",
        named="shapes",
    ),
    Hole(
        137,
        "two tables that require each other, with open policies",
        new_table("public.heads", f"{ID}, {TENANT}, tail_id uuid not null")
        + new_table(
            "public.tails",
            f"{ID}, {TENANT}, head_id uuid not null references public.heads (id) deferrable initially deferred",
        )
        + "alter table public.heads add foreign key (tail_id) references public.tails (id)"
        " deferrable initially deferred;"
        " create policy heads_all on public.heads to authenticated using (true) with check (true);"
        f" create policy tails_all on public.tails to authenticated using ({OWN}) with check ({OWN})",
        named="heads",
    ),
    Hole(
        138,
        "sequence readable and settable",
        "create sequence public.numbers; grant usage, update on sequence public.numbers to authenticated",
        named="numbers",
    ),
    Hole(
        139,
        "a profile for each account, open to everybody",
        new_table("public.profiles", "id uuid primary key references auth.users (id), nickname text")
        + "create policy profiles_all on public.profiles for select to authenticated using (true)",
        named="profiles",
    ),
    Hole(
        140,
        "policy that trusts whoever writes the organization into the row",
        new_table("public.imports", f"{ID}, {TENANT}, label text")
        + f"create policy imports_read on public.imports for select to authenticated using ({OWN});"
        " create policy imports_write on public.imports for insert to authenticated"
        " with check (organization_id is not null)",
        named="imports",
    ),
    Hole(
        141,
        "files readable by every account",
        STORAGE + "create policy files on storage.objects for select to authenticated using (bucket_id is not null)",
        named="storage.objects",
        as_admin=True,
    ),
    Hole(
        142,
        "files that anybody uploads",
        STORAGE + "create policy files on storage.objects for insert to anon with check (true)",
        named="storage.objects",
        as_admin=True,
    ),
    Hole(
        143,
        "view that writes for its caller by a trigger",
        "create view public.inbox with (security_invoker) as select * from public.deals;"
        " create function private.put() returns trigger language plpgsql security definer set search_path = '' as"
        " $$begin insert into public.deals (organization_id, title) values (new.organization_id, new.title);"
        " return new; end$$; create trigger put instead of insert on public.inbox for each row"
        " execute function private.put(); grant select, insert on public.inbox to authenticated",
        named="inbox",
    ),
    Hole(
        144,
        "owner's view over a table that is not exposed",
        f"create table private.plans ({ID}, {TENANT}, price numeric not null);"
        " create view public.plans as select price from private.plans; grant select on public.plans to authenticated",
        named="plans",
    ),
    Hole(
        145,
        "policy for members whose account was disabled",
        "create policy extra on public.companies for select to authenticated using (organization_id in"
        " (select u.organization_id from public.users u where u.auth_user_id = (select auth.uid())));"
        " alter policy users_select on public.users using"
        " (auth_user_id = (select auth.uid()) or organization_id = (select private.current_organization()))",
        named="companies",
    ),
)
