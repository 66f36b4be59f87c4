"""Extensions in local mode: who may create them, and what stand-ins do, say and refuse.

Expected digests, hashes and UUIDs are those of the real extensions on Postgres 15.
"""

import os
import subprocess
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from local.emulators.extensions import OFFERED, STAND_INS
from local.emulators.postgres import programs
from tests.conftest import Local
from tests.schema.conftest import Database, NewDatabase, new_database

__all__ = ["new_database"]

pytestmark = pytest.mark.skipif(
    "DATABASE_URL" in os.environ, reason="a server of somebody else's has extensions of its own"
)
Connection = psycopg.Connection[Any]
STAND_IN_NAMES = sorted(path.stem for path in STAND_INS.glob("*.control"))
PLACED = {"pg_cron": "", "supabase_vault": "", "pg_graphql": " with schema graphql"}


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


@pytest.mark.parametrize("name", ["citext", "pg_trgm", "unaccent", "btree_gist", "hstore", "vector", *STAND_IN_NAMES])
def test_the_owner_creates_an_extension_as_on_the_hosted_service(owner: Connection, name: str) -> None:
    place = PLACED.get(name, " with schema extensions")
    owner.execute(f'create extension if not exists "{name}"{place}'.encode())
    assert one(owner, f"select count(*) from pg_extension where extname = '{name}'") == 1


def test_the_owner_makes_a_foreign_server(owner: Connection) -> None:
    owner.execute("create extension postgres_fdw with schema extensions")
    owner.execute("create server elsewhere foreign data wrapper postgres_fdw options (host '127.0.0.1')")


def test_what_the_hosted_service_does_not_offer_stays_refused(owner: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute("create extension file_fdw")


def test_an_extension_that_local_mode_lacks_is_refused_by_name(owner: Connection) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match='"postgis" is not available'):
        owner.execute("create extension postgis")


def test_every_stand_in_is_offered_and_says_what_it_is(owner: Connection) -> None:
    comments = dict(owner.execute("select name, comment from pg_available_extensions").fetchall())
    for name in STAND_IN_NAMES:
        assert name in OFFERED
        assert comments[name].startswith("stand-in of local mode"), name


@pytest.mark.parametrize("name", ["pg_cron", "pg_net", "http", "pg_graphql"])
def test_a_stand_in_that_does_less_warns_when_it_is_created(owner: Connection, name: str) -> None:
    told: list[str] = []
    owner.add_notice_handler(lambda diagnostic: told.append(str(diagnostic.message_primary)))
    owner.execute(f"create extension {name}".encode())
    assert [each for each in told if each.startswith(f"{name} here is the stand-in of local mode")]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("encode(digest('', 'sha1'), 'hex')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("encode(digest(repeat('a', 55), 'SHA1'), 'hex')", "c1c8bbdc22796e28c0e15163d20899b65621d65a"),
        ("encode(digest(repeat('a', 56), 'sha1'), 'hex')", "c2db330f6083854c99d4b5bfb6e8f29f201be699"),
        ("encode(digest(repeat('a', 64), 'sha1'), 'hex')", "0098ba824b5c16427bd7a1122a5a442a25ec644d"),
        (
            "encode(hmac('what do ya want for nothing?', 'Jefe', 'sha256'), 'hex')",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "encode(hmac('x', repeat('k', 200), 'sha512'), 'hex')",
            "3bea04514dec7eac85d846ec90cead0c22ff461ba7250c03635876766055b829"
            "aac0109c567fa359e5f177a9e8c30233a682a33467845ac6f966813635668f7a",
        ),
        ("crypt('password', '$1$deadbeef$')", "$1$deadbeef$Q7g0UO4hRC0mgQUQ/qkjZ0"),
        ("crypt('', '$1$ab$')", "$1$ab$rn6aQS/o7141mj179E/zA."),
        (
            "crypt('a long password that exceeds sixteen', '$1$saltsalt$')",
            "$1$saltsalt$4cUYXW/HePxU5FgG79oyd1",
        ),
        (
            "crypt('éàü', '$2a$04$abcdefghijklmnopqrstuu')",
            "$2a$04$abcdefghijklmnopqrstuueoTEOYMUZpB4TiqivK9YO0rPG4UdSV.",
        ),
        (
            "crypt(repeat('x', 80), '$2a$04$abcdefghijklmnopqrstuu')",
            "$2a$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i",
        ),
        ("uuid_generate_v3(uuid_ns_dns(), 'www.example.com')::text", "5df41881-3aed-3515-88a7-2f4a814cf09e"),
        ("uuid_generate_v5(uuid_ns_dns(), 'www.example.com')::text", "2ed6657d-e927-568b-95e1-2665a8aea6a2"),
    ],
)
def test_a_stand_in_gives_what_the_real_extension_gives(owner: Connection, expression: str, expected: str) -> None:
    assert one(owner, f"select {expression}") == expected


def test_a_password_is_stored_and_checked(owner: Connection) -> None:
    for kind in ("bf", "md5"):
        rounds = ", 4" if kind == "bf" else ""
        stored = one(owner, f"select crypt('right', gen_salt('{kind}'{rounds}))")
        query = "select crypt('right', %s) = %s, crypt('wrong', %s) = %s"
        assert owner.execute(query, (stored,) * 4).fetchone() == (True, False)


def test_random_values_have_their_size_and_their_version(owner: Connection) -> None:
    assert one(owner, "select length(gen_random_bytes(100)), gen_random_bytes(16) = gen_random_bytes(16)") == (
        100,
        False,
    )
    for version in ("1", "1mc", "4"):
        made = f"extensions.uuid_generate_v{version}()"
        assert one(owner, f"select uuid_extract_version({made}), {made} = {made}") == (int(version[0]), False)


