"""The six operations of the schema: the real provider process against the emulated API and a real Postgres."""

from collections.abc import Iterator
from typing import Any

import pytest

from components import asked
from components.dynamic import whole
from components.schema.resource import DRIFTING, SchemaProvider
from local.rehearsal.diff import differences
from pgschema.apply import apply
from pgschema.catalog import digests, read_snapshot
from pgschema.migrations import read_migrations
from tests.conftest import Local
from tests.dynamic_server import UNKNOWN, DynamicProvider, ProviderError, dynamic_server
from tests.schema.conftest import PASSWORD, Database, NewDatabase


@pytest.fixture(scope="module")
def provider(local: Local) -> Iterator[DynamicProvider]:
    with dynamic_server(local.exports) as running:
        yield running.provider(SchemaProvider)


@pytest.fixture
def made(new_current: NewDatabase) -> Database:
    """A database with our schema, so that a create applies nothing."""
    return new_current()


@pytest.fixture
def wanted(made: Database) -> dict[str, Any]:
    return inputs_for(made)


def inputs_for(made: Database) -> dict[str, Any]:
    """Inputs, as the program declares them."""
    return {
        "project_ref": made.ref,
        "project_name": "client-acme-test",
        "client_id": "acme",
        "db_password": PASSWORD,
        "timeout": 30,
        "migrations": {each.version: each.digest for each in read_migrations()},
        "catalog": digests(read_snapshot()),
        "isolation": "passed",
    }


def test_a_schema_lives_through_its_six_operations(provider: DynamicProvider, new_database: NewDatabase) -> None:
    made = new_database()
    wanted = inputs_for(made)
    assert provider.check({}, wanted) == []
    ref, outputs = provider.create(wanted)
    assert ref == made.ref
    newest = read_migrations()[-1].version
    applied_at = outputs["applied_at"]
    said = {"version": newest, "dsn": made.address.dsn, "applied_at": applied_at}
    assert outputs == {**wanted, **said, "asked": asked.digests(wanted, DRIFTING)}
    assert PASSWORD not in outputs["dsn"]
    assert provider.read(ref, outputs) == (ref, outputs, wanted)
    assert provider.diff(outputs, wanted) == ("DIFF_UNKNOWN", [])

    renamed = {**wanted, "project_name": "client-acme-other"}
    updated = provider.update(ref, outputs, renamed)
    assert {**updated, "applied_at": ""} == {**outputs, **renamed, "applied_at": ""}
    with made.connect() as connection:
        mark = connection.execute("select client_id, project_name from private.environment_mark").fetchall()
        assert mark == [("acme", "client-acme-other")]
        connection.execute("insert into organizations (name, slug) values ('Kept', 'kept')")

    provider.delete(ref, updated)
    provider.delete(ref, updated)
    with made.connect() as connection:
        assert connection.execute("select name from organizations").fetchall() == [("Kept",)]


def without_leaks(inputs: dict[str, Any], wanted: dict[str, Any]) -> set[tuple[Any, ...]]:
    """The paths that differ, but for the verdict of the isolation check and the leaks it names."""
    found = set(differences(whole(inputs), wanted)) - {("isolation",)}
    return {path for path in found if not str(path[-1]).startswith("leak ")}


BY_HAND = {
    "alter policy deals_member on deals using (true)": "policy public.deals.deals_member: using (true)",
    "drop policy companies_member on companies": "policy public.companies.companies_member: missing",
    "create policy x on users for delete to anon using (true)": (
        "policy public.users.x: added permissive delete to anon, using (true)"
    ),
    "alter table contacts disable row level security": "rls public.contacts: disabled",
    "alter table activities force row level security": "rls public.activities: forced",
    "grant select on deals to anon": "grants public.deals: anon: SELECT",
    "alter function private.current_member() security invoker": (
        "function private.current_member(): STABLE PARALLEL SAFE"
    ),
    "drop index idx_contacts_organization_status": "index public.contacts.idx_contacts_organization_status: missing",
    "alter table deals add x text default 'new'": "column public.deals.x: added text, default 'new'::text",
    "alter table deals alter stage set default 'proposal'": "column public.deals.stage: default 'proposal'::text",
    "alter table deals drop constraint deals_amount_check": "constraint public.deals.deals_amount_check: missing",
    "alter table deals disable trigger deals_touch": "trigger public.deals.deals_touch: (disabled)",
}
REPAIRED = ("policy", "rls", "grants", "function")
FOREIGN = "table public.theirs, owner postgres: anon may select, without row-level security"


