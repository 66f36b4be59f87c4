"""What migrations find of Supabase's services in a project's database: storage, realtime, accounts, vault."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.emulators.postgres import Postgres
from local.emulators.supabase.database import ProjectDatabases
from tests.schema.conftest import Database, NewDatabase, new_database

__all__ = ["new_database"]

# A server of somebody else's has a superuser of that name already.
OWNER = "project_owner" if "DATABASE_URL" in os.environ else "postgres"
Connection = psycopg.Connection[Any]
OLDER = """
drop event trigger refuse_service_ddl;
drop event trigger refuse_service_drop;
drop extension pgcrypto, "uuid-ossp", supabase_vault;
drop table storage.objects, storage.buckets, storage.migrations, realtime.messages;
drop table auth.identities, auth.refresh_tokens, auth.sessions, auth.mfa_factors, auth.audit_log_entries;
alter schema storage owner to supabase_storage_admin;
comment on database {ref} is null
"""


@pytest.fixture(scope="module")
def project(new_database: NewDatabase) -> Database:
    return new_database()


@pytest.fixture
def owner(project: Database) -> Iterator[Connection]:
    """A connection as the project's owner; nothing of a test stays."""
    with project.connect() as connection:
        yield connection
        connection.rollback()


def one(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row if len(row) > 1 else row[0]


def test_a_bucket_and_its_policies_decide_who_sees_an_object(owner: Connection) -> None:
    owner.execute("insert into storage.buckets (id, name, public) values ('logos', 'logos', false)")
    owner.execute(
        "create policy own_folder on storage.objects for all to authenticated"
        " using (bucket_id = 'logos' and (storage.foldername(name))[1] = (select auth.uid()::text))"
        " with check (bucket_id = 'logos' and storage.extension(name) = 'png')"
    )
    one_id, other_id = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
    for name in (f"{one_id}/a.png", f"{other_id}/b.png"):
        owner.execute("insert into storage.objects (bucket_id, name) values ('logos', %s)", (name,))
    owner.execute("set local role authenticated")
    owner.execute("select set_config('request.jwt.claim.sub', %s, true)", (one_id,))
    assert one(owner, "select array_agg(name) from storage.objects") == [f"{one_id}/a.png"]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("insert into storage.objects (bucket_id, name) values ('logos', 'a.exe')")


@pytest.mark.parametrize(
    "statement",
    [
        "create policy p on storage.buckets for select using (true)",
        "create policy p on realtime.messages for select to authenticated using (realtime.topic() = 'room')",
        "create policy p on auth.users for select to authenticated using (id = auth.uid())",
        "create trigger t after insert on storage.objects for each row execute function f()",
        "create trigger t after insert on auth.users for each row execute function f();"
        " drop trigger if exists t on auth.users",
        "grant select on storage.objects to authenticated",
        "select realtime.send('{}', 'event', 'topic', false)",
        "select vault.create_secret('s', 'n'), (select decrypted_secret from vault.decrypted_secrets)",
        "insert into auth.identities (provider_id, user_id, identity_data, provider)"
        " select id, id, '{}', 'email' from auth.users",
    ],
)
def test_the_owner_may_do_what_the_hosted_service_allows(owner: Connection, statement: str) -> None:
    owner.execute("create function f() returns trigger language plpgsql as 'begin return new; end'")
    owner.execute(statement.encode())


def test_objects_of_services_have_the_owners_that_they_have_on_the_hosted_service(owner: Connection) -> None:
    found = owner.execute(
        "select n.nspname || '.' || c.relname, c.relowner::regrole::text from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'p')"
        " and n.nspname in ('auth', 'storage', 'realtime', 'vault', 'public', 'extensions')"
    ).fetchall()
    owners = {"auth": "supabase_auth_admin", "storage": "supabase_storage_admin", "realtime": "supabase_realtime_admin"}
    superuser = one(owner, "select relowner::regrole::text from pg_class where relname = 'pg_class'")
    for name, role in found:
        assert role == owners.get(name.partition(".")[0], superuser), name
    routines = owner.execute(
        "select distinct pronamespace::regnamespace::text, proowner::regrole::text from pg_proc"
        " where pronamespace::regnamespace::text in ('auth', 'storage')"
    ).fetchall()
    assert sorted(routines) == [("auth", "supabase_auth_admin"), ("storage", "supabase_storage_admin")]
    assert one(owner, "select nspowner::regrole::text from pg_namespace where nspname = 'extensions'") == OWNER
    assert one(owner, "select extowner::regrole::text from pg_extension where extname = 'pgcrypto'") == OWNER


def test_a_database_of_an_earlier_version_gets_what_it_lacks_and_keeps_its_rows(new_state: Callable[[], Path]) -> None:
    server = Postgres(new_state(), volatile=True)
    server.start()
    try:
        databases = ProjectDatabases(server)
        databases.prepare()
        for ref in ("earlier", "current"):
            databases.create(ref, "not-a-secret-0123456789")
        with server.admin("earlier") as admin:
            admin.execute("create table public.kept as select 1 as n")
            admin.execute("insert into auth.users (id) values (gen_random_uuid())")
            admin.execute(OLDER.format(ref="earlier").encode())
        with server.admin() as admin:
            admin.execute("create database strangers owner postgres")
        ProjectDatabases(server).prepare()
        for ref in ("earlier", "current"):
            with server.admin(ref, options="-c role=postgres") as owner:
                owner.execute("insert into storage.buckets (id, name) values ('logos', 'logos')")
                owner.execute("create policy p on storage.objects for select using (true)")
                assert one(owner, "select extensions.digest('', 'md5')").hex() == "d41d8cd98f00b204e9800998ecf8427e"
        with server.admin("earlier") as admin:
            assert one(admin, "select n, (select count(*) from auth.users) from public.kept") == (1, 1)
            assert one(admin, "select nspowner::regrole::text from pg_namespace where nspname = 'storage'") == (
                "supabase_admin"
            )
        with server.admin("strangers") as admin:
            assert one(admin, "select to_regnamespace('extensions')") is None
    finally:
        server.stop()
