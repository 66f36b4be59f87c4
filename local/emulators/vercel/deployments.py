"""Deployments of a project's linked branch: built from the repository's files, then served with the variables.

QUEUED, BUILDING, then READY or ERROR, over the time that a project takes to come up. The build checks the functions as
Vercel's bundler would refuse them, and runs the package's own `build` script.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from local.emulators.context import Context
from local.emulators.github.git import files as branch_files
from local.emulators.github.state import find as find_repository
from local.emulators.node import node_path, node_program
from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document
from local.emulators.vercel.account import PLAN, USER, owner
from local.emulators.vercel.paging import page
from local.emulators.vercel.projects import KIND as PROJECT
from local.emulators.vercel.projects import identifier, in_team, milliseconds

KIND = "vercel.deployment"
BUILD_SECONDS = 60
LINES = 100  # of a build's log are kept
# What every deployment here answers alike.
BUILT: Document = {
    "build": {"env": []},
    "buildSkipped": False,
    "createdIn": "iad1",
    "creator": {"uid": USER["id"], "username": USER["username"]},
    "env": [],
    "inspectorUrl": None,
    "isInConcurrentBuildsQueue": False,
    "isInSystemBuildsQueue": False,
    "meta": {},
    "plan": PLAN,
    "projectSettings": {},
    "public": False,
    "regions": ["iad1"],
    "routes": None,
    "type": "LAMBDAS",
    "version": 2,
}


def create(call: Call) -> Any:
    """Deploy the branch of `gitSource` for a target of the project."""
    name, source = call.body.get("project"), call.body.get("gitSource")
    project = next((one for one in in_team(call) if name in (one["id"], one["name"])), None)
    if project is None:
        raise RefusedError(404, "Project not found.", "not_found")
    if not source or not project["link"]:
        raise RefusedError(400, "The project is not connected to a Git repository.", "bad_request")
    repository = find_repository(call.context, f"{source['org']}/{source['repo']}")
    if repository is None or not (files := branch_files(repository, source["ref"])):
        raise RefusedError(400, f"The branch {source['ref']} couldn't be found.", "incorrect_git_source_info")
    target = call.body.get("target")
    variables = {one["key"]: one["value"] for one in project["variables"].values() if target in (one["target"] or ())}
    made = make(call.context, project["id"], project["name"], files, variables)
    given = {"target": target, "meta": call.body.get("meta") or {}}
    given["gitSource"] = {
        "type": "github",
        "repoId": repository["id"],
        "ref": source["ref"],
        "sha": repository["branches"][source["ref"]],
    }
    call.context.store.put(KIND, made["id"], made | given)
    # Even where it takes no time: the plugin keeps a deployment's team only when it had to look again.
    queued = {"readyState": "QUEUED", "status": "QUEUED", "alias": [], "aliasAssigned": False}
    return {**view(call.context, made["id"]), **queued}


def make(
    context: Context, project: str, name: str, files: Mapping[str, bytes], variables: Mapping[str, str]
) -> Document:
    """Build a version of a site and keep the deployment; it is served once somebody sees that it is ready."""
    now = milliseconds(context)
    ok, log = _build(files, variables)
    # Deployments of one millisecond are told apart by their number.
    unique = identifier(project, now, len(context.store.all(KIND)))
    made: Document = {"id": f"dpl_{unique}", "projectId": project, "name": name, "createdAt": now}
    made |= {"ok": ok, "log": log[-LINES:], "served": False, "variables": dict(variables)}
    made |= {"files": {path: content.decode(errors="replace") for path, content in files.items()}}
    context.store.put(KIND, made["id"], made)
    return made


def state(context: Context, deployment: Document) -> str:
    """The state that a deployment has now; the first look at one that is ready puts it on the site's address."""
    share = (milliseconds(context) - deployment["createdAt"]) / max(context.startup * 1000, 1e-9)
    if share < 1:
        return "QUEUED" if share < 0.2 else "BUILDING"
    if not deployment["ok"]:
        return "ERROR"
    if not deployment["served"]:
        files = {path: content.encode() for path, content in deployment["files"].items()}
        context.sites.serve(deployment["projectId"], files, deployment["variables"])
        context.store.put(KIND, deployment["id"], deployment | {"served": True})
    return "READY"


