"""`up --refresh --close-foreign`: what no migration made is closed to anon, authenticated and PUBLIC."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from automation.database import run_tool, schema_in_state
from automation.engine import Engine
from automation.fleet import CHANGES, DONE, FAILED, ClientResult
from automation.runner import Session
from automation.workspace import Workspace
from common.errors import OperatorError

MODULE = "components.schema.closing"
FIELD = "close_foreign"


def list_foreign(run: Session, clients: Sequence[str], *, parallel: int) -> dict[str, list[str]]:
    """Say what foreign objects let the API do, client by client.

    Returns:
        client -> the lines that were said. A client whose database could not be read is missing.
    """

    def act(client: str, engine: Engine) -> ClientResult:
        found = _run(run.workspace(writes=True), engine.resources(secrets=True))
        return ClientResult(client, DONE, found)

    results = run.run(clients, act, parallel=parallel, writes=True)
    for result in results:
        if result.error:
            run.screen.error(f"{result.client}: foreign objects cannot be listed: {result.error}")
    opened = {result.client: result.data["open"] for result in results if not result.error}
    for client, lines in opened.items():
        for line in lines:
            run.screen.say(f"{client}  to close: {line}")
    return opened


def close_and_bring_up(run: Session, client: str, engine: Engine, shown: Sequence[str] | None) -> ClientResult:
    """Close what was shown, then provision: a leak that is closed stops no update.

    What cannot be closed is said and stops nothing; the exit code then is 1, because it is still open.

    Args:
        shown: the lines of `list_foreign`; None where the database could not be read.
    """
    error: str | None = "foreign objects could not be listed, so nothing was closed. Run again."
    found: dict[str, list[str]] = {}
    if shown is not None:
        try:
            found = _run(run.workspace(writes=True), engine.resources(secrets=True), shown)
            error = None
        except OperatorError as failed:
            error = f"foreign objects were not closed: {failed}"
    for words, key in (("closed", "closed"), ("to undo", "undo"), ("still open", "left")):
        for line in found.get(key, ()):
            run.screen.say(f"{client}  {words}: {line}")
    result = run.bring_up(client, refresh=True)
    data = {**result.data, FIELD: found}
    if error and not result.error:
        return replace(result, code=FAILED, data=data, error=error)
    return replace(result, code=max(result.code, CHANGES if found.get("left") else DONE), data=data)


def _run(
    workspace: Workspace, resources: Sequence[Mapping[str, Any]], shown: Sequence[str] | None = None
) -> dict[str, list[str]]:
    """List, or close what was shown; all lists are empty before the first `up`."""
    schema = schema_in_state(resources)
    if schema is None:
        return {"open": [], "closed": [], "undo": [], "left": []}
    given = json.dumps({"recorded": list(schema.get("catalog") or ()), "shown": list(shown or ())})
    return run_tool(workspace, schema, ["-m", MODULE, *([] if shown is None else ["--write"])], given)
