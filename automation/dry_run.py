"""Trying a client's pending migrations without keeping anything, in a process of its own."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from automation.database import run_tool, schema_in_state
from automation.workspace import Workspace
from common.errors import OperatorError

MODULE = "components.schema.trial"


def try_sql(workspace: Workspace, resources: Sequence[Mapping[str, Any]], *, live: bool) -> dict[str, Any]:
    """What applying the pending migrations would do, on a clone of the client's catalog or on its database.

    Args:
        resources: what of the client is in state, with secrets.
        live: on the client's own database, rolled back.

    Returns:
        `{files, rewritten, locks, refused, notes}`.

    Raises:
        OperatorError: there is no database yet, or the migrations fail on it.
    """
    schema = schema_in_state(resources)
    if schema is None:
        raise OperatorError("has no schema yet to try SQL on", "preview --try-sql", "Run up first.")
    if live:
        return run_tool(workspace, schema, ["-m", MODULE, "--live"])
    return run_tool(workspace, schema, ["-m", "local.emulators.scratch_database", sys.executable, "-m", MODULE])


def told(found: Mapping[str, Any]) -> list[str]:
    """The result in lines."""
    verb = "would be rolled back" if found["refused"] else "would apply"
    lines = [f"{file} {verb}" for file in found["files"]] or ["no migration is pending"]
    lines += [f"the apply would refuse: {line}" for line in found["refused"]]
    lines += found["notes"]
    lines += [f"{table} would be rewritten, row by row" for table in found["rewritten"]]
    return lines + [f"{table}: {what} would wait for the apply" for table, what in found["locks"].items()]
