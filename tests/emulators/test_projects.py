"""Projects of the Supabase emulator: how they come up, rest and go by the clock, and what their databases are like."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from local.emulators.context import Context
from local.emulators.postgres import Postgres
from local.emulators.supabase.app import app, token
from local.emulators.supabase.database import ProjectDatabases
from local.emulators.supabase.pooler import MOST_FAILURES, WINDOW
from supabase_management import pooler
from supabase_management.adoption import Wanted
from supabase_management.client import Client
from supabase_management.project_lifecycle import change
from tests.conftest import Local
from tests.emulators.serving import context_in, serve

PASSWORD, OTHER = "correct-horse-battery-staple", "another-horse-battery-staple"
STARTUP = 100.0
# A server of somebody else's has a superuser of that name already.
OWNER, SUPERUSER = ("project_owner", "postgres") if "DATABASE_URL" in os.environ else ("postgres", "supabase_admin")
Connection = psycopg.Connection[Any]


@dataclass
class Machine:
    """The emulator over the shared server, with a store and a clock of its own."""

    http: httpx.Client
    context: Context
    now: datetime

    def ask(self, method: str, path: str, status: int, **kwargs: Any) -> Any:
        answer = self.http.request(method, path, **kwargs)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def create(self) -> str:
        body = {"name": "t", "organization_slug": "local-agency", "db_pass": PASSWORD}
        made = self.ask("POST", "/v1/projects", 201, json=body)
        assert made["status"] == "UNKNOWN"
        return str(made["ref"])

    def wait(self, part: float) -> None:
        """Let a part of the time pass that a project takes to come up."""
        self.now += timedelta(seconds=part * STARTUP)

    def status(self, ref: str) -> str:
        return str(self.ask("GET", f"/v1/projects/{ref}", 200)["status"])


@contextmanager
def running(context: Context, now: datetime) -> Iterator[Machine]:
    made: Machine
    context = replace(context, clock=lambda: made.now)
    headers = {"Authorization": f"Bearer {token(context.store)}"}
    with serve(app, context) as url, httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=30) as http:
        made = Machine(http, context, now)
        yield made


@pytest.fixture
def machine(local: Local, tmp_path: Path) -> Iterator[Machine]:
    context = replace(context_in(tmp_path), postgres=local.postgres, startup=STARTUP)
    with running(context, datetime(2026, 11, 23, tzinfo=UTC)) as made:
        yield made
        made.wait(9)
        for project in made.ask("GET", "/v1/projects", 200):
            made.ask("DELETE", f"/v1/projects/{project['ref']}", 200)
    context.store.close()


@pytest.fixture
def ref(machine: Machine) -> str:
    """A project that is up."""
    made = machine.create()
    machine.wait(1)
    return made


def login(machine: Machine, ref: str, password: str = PASSWORD, database: str | None = None) -> Connection:
    (pooler,) = machine.ask("GET", f"/v1/projects/{ref}/config/database/pooler", 200)
    return psycopg.connect(
        host=pooler["db_host"],
        port=pooler["db_port"],
        user=pooler["db_user"],
        dbname=database or pooler["db_name"],
        password=password,
        autocommit=True,
    )


def one(connection: Connection, query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row if len(row) > 1 else row[0]


def test_a_project_comes_up_by_the_clock_and_its_database_before_its_services(machine: Machine) -> None:
    ref = machine.create()
    health = f"/v1/projects/{ref}/health?services=db&services=rest&services=realtime"
    seen = []
    for _ in range(11):
        database = machine.http.get(f"/v1/projects/{ref}/config/database/pooler").status_code == 200
        services = sum(service["status"] == "ACTIVE_HEALTHY" for service in machine.ask("GET", health, 200))
        seen.append((machine.status(ref), database, services))
        machine.wait(0.1)
    steps = list(dict.fromkeys(seen))
    assert steps == [
        ("UNKNOWN", False, 0),
        ("COMING_UP", False, 0),
        ("COMING_UP", True, 1),
        ("COMING_UP", True, 2),
        ("ACTIVE_HEALTHY", True, 3),
    ]


def test_a_project_that_comes_up_cannot_be_deleted_yet(machine: Machine) -> None:
    path = f"/v1/projects/{machine.create()}"
    assert machine.ask("DELETE", path, 400) == {"message": "Project not ready for deletion."}
    machine.wait(1)
    machine.ask("DELETE", path, 200)
    machine.ask("GET", path, 404)


def test_a_deleted_project_leaves_no_database_and_no_login(machine: Machine, ref: str) -> None:
    open_connection = login(machine, ref)
    machine.ask("DELETE", f"/v1/projects/{ref}", 200)
    with pytest.raises(psycopg.OperationalError):
        open_connection.execute("select 1")
    with machine.context.postgres.admin() as admin:
        left = (
            "select count(*) from (select datname from pg_database union all select rolname from pg_roles) as n(name)"
        )
        assert one(admin, f"{left} where name like '%{ref}%'") == 0


def test_a_paused_project_lets_nobody_in_and_comes_back_with_its_data(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        database.execute("create table public.kept ()")
    machine.ask("POST", f"/v1/projects/{ref}/restore", 400)
    machine.ask("POST", f"/v1/projects/{ref}/pause", 200)
    assert machine.status(ref) == "PAUSING"
    machine.wait(1)
    assert machine.status(ref) == "INACTIVE"
    machine.ask("GET", f"/v1/projects/{ref}/config/database/pooler", 404)
    machine.ask("POST", f"/v1/projects/{ref}/restore", 200)
    assert machine.status(ref) == "RESTORING"
    machine.wait(1)
    with login(machine, ref) as database:
        assert one(database, "select to_regclass('public.kept')::text") == "kept"


def test_a_new_password_replaces_the_old_one(machine: Machine, ref: str) -> None:
    machine.ask("PATCH", f"/v1/projects/{ref}/database/password", 400, json={"password": "abc"})
    machine.ask("PATCH", f"/v1/projects/{ref}/database/password", 200, json={"password": OTHER})
    login(machine, ref, OTHER).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(machine, ref)


def test_the_pooler_goes_on_with_the_old_password_for_a_while_and_a_change_waits_for_the_new_one(
    machine: Machine, ref: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooler, "PAUSE_AFTER_REFUSAL", 0.1)
    monkeypatch.setattr(pooler, "MOST_REFUSALS", 9)
    wanted = Wanted("t", "local-agency", "us-east-1", "acme", OTHER, timeout=20)
    with running(replace(machine.context, remembered=0.4), machine.now) as slow:
        slow.ask("PATCH", f"/v1/projects/{ref}/database/password", 200, json={"password": "a-third-password"})
        login(slow, ref).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            login(slow, ref, "a-third-password")
        with Client(str(slow.http.base_url), token(slow.context.store)) as client:
            change(client, ref, PASSWORD, wanted)
        login(slow, ref, OTHER).close()
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            login(slow, ref)


def test_the_pooler_blocks_a_project_whose_password_is_guessed_for_a_while(machine: Machine, ref: str) -> None:
    for _ in range(MOST_FAILURES):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            login(machine, ref, OTHER)
    with pytest.raises(psycopg.OperationalError, match="Circuit breaker open"):
        login(machine, ref)
    login(machine, machine_project(machine)).close()
    machine.now += timedelta(seconds=WINDOW)
    login(machine, ref).close()


def machine_project(machine: Machine) -> str:
    """Another project that is up."""
    made = machine.create()
    machine.wait(1)
    return made


def test_nothing_is_lost_when_the_emulator_starts_again(machine: Machine, ref: str) -> None:
    keys = machine.ask("GET", f"/v1/projects/{ref}/api-keys?reveal=true", 200)
    with running(machine.context, machine.now) as again:
        assert again.ask("GET", f"/v1/projects/{ref}/api-keys?reveal=true", 200) == keys
        assert again.status(ref) == "ACTIVE_HEALTHY"
        login(again, ref).close()


def test_the_login_acts_as_an_owner_without_power_over_the_server(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        assert one(database, "select session_user, current_user") == (f"postgres.{ref}", OWNER)
        assert one(database, "show search_path") == '"$user", public, extensions'
        attributes = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication"
        assert one(database, f"select {attributes} from pg_roles where rolname = current_user") == (
            False, True, True, True, True,
        )  # fmt: skip
        for role, bypass in {"anon": False, "authenticated": False, "service_role": True}.items():
            query = f"select rolsuper, rolcanlogin, rolbypassrls from pg_roles where rolname = '{role}'"
            assert one(database, query) == (False, False, bypass)
            database.execute(f"set role {role}".encode())
            database.execute("reset role")


@pytest.mark.parametrize(
    "statement",
    [
        f"set role {SUPERUSER}",
        f"alter role {OWNER} superuser",
        "create table auth.mine ()",
        "drop table auth.users cascade",  # without it the service's own references stop anybody
        "alter table auth.users add column mine int",
        "set role supabase_auth_admin",
        "create function storage.mine() returns int language sql as 'select 1'",
        "create or replace function auth.uid() returns uuid language sql stable as 'select null::uuid'",
        "alter table storage.objects disable row level security",
        "drop function storage.foldername(text)",
        "drop schema storage cascade",
        "alter schema realtime rename to mine",
        "delete from storage.buckets",
        "select pg_read_file('postgresql.conf')",
        f"alter default privileges for role {SUPERUSER} grant all on tables to anon",
    ],
)
def test_the_owner_may_not_do_what_the_service_keeps_to_itself(machine: Machine, ref: str, statement: str) -> None:
    with login(machine, ref) as database, pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute(statement.encode())


def test_the_owner_may_write_accounts_as_on_the_hosted_service(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        database.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'one@example.com')")
        database.execute("update auth.users set phone = '1'")
        assert database.execute("delete from auth.users").rowcount == 1


def test_the_owner_may_build_on_accounts_and_publish_tables(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        database.execute("create table public.profiles (id uuid primary key references auth.users on delete cascade)")
        database.execute("create function public.f() returns trigger language plpgsql as 'begin return new; end'")
        database.execute("create trigger t after insert on auth.users for each row execute function public.f()")
        database.execute("alter publication supabase_realtime add table public.profiles")


def test_new_tables_are_closed_to_the_api_and_new_functions_are_not(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        database.execute("create table public.t (id int generated by default as identity)")
        database.execute("create function public.f() returns int language sql as 'select 1'")
        for role in ("anon", "authenticated", "service_role"):
            assert one(database, f"select has_table_privilege('{role}', 'public.t', 'truncate')")
            assert one(database, f"select has_sequence_privilege('{role}', 'public.t_id_seq', 'update')")
            assert not one(database, f"select has_sequence_privilege('{role}', 'public.t_id_seq', 'usage')")
            database.execute(f"set role {role}".encode())
            assert one(database, "select public.f()") == 1
            for verb in ("select * from t", "insert into t default values", "update t set id = 1", "delete from t"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    database.execute(verb.encode())
            database.execute("reset role")


def test_the_account_functions_read_the_claims_of_the_request(machine: Machine, ref: str) -> None:
    query = "select auth.uid()::text, auth.role(), auth.email(), auth.jwt() ->> 'sub'"
    become = "select set_config('role', 'anon', true), set_config('request.jwt.claims', %s, true)"
    sub = "11111111-1111-4111-8111-111111111111"
    claims = f'{{"sub": "{sub}", "role": "authenticated", "email": "a@example.com"}}'
    with login(machine, ref) as database:
        assert one(database, query) == (None, None, None, None)
        with database.transaction():
            database.execute(become, [claims])
            assert one(database, query) == (sub, "authenticated", "a@example.com", sub)
        # A setting that was local to a transaction is empty afterwards, not unset.
        assert one(database, "select current_setting('request.jwt.claims', true)") == ""
        assert one(database, query) == (None, None, None, None)


def test_the_login_of_one_project_enters_no_other(machine: Machine, ref: str) -> None:
    others = [machine.create()] if "DATABASE_URL" in os.environ else [machine.create(), "postgres", "template1"]
    machine.wait(1)
    for other in others:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            login(machine, ref, database=other)


def test_a_scratch_copy_holds_the_data_and_leaves_the_project_alone(machine: Machine, ref: str) -> None:
    with login(machine, ref) as database:
        database.execute("create table public.t as select 1 as n")
        copy = machine.ask("POST", f"/_local/projects/{ref}/copy", 201)
    with psycopg.connect(copy["dsn"], password=PASSWORD, autocommit=True) as scratch:
        assert one(scratch, "select n from public.t") == 1
        scratch.execute("drop table public.t")
    with login(machine, ref) as database:
        assert one(database, "select n from public.t") == 1
    machine.ask("DELETE", f"/_local/copies/{copy['name']}", 200)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(copy["dsn"], password=PASSWORD)
    machine.ask("DELETE", f"/_local/copies/{ref}", 404)


def test_a_project_is_deleted_once_and_its_scratch_copies_with_it(machine: Machine, ref: str) -> None:
    copy = machine.ask("POST", f"/_local/projects/{ref}/copy", 201)
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: machine.http.delete(f"/v1/projects/{ref}").status_code, range(4))
    assert sorted(answers) == [200, 404, 404, 404]
    with machine.context.postgres.admin() as admin:
        left = admin.execute("select from pg_database where datname in (%s, %s)", (ref, copy["name"])).fetchall()
    assert left == []


def test_emulators_that_share_a_server_may_prepare_it_at_once(local: Local) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: ProjectDatabases(local.postgres).prepare(), range(12)))


def test_a_server_of_somebody_else_serves_as_well(new_state: Callable[[], Path]) -> None:
    theirs = Postgres(new_state(), volatile=True)
    theirs.start()
    try:
        with theirs.admin() as admin:
            admin.execute("create role postgres superuser login password 'theirs'")
        ours = Postgres(new_state(), url=f"postgresql://postgres:theirs@127.0.0.1:{theirs.port}/postgres")
        ours.start()
        databases = ProjectDatabases(ours)
        databases.prepare()
        databases.create("a" * 20, PASSWORD)
        dsn = f"postgresql://{databases.login('a' * 20)}@{databases.host}:{databases.port}/{'a' * 20}"
        with psycopg.connect(dsn, password=PASSWORD) as database:
            assert one(database, "select current_user, current_setting('is_superuser')") == ("project_owner", "off")
        ours.stop()
        theirs.admin().close()
    finally:
        theirs.stop()
