"""`up --refresh --close-foreign`: what no migration made is closed to anon, authenticated and PUBLIC."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from automation.database_tool import run_tool, schema_in_state
from automation.workspace import Workspace

MODULE = "components.schema.closing"
NOTHING: dict[str, list[str]] = {"open": [], "closed": [], "undo": [], "left": []}


def close_foreign(workspace: Workspace, resources: Sequence[Mapping[str, Any]], *, write: bool) -> dict[str, list[str]]:
    """Find what foreign objects of a client's database let the API do and, with `write`, take it away.

    Args:
        resources: what of the client is in state, with secrets.
        write: change the database.

    Returns:
        `{open, closed, undo, left}`, lines each; all empty before the first `up`.

    Raises:
        OperatorError: the database refused or does not answer; nothing was closed.
    """
    schema = schema_in_state(resources)
    if schema is None:
        return NOTHING
    command = ["-m", MODULE, *(["--write"] if write else [])]
    return run_tool(workspace, schema, command, json.dumps(list(schema.get("catalog") or ())))


def report(client: str, found: Mapping[str, Sequence[str]], say: Callable[[str], None]) -> None:
    """Say what was closed, how to undo it and what is still open."""
    for line in found["closed"]:
        say(f"{client}  closed: {line}")
    for statement in found["undo"]:
        say(f"{client}  to undo: {statement};")
    for line in found["left"]:
        say(f"{client}  still open: {line}")