@pytest.mark.parametrize(
    "expression",
    [
        "encrypt('a', 'b', 'aes')",
        "pgp_sym_encrypt('a', 'b')",
        "pgp_sym_decrypt('a', 'b')",
        "armor('a')",
        "digest('a', 'whirlpool')",
        "gen_salt('des')",
        "crypt('a', 'ab')",
        "crypt('a', '$2a$12$abcdefghijklmnopqrstuu')",
    ],
)
def test_what_a_stand_in_cannot_do_is_refused_and_never_answered_wrong(owner: Connection, expression: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="local mode's stand-in for pgcrypto cannot do"):
        owner.execute(f"select {expression}".encode())


def test_pgcrypto_works_in_the_schema_that_it_is_moved_to(owner: Connection) -> None:
    owner.execute("create schema mine; alter extension pgcrypto set schema mine; set local search_path = ''")
    assert one(owner, "select encode(mine.hmac('', '', 'sha1'), 'hex')") == "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"
    assert one(owner, "select mine.crypt('a', mine.gen_salt('bf', 4))").startswith("$2a$04$")


def test_a_scheduled_job_is_a_row_of_its_caller_and_the_notice_says_that_it_does_not_run(owner: Connection) -> None:
    owner.execute("create extension pg_cron")
    told: list[str] = []
    owner.add_notice_handler(lambda diagnostic: told.append(str(diagnostic.message_primary)))
    first = one(owner, "select cron.schedule('nightly', '0 3 * * *', 'select 1')")
    assert one(owner, "select cron.schedule('nightly', '0 4 * * *', 'select 2')") == first
    owner.execute("select cron.schedule('30 seconds', 'select 3')")
    assert told == ["local mode's stand-in for pg_cron stores this job and does not run it"] * 3
    jobs = owner.execute("select jobname, schedule, command, username from cron.job order by jobid").fetchall()
    assert jobs == [
        ("nightly", "0 4 * * *", "select 2", "postgres"),
        (None, "30 seconds", "select 3", "postgres"),
    ]
    assert one(owner, "select cron.unschedule('nightly')") is True
    with pytest.raises(psycopg.errors.InsufficientPrivilege), owner.transaction():
        owner.execute("update cron.job set command = 'select 4'")
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="invalid schedule: soon"):
        owner.execute("select cron.schedule('soon', 'select 1')")


def test_a_trigger_that_posts_stores_its_request_and_sends_nothing(owner: Connection) -> None:
    owner.execute("create extension pg_net with schema extensions")
    owner.execute("create table public.leads (email text)")
    owner.execute(
        "create function public.tell() returns trigger language plpgsql security definer as $$ begin"
        " perform net.http_post(url := 'http://127.0.0.1:9/hook', body := jsonb_build_object('email', new.email));"
        " return new; end $$; create trigger tell after insert on public.leads for each row execute function tell()"
    )
    owner.execute("insert into public.leads values ('one@example.com')")
    request = one(owner, "select method, url, convert_from(body, 'UTF8')::jsonb from net.http_request_queue")
    assert request == ("POST", "http://127.0.0.1:9/hook", {"email": "one@example.com"})
    assert one(owner, "select status_code, error_msg from net._http_response") == (None, "local mode sends no request")


def test_a_request_of_http_is_refused_and_functions_that_name_its_types_are_made(owner: Connection) -> None:
    owner.execute("create extension http with schema extensions")
    owner.execute(
        "create function public.status() returns int language sql set search_path = extensions as $$"
        " select status from http(('DELETE', 'http://127.0.0.1:9', array[http_header('a', 'b')],"
        " null, null)::http_request) $$"
    )
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="stand-in for http sends no request"):
        owner.execute("select public.status()")


def test_vectors_are_indexed_and_found(owner: Connection) -> None:
    owner.execute("create extension vector with schema extensions")
    owner.execute(
        "create table public.notes (id uuid primary key default uuid_generate_v4(), embedding vector(3));"
        "create index on public.notes using hnsw (embedding vector_cosine_ops);"
        "create index on public.notes using ivfflat (embedding vector_l2_ops) with (lists = 1);"
        "insert into public.notes (embedding) values ('[1,2,3]'), ('[3,2,1]')"
    )
    assert one(owner, "select embedding::text from public.notes order by embedding <-> '[3,2,0]' limit 1") == "[3,2,1]"


def test_a_token_of_pgjwt_is_verified_by_its_secret(owner: Connection) -> None:
    owner.execute("create extension pgjwt with schema extensions")
    # The example of RFC 7515, appendix A.1, has another layout of its JSON; this one is jwt.io's.
    token = one(
        owner, """select sign('{"sub":"1234567890","name":"John Doe","iat":1516239022}', 'your-256-bit-secret')"""
    )
    assert token.endswith(".SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")
    checked = "select (verify(%s, %s)).valid"
    assert owner.execute(checked, (token, "your-256-bit-secret")).fetchone() == (True,)
    assert owner.execute(checked, (token, "another")).fetchone() == (False,)


def test_a_dump_names_a_stand_in_as_it_names_the_real_extension(local: Local, project: Database) -> None:
    url = local.postgres.url(project.ref)
    dump = subprocess.run([programs() / "pg_dump", "-d", url], capture_output=True, text=True, check=False)
    assert dump.returncode == 0, dump.stderr
    assert "CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA extensions" in dump.stdout
    assert "_sha1" not in dump.stdout
