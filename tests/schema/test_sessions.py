"""What one migration file leaves in the session never reaches the next, however the files are batched."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pgschema.apply import Live, MigrationError, apply, read_live
from pgschema.catalog import read_snapshot
from pgschema.gate import GateError
from pgschema.migrations import ALONE, Migration, Statement, read_migrations
from tests.schema.conftest import Connection, Database, NewDatabase

Folder = Callable[..., tuple[Migration, ...]]

# Each leaves something behind that would change what another makes: path, role, settings, temporary objects, cursors,
# prepared statements, deferred checks.
PIECES = (
    "select pg_catalog.set_config('search_path', '', false); create table public.p{n} (id int);",
    "create table q{n} (made text default current_user::text);",
    "set role authenticated;",
    "set role anon; select 1;",
    "set search_path = private, public; create table s{n} (id int);",
    "set check_function_bodies = off; create function public.f{n}() returns int language sql as 'select nothing.x()';",
    "set quote_all_identifiers = on; set datestyle = 'German'; create view public.v{n} as select 1 as \"select\";",
    "create temp table scratch (id int); create table public.t{n} as select * from scratch;",
    "create table public.u{n} (at text default current_setting('timezone')); set timezone = 'Asia/Tokyo';",
    "create table public.d{n} (at timestamptz default '2020-01-01 00:00');",
    "prepare plan as select 1; create table public.x{n} ();",
    "declare rows cursor for select 1; create table public.y{n} ();",
    "create table public.a{n} (id int primary key, up int references public.a{n} (id) deferrable initially deferred);"
    " insert into public.a{n} values (1, 2), (2, 1);",
    "set constraints all immediate; create table public.w{n} (id int unique deferrable initially deferred);"
    " insert into public.w{n} values (1);",
    "set session authorization default; create table public.z{n} ();",
    "set default_transaction_read_only = on;",
    "set session characteristics as transaction isolation level serializable; create table public.i{n} ();",
    "set default_tablespace = ''; set default_with_oids = off; create table public.o{n} ();",
)


EMPTY = "drop schema public cascade; create schema public; drop schema if exists supabase_migrations cascade"


@pytest.fixture(scope="module")
def database(new_database: NewDatabase) -> Database:
    return new_database()


def migration(number: int, text: str) -> Migration:
    """A file of statements without semicolons inside them."""
    statements, offset = [], 0
    for piece in text.format(n=number).removesuffix(";").split(";"):
        start = offset + len(piece) - len(piece.lstrip())
        statements.append(Statement(piece.strip(), start))
        offset += len(piece) + 1
    return Migration(f"209901010000{number:02}", f"m{number}", text.format(n=number), tuple(statements))


def outcome(database: Database, runs: Sequence[Sequence[Migration]]) -> Live:
    """What a database holds after these runs of files, one after the other."""
    with database.connect() as connection:
        connection.execute(EMPTY)
        connection.commit()
        for run in runs:
            apply(connection, run)
        return read_live(connection)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(pieces=list(PIECES), cuts=set(range(1, len(PIECES))))
@given(
    pieces=st.lists(st.sampled_from(PIECES), min_size=2, max_size=6),
    cuts=st.sets(st.integers(min_value=1, max_value=5), min_size=1),
)
@pytest.mark.long
def test_any_split_of_the_pending_files_into_runs_gives_the_same_database(
    database: Database, pieces: list[str], cuts: set[int]
) -> None:
    files = [migration(number, text) for number, text in enumerate(pieces)]
    ends = sorted(cut for cut in cuts if cut < len(files))
    # Each run is given all files up to its end, as a checkout of that time holds them.
    assert outcome(database, [files[:end] for end in (*ends, len(files))]) == outcome(database, [files])


def test_a_path_that_a_file_sets_does_not_reach_the_next(empty: Connection, folder: Folder) -> None:
    files = {
        "20990101000000_dump.sql": "select pg_catalog.set_config('search_path', '', false);",
        "20990101000001_next.sql": "comment on table contacts is 'people';",
    }
    assert len(apply(empty, folder(files)).files) == len(read_migrations()) + 2


@pytest.mark.parametrize("left", ["set role anon", "set lock_timeout = 0", "reset all", "set statement_timeout = 0"])
def test_ours_are_set_again_after_each_file(empty: Connection, folder: Folder, left: str) -> None:
    seen = "create table public.seen as select current_user as role, current_setting('lock_timeout') as patience,"
    seen += " current_setting('statement_timeout') as longest;"
    apply(empty, folder({"20990101000000_a.sql": f"{left};", "20990101000001_b.sql": seen}, ours=False))
    assert empty.execute("select * from public.seen").fetchone() == ("postgres", "5s", "5min")


def test_a_deferred_constraint_fails_at_the_end_of_its_own_file(empty: Connection, folder: Folder) -> None:
    table = "create table public.a (id int primary key, up int references public.a (id) deferrable initially deferred);"
    files = {
        "20990101000000_a.sql": table,
        "20990101000001_b.sql": "insert into public.a values (1, 2);\nselect 1;",
        "20990101000002_c.sql": "insert into public.a values (2, null);",
    }
    with pytest.raises(
        MigrationError, match=r"_b\.sql:2:1: foreign key violation \(SQLSTATE 23503\), constraint a_up_"
    ):
        apply(empty, folder(files, ours=False))


@pytest.fixture
def typed(empty: Connection) -> Connection:
    """A client's database with an enum in use."""
    apply(empty, read_migrations(), snapshot=read_snapshot())
    empty.execute(
        "create type public.lead_source as enum ('web');"
        " alter table public.contacts add column lead_source public.lead_source"
    )
    empty.commit()
    return empty