def read(call: Call) -> Any:
    """Read or delete a deployment; a deleted one that is the newest goes on being served."""
    found = _load(call)
    if call.method == "DELETE":
        call.context.store.delete(KIND, found["id"])
        return {"uid": found["id"], "state": "DELETED"}
    return view(call.context, found["id"])


def listing(call: Call) -> Any:
    """The deployments of the call's team; with `projectId`, of that project alone."""
    wanted = call.query.get("projectId")
    projects = {one["id"] for one in in_team(call) if wanted in (None, one["id"], one["name"])}
    every = call.context.store.all(KIND)
    found = [name for name, one in every.items() if one["projectId"] in projects]
    return page(call, "deployments", [_summary(view(call.context, name)) for name in found])


def events(call: Call) -> Any:
    """The build's log."""
    found = _load(call)
    told = {"created": found["createdAt"], "date": found["createdAt"], "deploymentId": found["id"]}
    info = {"type": "build", "name": f"bld_{found['id'][-9:]}", "entrypoint": "."}
    told |= {"type": "stdout", "info": info}
    log = enumerate(found["log"])
    return [{**told, "id": str(n), "serial": str(n), "text": line} for n, line in log]


def view(context: Context, name: str) -> Document:
    """A deployment as the API shows it."""
    found = context.store.get(KIND, name) or {}
    now = state(context, found)
    project = context.store.get(PROJECT, found["projectId"]) or {"domains": {}, "teamId": None}
    alias = [context.sites.address(found["projectId"]), *project["domains"]]
    fields = ("id", "projectId", "name", "createdAt", "target", "gitSource", "meta")
    shown = {field: found[field] for field in fields if field in found}
    if now == "ERROR":
        shown |= {"errorCode": "BUILD_FAILED", "errorMessage": found["log"][-1]}
    return {
        **BUILT,
        **shown,
        "bootedAt": found["createdAt"],
        "buildingAt": found["createdAt"],
        "url": f"{found['name']}-{name[-9:]}.vercel.app",
        "ownerId": owner(project["teamId"]),
        "readyState": now,
        "status": now,
        "alias": alias if now == "READY" else [],
        "aliasAssigned": now == "READY",
        "aliasError": None,
    }


def _summary(shown: Document) -> Document:
    """A deployment as lists show it."""
    fields = """projectId name url createdAt target meta type creator inspectorUrl readyState
        aliasAssigned aliasError errorCode errorMessage buildingAt"""
    summary = {field: shown[field] for field in fields.split() if field in shown}
    times = {"created": shown["createdAt"]}
    return {"uid": shown["id"], "state": shown["readyState"], **times, **summary}


def _load(call: Call) -> Document:
    found = call.context.store.get(KIND, call.path["deployment"])
    # As everywhere at Vercel, another team's is not there.
    if found is None or all(one["id"] != found["projectId"] for one in in_team(call)):
        raise RefusedError(404, "The deployment could not be found.", "not_found")
    return found


def _build(files: Mapping[str, bytes], variables: Mapping[str, str]) -> tuple[bool, list[str]]:
    """Whether a site builds, and the log that people read when it does not."""
    node = node_program("node")
    if node is None:
        return True, ["Not built: there is no Node here."]
    with tempfile.TemporaryDirectory(prefix="build-") as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        commands = [[node, "--check", path] for path in files if path.startswith("api/") and path.endswith(".js")]
        if script := json.loads(files.get("package.json", b"{}")).get("scripts", {}).get("build"):
            commands.append(["sh", "-c", script])
        log = [f"Building {len(files)} files"]
        environment = {**variables, "PATH": node_path(), "HOME": os.devnull}
        for command in commands:
            shown = script if command[0] == "sh" else " ".join(["node", *command[1:]])
            try:
                done = subprocess.run(
                    command,
                    cwd=folder,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=BUILD_SECONDS,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False, [*log, f'Command "{shown}" did not end in {BUILD_SECONDS} seconds']
            log += (done.stdout + done.stderr).replace(folder, "").splitlines()
            if done.returncode:
                return False, [*log, f'Command "{shown}" exited with {done.returncode}']
    return True, [*log, "Build Completed"]
