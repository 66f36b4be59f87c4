"""Who changed what: this program, or somebody by hand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from automation.drift import compare
from automation.engine import Outcome, Step
from components.asked import asked_before, digests
from tests.automation.conftest import TYPES, step


def planned(name: str, *changed: str, operation: str = "update", unknown_only: bool = False) -> Step:
    return step(name, operation, status="planned", changed=changed, unknown_only=unknown_only)


def seen(drift_changes):
    return {(change.resource, change.operation): set(change.properties) for change in drift_changes}


def test_what_both_previews_plan_comes_from_the_program() -> None:
    both = Outcome((planned("project", "project_name"),))
    drift = compare("acme", both, both)
    assert seen(drift.program) == {("project", "update"): {"project_name"}}
    assert drift.hand == ()


def test_what_only_the_look_at_the_remote_system_shows_is_by_hand() -> None:
    drift = compare("acme", Outcome((step("project", "same"),)), Outcome((planned("project", "paused"),)))
    assert drift.program == ()
    assert seen(drift.hand) == {("project", "update"): {"paused"}}


def test_what_a_refresh_took_into_the_state_is_by_hand_and_told_as_it_is_now() -> None:
    earlier = step("schema", "update", status="planned", changed=("catalog.old",), asked=("catalog.old",))
    now = step("schema", "update", status="planned", changed=("catalog.new",), asked=("catalog.new",))
    drift = compare("acme", Outcome((earlier,)), Outcome((now,)))
    assert (drift.program, seen(drift.hand)) == ((), {("schema", "update"): {"catalog.new"}})


def test_what_the_program_asks_for_anew_stays_its_own_beside_what_a_refresh_took_into_the_state() -> None:
    both = step("schema", "update", status="planned", changed=("catalog.x", "migrations.y"), asked=("catalog.x",))
    drift = compare("acme", Outcome((both,)), Outcome((both,)))
    assert seen(drift.program) == {("schema", "update"): {"migrations.y"}}
    assert seen(drift.hand) == {("schema", "update"): {"catalog.x"}}


def test_only_a_property_with_the_digest_of_the_last_request_was_asked_for_before() -> None:
    outputs = {"asked": digests({"catalog": {"a": "1"}, "migrations": {"b": "2"}}, ("catalog", "migrations"))}
    paths = ("catalog.a", 'catalog["x.y"]', "catalogue", "migrations.b", "timeout")
    inputs = {"catalog": {"a": "1"}, "migrations": {"b": "3"}, "timeout": 5, "catalogue": 1}
    assert asked_before(paths, outputs, inputs) == ("catalog.a", 'catalog["x.y"]')
    assert asked_before(paths, {}, inputs) == asked_before(paths, None, inputs) == ()


def test_a_resource_deleted_by_hand_is_a_create_by_hand() -> None:
    drift = compare(
        "acme", Outcome((step("repository", "same"),)), Outcome((planned("repository", operation="create"),))
    )
    assert seen(drift.hand) == {("repository", "create"): set()}


def test_of_a_resource_changed_by_both_each_property_goes_to_its_author() -> None:
    plain = Outcome((planned("site", "framework"),))
    drift = compare("acme", plain, Outcome((planned("site", "framework", "name"),)))
    assert seen(drift.program) == {("site", "update"): {"framework"}}
    assert seen(drift.hand) == {("site", "update"): {"name"}}


def test_a_property_that_the_program_changes_and_somebody_moved_is_reported_twice() -> None:
    moved = step("site", "refresh", status="planned", changed=("framework",))
    drift = compare("acme", Outcome((planned("site", "framework"),)), Outcome((moved, planned("site", "framework"))))
    assert seen(drift.program) == seen(drift.hand) == {("site", "update"): {"framework"}}


def test_a_change_that_comes_only_from_unknowns_is_no_drift_but_is_named() -> None:
    plain = Outcome((planned("project", "paused"), planned("endpoints", "project_ref", unknown_only=True)))
    drift = compare("acme", plain, plain)
    assert seen(drift.program) == {("project", "update"): {"paused"}}
    assert (drift.hand, drift.follows) == ((), ("endpoints",))


def test_an_unknown_in_the_plain_preview_does_not_hide_a_hand_edit() -> None:
    plain = Outcome((planned("project", "paused"), planned("schema", "project_ref", unknown_only=True)))
    look = Outcome((planned("project", "paused"), planned("schema", "catalog", "project_ref")))
    drift = compare("acme", plain, look)
    assert "catalog" in seen(drift.hand)["schema", "update"]
    assert drift.follows == ()


properties = st.sets(st.sampled_from(["a", "b", "c", "d"]))
edits = st.dictionaries(st.sampled_from(sorted(TYPES)), properties.filter(bool), max_size=4)


@settings(deadline=None)
@given(program=edits, hand=edits)
def test_disjoint_edits_are_attributed_exactly(program, hand) -> None:
    """Whatever the program and somebody else change, as long as they touch different properties."""
    hand = {name: keys - program.get(name, set()) for name, keys in hand.items()}
    hand = {name: keys for name, keys in hand.items() if keys}
    together = {name: program.get(name, set()) | hand.get(name, set()) for name in {*program, *hand}}
    plain = Outcome(tuple(planned(name, *sorted(keys)) for name, keys in program.items()))
    look = Outcome(tuple(planned(name, *sorted(keys)) for name, keys in together.items()))
    drift = compare("acme", plain, look)
    assert seen(drift.program) == {(name, "update"): keys for name, keys in program.items()}
    assert seen(drift.hand) == {(name, "update"): keys for name, keys in hand.items()}
