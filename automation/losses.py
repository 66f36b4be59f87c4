"""Refuses a plan that makes a client's project, repository or site anew and deletes the one there is.

Pulumi creates before it deletes. A provider that finds things by name therefore adopts the old
project as the new one, then deletes it: database and all, with the result "updated".
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from automation.engine import Outcome, Step
from common.errors import OperatorError
from components.find_existing import REPOSITORY, SITE
from components.urn import name_of

# Logical name -> type. Either one tells: a program may rename one of them.
IRREPLACEABLE = {
    "project": "pulumi-python:dynamic/supabase:Project",
    "repository": REPOSITORY,
    "site": SITE,
}


def plan_first(client: str, resources: Iterable[Mapping[str, Any]], preview: Callable[[], Outcome]) -> Outcome | None:
    """Preview an update of a client that has something to lose.

    Args:
        client: the client's id.
        resources: what the state holds.
        preview: plans the same update.

    Returns:
        None when the update may go on; the outcome of a preview that failed, after which it may not.

    Raises:
        OperatorError: the update would delete a project, repository or site and create another one.
    """
    if not any(_roles(name_of(each["urn"]), each["type"]) for each in resources):
        return None
    plan = preview()
    refuse_losses(client, (*plan.steps, *plan.blocked))
    if plan.error:
        return replace(plan, steps=tuple(step for step in plan.steps if step.status == "failed"))
    return None


def refuse_losses(client: str, steps: Iterable[Step]) -> None:
    """Refuse planned steps that create and delete a project, repository or site, or replace it.

    Args:
        client: the client's id.
        steps: planned ones, and those that protection keeps from being planned.

    Raises:
        OperatorError: naming what would be lost.
    """
    created, deleted = set[str](), set[str]()
    for step in steps:
        roles = _roles(step.name, step.type)
        if step.operation in {"create", "replace"}:
            created |= roles
        if step.operation in {"delete", "replace"}:
            deleted |= roles
    lost = [role for role in IRREPLACEABLE if role in created & deleted]
    if lost:
        raise OperatorError(
            f"the plan would delete and create anew: {', '.join(lost)}",
            client,
            "Nothing was changed. Undo the setting that replaces it; a resource that the program"
            " moved or renamed needs an alias to its old URN.",
        )


def _roles(name: str, kind: str) -> set[str]:
    """Return which of the irreplaceable resources this is, by name or type."""
    return {role for role, type_ in IRREPLACEABLE.items() if role == name or type_ == kind}
