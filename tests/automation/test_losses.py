"""A plan that creates and deletes a client's project, repository or site is refused before anything runs."""

from collections.abc import Callable

import pytest

from automation.engine import Outcome, Step
from automation.losses import IRREPLACEABLE, plan_first, refuse_losses
from common.errors import OperatorError
from tests.automation.conftest import PREFIX, step

HELD = [{"urn": step("project").urn, "type": step("project").type}]


def old(name: str, operation: str) -> Step:
    """A step of a resource directly under the client, where older programs put it."""
    return Step(PREFIX.format("acme", IRREPLACEABLE[name], name), operation)


@pytest.mark.parametrize("name", IRREPLACEABLE)
def test_a_thing_that_is_created_at_one_place_and_deleted_at_another_is_refused(name: str) -> None:
    with pytest.raises(OperatorError, match=f"^acme: the plan would delete and create anew: {name}") as said:
        refuse_losses("acme", [step(name, "create"), step("schema", "same"), old(name, "delete")])
    assert "\n" not in str(said.value)
    assert "needs an alias" in str(said.value)


@pytest.mark.parametrize("name", IRREPLACEABLE)
def test_a_replacement_is_refused_too(name: str) -> None:
    with pytest.raises(OperatorError, match=name):
        refuse_losses("acme", [step(name, "replace")])


def test_a_renamed_or_retyped_project_is_still_the_project() -> None:
    renamed = Step(PREFIX.format("acme", IRREPLACEABLE["project"], "database"), "create")
    retyped = Step(PREFIX.format("acme", "pulumi-python:dynamic/supabase:Project2", "project"), "create")
    for made in (renamed, retyped):
        with pytest.raises(OperatorError, match="project"):
            refuse_losses("acme", [made, old("project", "delete")])


@pytest.mark.parametrize(
    "steps",
    [
        (step("project", "create"), step("repository", "delete")),
        (step("schema", "replace"), step("project", "update")),
        (step("project", "same"), step("site", "create"), step("repository", "same")),
        (),
    ],
)
def test_what_loses_nothing_goes_on(steps: tuple[Step, ...]) -> None:
    refuse_losses("acme", steps)


def plans(*steps: Step, error: str | None = None, blocked: tuple[Step, ...] = ()) -> Callable[[], Outcome]:
    return lambda: Outcome(steps, error=error, blocked=blocked)


def test_a_client_with_nothing_to_lose_is_not_planned_twice() -> None:
    def never() -> Outcome:
        raise AssertionError("planned")

    assert plan_first("acme", [], never) is None
    assert plan_first("acme", [{"urn": step("schema").urn, "type": step("schema").type}], never) is None


def test_protection_does_not_hide_the_loss_behind_advice_to_unprotect() -> None:
    error = "To unprotect the resource, remove the `protect` flag"
    blocked = (old("project", "delete"),)
    with pytest.raises(OperatorError, match="anew: project"):
        plan_first("acme", HELD, plans(step("project", "create"), error=error, blocked=blocked))
    with pytest.raises(OperatorError, match="anew: site"):
        plan_first("acme", HELD, plans(error=error, blocked=(step("site", "replace"),)))


def test_a_plan_that_fails_ends_the_update_and_claims_no_step() -> None:
    failed = step("schema", status="failed", error="no such folder")
    outcome = plan_first("acme", HELD, plans(step("site", "update", status="planned"), failed, error="no such folder"))
    assert outcome is not None
    assert (outcome.steps, outcome.error) == ((failed,), "no such folder")