def test_each_kind_of_change_by_hand_is_named_as_an_input_and_repaired_or_left_by_the_next_update(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    with made.connect() as connection:
        connection.execute("; ".join(BY_HAND) + "; create table theirs (id int); grant select on theirs to anon")
    _, live, inputs = provider.read(ref, outputs)
    named = {("catalog", name) for name in (*BY_HAND.values(), FOREIGN)}
    assert without_leaks(inputs, wanted) == named
    assert "theirs: select as anon" in " ".join(path[1] for path in differences(whole(inputs), wanted) if path[1:])
    assert inputs["isolation"] != "passed"
    assert live["catalog"] == inputs["catalog"]
    # What no migration made stays open and is named; it does not stop the repair of the rest.
    with pytest.raises(ProviderError, match=r"theirs: select as anon.*"):
        provider.update(ref, live, wanted)
    _, _, inputs = provider.read(ref, outputs)
    left = {("catalog", name) for name in BY_HAND.values() if not name.startswith(REPAIRED)}
    assert without_leaks(inputs, wanted) == left | {("catalog", FOREIGN)}
    assert len(left) == 5


def test_a_database_behind_the_migrations_shows_what_they_change_and_no_words(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    with made.connect() as connection:
        connection.execute("alter policy deals_member on deals using (true)")
        connection.execute(
            "delete from supabase_migrations.schema_migrations where version = %s", (outputs["version"],)
        )
    _, live, inputs = provider.read(ref, outputs)
    assert without_leaks(inputs, wanted) == {
        ("catalog", "policy public.deals.deals_member"),
        ("migrations", outputs["version"]),
    }
    assert live["version"] == read_migrations()[-2].version


def test_a_mark_changed_by_hand_comes_back_as_the_inputs_that_it_holds(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    for change, seen in {
        "update private.environment_mark set client_id = 'theirs'": {"client_id": "theirs"},
        "delete from private.environment_mark": {"client_id": "", "project_name": ""},
    }.items():
        with made.connect() as connection:
            connection.execute(change.encode())
        assert provider.read(ref, outputs)[2] == wanted | seen
    provider.update(ref, outputs, wanted)
    assert provider.read(ref, outputs)[2] == wanted


OPENED = "create table leads (mail text); grant select on leads to anon"


def test_a_leak_is_drift_of_its_own_and_stops_the_update_until_it_is_closed(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    with made.connect() as connection:
        connection.execute(OPENED)
    _, live, inputs = provider.read(ref, outputs)
    assert inputs["isolation"].startswith("leads: select as anon (not signed in)")
    named = {path[1] for path in differences(whole(inputs), wanted) if path[0] == "catalog"}
    assert any(name.startswith("leak leads: select as anon (not signed in): ") for name in named)
    assert provider.read(ref, live)[2] == inputs
    with pytest.raises(ProviderError, match=r"leads: select as anon"):
        provider.update(ref, live, wanted)
    with made.connect() as connection:
        connection.execute("revoke all on leads from anon, authenticated, service_role")
    updated = provider.update(ref, live, wanted)
    closed = provider.read(ref, updated)[2]
    assert closed["isolation"] == "passed"
    # The table itself is still in no migration.
    left = {path[1] for path in differences(whole(closed), wanted)}
    assert left == {"table public.leads, owner postgres: nobody else may use it"}


def test_state_of_before_the_verdict_is_proved_once_and_converges(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    old = {key: value for key, value in outputs.items() if key != "isolation"}
    assert provider.read(ref, old)[2] == wanted
    with made.connect() as connection:
        connection.execute(OPENED)
    with pytest.raises(ProviderError, match=r"leads: select as anon"):
        provider.update(ref, old, wanted)
    # What the state says to be proved is not proved again by an update that applies nothing.
    assert provider.update(ref, outputs, wanted)["isolation"] == "passed"


def test_a_database_that_cannot_be_attacked_is_not_called_safe(
    provider: DynamicProvider, wanted: dict[str, Any], made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    with made.connect() as connection:
        connection.execute("drop table organizations cascade")
    assert provider.read(ref, outputs)[2]["isolation"] != "passed"


def test_an_interrupted_create_is_continued(provider: DynamicProvider, new_database: NewDatabase) -> None:
    made = new_database()
    wanted = inputs_for(made)
    with made.connect() as connection:
        apply(connection, read_migrations())
    assert provider.create(wanted)[1]["catalog"] == wanted["catalog"]


def test_a_refused_password_shows_as_a_changed_one(provider: DynamicProvider, wanted: dict[str, Any]) -> None:
    ref, outputs = provider.create(wanted)
    _, _, inputs = provider.read(ref, {**outputs, "db_password": "another-password-0123456789"})
    assert inputs == {**wanted, "db_password": ""}


def test_a_deleted_project_is_gone(
    provider: DynamicProvider, wanted: dict[str, Any], emulators: Local, made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    emulators.supabase("DELETE", f"/v1/projects/{made.ref}").raise_for_status()
    assert provider.read(ref, outputs) == ("", {}, {})
    provider.delete(ref, outputs)


def test_a_paused_database_cannot_have_changed(
    provider: DynamicProvider, wanted: dict[str, Any], emulators: Local, made: Database
) -> None:
    ref, outputs = provider.create(wanted)
    emulators.supabase("POST", f"/v1/projects/{made.ref}/pause").raise_for_status()
    assert provider.read(ref, outputs) == (ref, outputs, wanted)


def test_an_api_that_fails_is_an_error_and_never_gone(
    provider: DynamicProvider, wanted: dict[str, Any], emulators: Local
) -> None:
    ref, outputs = provider.create(wanted)
    emulators.fault("supabase", method="GET", path=f"/v1/projects/{ref}", status=403, times=5)
    with pytest.raises(ProviderError, match="403"):
        provider.read(ref, outputs)


def test_only_another_project_replaces(provider: DynamicProvider, wanted: dict[str, Any]) -> None:
    assert provider.diff(wanted, {**wanted, "project_ref": "other"}) == ("DIFF_UNKNOWN", ["project_ref"])
    assert provider.diff(wanted, {**wanted, "project_ref": UNKNOWN}) == ("DIFF_UNKNOWN", ["project_ref"])
    assert provider.diff(wanted, {**wanted, "catalog": {}, "db_password": "x"}) == ("DIFF_UNKNOWN", [])


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"client_id": ""}, "client_id must be text that is not empty"),
        ({"project_ref": 1}, "project_ref must be text that is not empty"),
        ({"migrations": {}}, "migrations must map at least one name to a digest"),
        ({"timeout": 0}, "timeout '0.0' must be seconds, more than 0"),
    ],
)
def test_a_wrong_input_is_refused_by_name_without_the_network(
    provider: DynamicProvider, wanted: dict[str, Any], wrong: dict[str, Any], expected: str
) -> None:
    assert provider.check({}, {**wanted, **wrong}) == [expected]


def test_an_input_of_which_nothing_is_known_yet_is_accepted(provider: DynamicProvider, wanted: dict[str, Any]) -> None:
    assert provider.check({}, {**wanted, "project_ref": UNKNOWN, "db_password": UNKNOWN}) == []


def test_files_that_changed_during_the_update_are_refused(provider: DynamicProvider, wanted: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="changed while the update was running"):
        provider.create({**wanted, "migrations": {"20990101000000": "0" * 64}})