ADD = {"20990101000000_add.sql": "alter type public.lead_source add value 'phone';"}
USE = {"20990101000001_use.sql": "alter table public.contacts alter column lead_source set default 'phone';"}
VALUES = "select enumlabel from pg_enum where enumtypid = 'public.lead_source'::regtype order by enumsortorder"


def test_a_file_that_uses_an_enum_value_of_the_one_before_it_is_applied_after_a_commit(
    typed: Connection, folder: Folder
) -> None:
    applied = apply(typed, folder(ADD | USE))
    assert applied.files == tuple(f"sql/migrations/{name}" for name in (*ADD, *USE))
    (note,) = applied.notes
    assert note.startswith("sql/migrations/20990101000001_use.sql uses an enum value that an earlier file adds")


def test_the_files_before_the_use_of_an_enum_value_pass_the_gate_too(typed: Connection, folder: Folder) -> None:
    leak = {"20990101000000_add.sql": f"{ADD['20990101000000_add.sql']} grant select on public.deals to anon;"}
    with pytest.raises(GateError, match="deals: select as anon"):
        apply(typed, folder(leak | USE), snapshot=read_snapshot())
    assert typed.execute(VALUES).fetchall() == [("web",)]


def test_a_value_used_in_the_file_that_adds_it_is_refused_with_the_way_out(typed: Connection, folder: Folder) -> None:
    text = " ".join((*ADD.values(), *USE.values()))
    with pytest.raises(MigrationError, match=r"SQLSTATE 55P04.*next migration file"):
        apply(typed, folder({"20990101000000_both.sql": text}))
    assert typed.execute(VALUES).fetchall() == [("web",)]


def test_an_enum_value_can_be_added_by_a_file_that_runs_alone(typed: Connection) -> None:
    text = f"{ALONE}\nalter type public.lead_source add value if not exists 'phone'"
    alone = Migration("20990101000000", "add", text, (Statement(text, 0),))
    used = migration(1, USE["20990101000001_use.sql"])
    assert len(apply(typed, (*read_migrations(), alone, used)).files) == 2
    assert typed.execute(VALUES).fetchall() == [("web",), ("phone",)]


PERSON = "person@client.example"
RAISED = "do $$ begin raise exception '% again', (select min(mail) from people) using errcode = '{}'; end $$"
BROKEN = {
    "duplicate": "insert into public.people values ('{person}')",
    "check": "alter table public.people add constraint short check (length(mail) < 3)",
    "unique index": "create unique index on public.people (left(mail, 0))",
    "cast": "alter table public.people alter mail type integer using mail::integer",
    "date": "select mail::date from public.people",
    "json": "select mail::json from public.people",
    "too long": "alter table public.people alter mail type varchar(3)",
    "raised": RAISED.format("23505"),
    "raised data": RAISED.format("22023"),
    "foreign key": "alter table public.people add foreign key (mail) references public.others (mail)",
    "regular expression": "select 'x' ~ ('(' || mail) from public.people",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_error_tells_no_row(empty: Connection, kind: str) -> None:
    empty.execute(
        "create table public.people (mail text primary key); create table public.others (mail text primary key)"
    )
    empty.execute("insert into public.people values (%s), (%s)", (PERSON, f"second-{PERSON}"))
    empty.commit()
    text = BROKEN[kind].replace("{person}", PERSON)
    failing = Migration("20990101000000", "broken", text, (Statement(text, 0),))
    with pytest.raises(MigrationError, match=r"\(SQLSTATE 2[23]") as failed:
        apply(empty, (failing,))
    told = str(failed.value).split("\n")[0]
    assert PERSON not in told
    assert "person" not in told
    assert told.startswith("sql/migrations/20990101000000_broken.sql:1:1: ")


def test_a_broken_constraint_is_named(empty: Connection, folder: Folder) -> None:
    text = "create table public.a (id int constraint positive check (id > 0)); insert into public.a values (-1);"
    with pytest.raises(
        MigrationError, match=r"check violation \(SQLSTATE 23514\), constraint positive, table public\.a"
    ):
        apply(empty, folder({"20990101000000_a.sql": text}, ours=False))
