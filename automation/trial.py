"""Trying a client's pending migrations without keeping anything, in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from automation.workspace import Workspace
from components.errors import OperatorError

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
    state = {resource["urn"].split("::", 3)[3]: resource["outputs"] for resource in resources}
    schema = state.get("schema")
    if schema is None:
        raise OperatorError("has no schema yet to try SQL on", "preview --try-sql", "Run up first.")
    command = [sys.executable, "-m", MODULE]
    done = subprocess.run(
        [*command, "--live"] if live else [sys.executable, "-m", "emulators.scratch", *command],
        cwd=workspace.root,
        env={**workspace.environment, "DATABASE_URL": schema["dsn"], "PGPASSWORD": schema["db_password"]},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 2:
        raise OperatorError(done.stderr.strip() or "no reason given")
    if done.returncode:
        raise OperatorError(f"broke off: {(done.stderr.strip().splitlines() or [''])[-1]}", f"python -m {MODULE}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(found: Mapping[str, Any]) -> list[str]:
    """The result in lines."""
    verb = "would be rolled back" if found["refused"] else "would apply"
    lines = [f"{file} {verb}" for file in found["files"]] or ["no migration is pending"]
    lines += [f"the apply would refuse: {line}" for line in found["refused"]]
    lines += found["notes"]
    lines += [f"{table} would be rewritten, row by row" for table in found["rewritten"]]
    return lines + [f"{table}: {what} would wait for the apply" for table, what in found["locks"].items()]
