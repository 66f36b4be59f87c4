"""What an `up` of a client needs, looked at before: its accounts, and the programs of this machine."""

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from automation.fleet import DONE, FAILED, ClientResult
from automation.rivals import read_claims, refuse_rivals
from automation.workspace import Workspace
from common.errors import OperatorError


def diagnose(workspace: Workspace, client: str, resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Look before the first thing of a client is created; read-only.

    Returns:
        a line for each warning, and one that says where the project will be.

    Raises:
        OperatorError: with everything that would stop it.
    """
    findings = workspace.diagnose(client, resources)
    if failed := _failed(findings):
        raise OperatorError(failed)
    return [_line(one) for one in findings if one["state"] == "warning" or one["name"] == "Supabase project"]


def examine(client: str, workspace: Workspace, resources: Sequence[Mapping[str, Any]]) -> ClientResult:
    """Everything that can be looked at, as the result of a verb."""
    findings = [*workspace.diagnose(client, resources), *_tools(workspace), *_rivals(client, workspace)]
    failed = _failed(findings)
    return ClientResult(client, FAILED if failed else DONE, {"findings": findings}, failed or None)


def _rivals(client: str, workspace: Workspace) -> list[dict[str, str]]:
    """Return a finding when another client's file claims what this one's does; `up` refuses both."""
    try:
        refuse_rivals(client, read_claims(workspace.root, local=workspace.local))
    except OperatorError as error:
        return [{"name": "other clients", "says": error.what, "state": "failed", "remedy": error.remedy}]
    return []


def _failed(findings: Sequence[Mapping[str, str]]) -> str:
    return " Also: ".join(_line(one) for one in findings if one["state"] == "failed")


def _line(finding: Mapping[str, str]) -> str:
    told = finding["says"] if finding["says"].startswith(finding["name"]) else f"{finding['name']}: {finding['says']}"
    return f"{told.rstrip('.')}. {finding['remedy']}".strip()


def _tools(workspace: Workspace) -> list[dict[str, str]]:
    pinned = version("pulumi")
    if workspace.pulumi is None:
        engine = _finding("engine", "no pulumi command: GitHub and Vercel are simulated", f"Put {pinned} on PATH.")
    else:
        found = str(workspace.pulumi.version)
        same = found.split(".")[:2] == pinned.split(".")[:2]
        engine = _finding(
            "engine", f"pulumi {found}", "" if same else f"Tested with {pinned}: take that one if in doubt."
        )
    if not workspace.local:
        return [engine]
    node = shutil.which("node", path=workspace.environment.get("PATH"))
    return [
        engine,
        _finding("node", node or "not found: the site is not built or served", "" if node else "Install it."),
    ]


def _finding(name: str, says: str, remedy: str) -> dict[str, str]:
    return {"name": name, "says": says, "state": "warning" if remedy else "ok", "remedy": remedy}
