"""A client leaves: its stack is destroyed, what interrupted runs have made is looked for, its file is retired.

The file is moved and never deleted: it holds the salt of the stack's secrets, without which old state cannot be read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from automation.engine import Engine, OnStep, outputs_by_name
from automation.fleet import CHANGES, DONE, FAILED, ClientResult
from automation.workspace import Workspace
from common.errors import OperatorError

RETIRED = "retired"
LOOK_AGAIN = "Nothing more was deleted; run destroy again"


@dataclass(frozen=True)
class Identity:
    """What a client's things are called and how they are proved to be its own.

    Attributes:
        ref: the project in its state, or an empty text.
        password: password of its database, or an empty text where the state does not hold it.
        team: id of the Vercel team, or None.
        timeout: seconds to wait for a project that is still coming up.
    """

    client_id: str
    project_name: str
    organization: str
    ref: str
    password: str
    team: str | None
    timeout: int


def identify(client: str, workspace: Workspace, state: Mapping[str, Mapping[str, Any]]) -> Identity:
    """Tell what a client's things are called, from its state, and from its settings where the state does not say.

    A client whose settings are refused, say because its tier was removed, can still leave: its state says enough.

    Raises:
        OperatorError: neither state nor settings tell.
    """
    project = state.get("project", {})
    name, organization = str(project.get("project_name", "")), str(project.get("organization", ""))
    team, timeout = state.get("site", {}).get("teamId"), int(project.get("timeout") or 600)
    if not (name and organization):
        settings = workspace.settings(client)
        name, organization = settings.project_name, settings.organization
        team, timeout = settings.vercel_team, settings.ready_timeout
    return Identity(
        client_id=client,
        project_name=name,
        organization=organization,
        ref=str(project.get("ref", "")),
        password=str(state.get("db-password", {}).get("result", "")),
        team=team,
        timeout=timeout,
    )


def outside(client: str, engine: Engine, workspace: Workspace) -> list[str]:
    """Return what carries the client's name and is not in its state, a line each; changes nothing.

    Raises:
        OperatorError: a service does not answer.
    """
    state = _outputs(engine)
    if "project" in state:
        return []
    return workspace.remains(identify(client, workspace, state), delete=False)["left"]


def depart(client: str, engine: Engine, workspace: Workspace, on_step: OnStep | None = None) -> ClientResult:
    """Destroy the stack, delete what is proved to be the client's beside it, and retire its file.

    Returns:
        a result with `deleted`, `left` (things of the client's name that nothing proves to be its own) and `retired`.

    Raises:
        OperatorError: the destruction could not start.
    """
    state = _outputs(engine)
    identity = identify(client, workspace, state)
    outcome = engine.destroy(on_step=on_step)
    deleted = [step.name for step in outcome.steps if step.operation == "delete" and step.status == "done"]
    data: dict[str, Any] = {"deleted": deleted, "left": [], "retired": None}
    if outcome.error:
        return ClientResult(client, FAILED, data, outcome.error)
    try:
        found = workspace.remains(identity, delete=True)
    except OperatorError as error:
        raise OperatorError(f"cannot tell what is left: {error}", client, f"{LOOK_AGAIN}.") from None
    data["deleted"], data["left"] = [*deleted, *found["deleted"]], found["left"]
    if found["left"]:
        return ClientResult(client, CHANGES, data)
    # In local mode the same file may belong to a client that is at home in a real account.
    data["retired"] = None if workspace.local else retire(client, workspace.root)
    return ClientResult(client, DONE, data)


def retire(client: str, root: Path) -> str | None:
    """Move a client's file into `retired/`, beside earlier ones of that name.

    Returns:
        where it is now, relative to the root, or None when there is no file.

    Raises:
        OperatorError: it cannot be moved.
    """
    source = root / f"Pulumi.{client}.yaml"
    if not source.exists():
        return None
    folder = root / RETIRED
    target, count = folder / source.name, 1
    try:
        folder.mkdir(exist_ok=True)
        while target.exists():
            count += 1
            target = folder / f"Pulumi.{client}.{count}.yaml"
        source.rename(target)
    except OSError as error:
        what = f"cannot be moved to {RETIRED}/ ({error.strerror})"
        raise OperatorError(what, source.name, "Its stack is empty: move it there by hand.") from None
    return str(target.relative_to(root))


def _outputs(engine: Engine) -> dict[str, Mapping[str, Any]]:
    return outputs_by_name(engine.resources(secrets=True))
