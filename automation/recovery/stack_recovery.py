"""What a Pulumi stack does not know: a dead engine's lock, creates that nobody saw end, what a lost state held."""

import os
import re
import signal
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pulumi import automation as auto
from pulumi.automation import events

from automation.processes import ask_tool, is_alive, read_stat
from automation.pulumi_events import SECRET, UNKNOWN
from common.errors import OperatorError
from components.find_existing import SITE
from components.settings import STACK_MARK
from components.urn import provider_of

HOLDER = re.compile(r"created by \S+@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<time>\S+)")
NATIVE = ("github:", "vercel:")
PATIENCE = 5.0  # seconds, then it is killed
HIDDEN = re.compile(f"{UNKNOWN}|{SECRET}")
LONGEST_RUN = timedelta(hours=1)
CLOCKS_APART = timedelta(minutes=1)  # at most, ours and a service's
Planned = events.StepEventStateMetadata
Held = dict[str, Any]
"""A resource as a state holds it."""


def free_lock(stack: auto.Stack, refusal: str, mark: str) -> None:
    """Clear the lock of an engine that died on this machine, after its plugins: they would wait for it for ever.

    Args:
        stack: the locked stack.
        refusal: what the engine said about the lock.
        mark: value of `STACK_MARK` in the environment of this stack's processes.

    Raises:
        OperatorError: the lock is somebody's, or may be; naming the holder.
    """
    held = HOLDER.search(refusal)
    if held is None:
        raise OperatorError("another update holds the lock", stack.name, "Wait for it, or: pulumi cancel.")
    pid, host = int(held["pid"]), held["host"]
    if host != socket.gethostname():
        remedy = "Wait for it; if it is dead: pulumi cancel."
        raise OperatorError(f"process {pid} on {host} holds the lock since {held['time']}", stack.name, remedy)
    if is_alive(pid):
        raise OperatorError(f"process {pid} is at work on this stack since {held['time']}", stack.name, "Wait for it.")
    _end_orphans(mark)
    stack.cancel()


def settle_creates(
    stack: auto.Stack,
    environment: Mapping[str, str],
    root: Path,
    *,
    planned: Sequence[Planned] = (),
    failed: Sequence[Planned] = (),
    began: datetime | None = None,
    api_url: str | None = None,
) -> list[str]:
    """Take what interrupted or failed creates have made into the state; the others will be done again.

    Resources of ours look before they create. GitHub's and Vercel's do not: what exists is found by its name here. A
    repository or site that is older than that run is somebody else's, and is left to the provider's refusal. A state
    that is empty may have been lost: then what is described, or linked, as the client's is taken up.

    Args:
        stack: the stack.
        environment: complete environment of the lookup.
        root: the repository's root.
        planned: what a preview would create; counts where the state is empty.
        failed: creates of a run that has ended, with an error of which nobody knows whether it came too late.
        began: when that run did.
        api_url: the client's API URL, when a state that is not empty has lost the repository or the site. What is
            planned is then taken up if the repository's variable holds this URL, which only its owner can set.

    Returns:
        the URNs that were taken into the state and need a refresh.

    Raises:
        OperatorError: GitHub or Vercel cannot be asked.
    """
    exported = stack.export_stack()
    content: Any = exported.deployment
    pending, held = content.pop("pending_operations", None) or [], content.get("resources", [])
    since, started, groups = None, [op["resource"] for op in pending if op["type"] == "creating"], list[Held]()
    if pending:
        since = (datetime.fromisoformat(content["manifest"]["time"]) - LONGEST_RUN).isoformat()
    elif began:
        since, (_, started) = (began - CLOCKS_APART).isoformat(), _as_held(failed)
    elif not held:
        held, started = _as_held(planned)
    elif api_url:
        own, started = _as_held(planned)
        groups = [one for one in own if not one["custom"]]
    there = {resource["urn"] for resource in held}
    native = [one for one in started if one["type"].startswith(NATIVE) and one["urn"] not in there]
    asked = [(resource["type"], resource["inputs"], since) for resource in native]
    taken = _taken(native, _look_up(asked, api_url, environment, root))
    if pending or taken:
        # A state that an older program wrote lacks the components that hold what is taken.
        missing = [one for one in groups if one["urn"] not in there] if taken else []
        content["resources"] = [*held, *missing, *taken]
        stack.import_stack(exported)
    return [resource["urn"] for resource in taken]


def _as_held(planned: Sequence[Planned]) -> tuple[list[Held], list[Held]]:
    """What is planned, as a state would hold it: the engine's own resources and groups, and the others."""
    own: dict[str, Held] = {}
    others = []
    for one in planned:
        known = {key: each for key, each in (one.inputs or {}).items() if not HIDDEN.search(str(each))}
        held: Held = {"urn": one.urn, "type": one.type, "custom": bool(one.custom), "inputs": known, "outputs": {}}
        if one.parent:
            held["parent"] = one.parent
        if one.custom and one.type.startswith("pulumi:providers:"):
            held |= {"id": str(uuid.uuid4()), "outputs": known}
        elif one.custom:
            provider = provider_of(one.provider)
            made = own.get(provider)
            others.append({**held, "provider": f"{provider}::{made['id']}" if made else one.provider})
            continue
        own[one.urn] = held
    return list(own.values()), others


def _taken(resources: Sequence[Held], ids: Sequence[str | None]) -> list[Held]:
    """Those that were found, with just enough for the provider to find them: a refresh fills in the rest."""
    found = [(resource, id_) for resource, id_ in zip(resources, ids, strict=True) if id_]
    site = next(({"projectId": id_} for resource, id_ in found if resource["type"] == SITE), {})
    taken = []
    for resource, id_ in found:
        inside = site if resource["type"].startswith("vercel:") and resource["type"] != SITE else {}
        inputs = {**inside, **resource["inputs"]}
        taken.append({**resource, "id": id_, "inputs": inputs, "outputs": {**inputs, "id": id_}})
    return taken


def _look_up(
    asked: Sequence[tuple[str, Held, str | None]], api_url: str | None, environment: Mapping[str, str], root: Path
) -> list[str | None]:
    """The id of each, as type, inputs and since when it counts."""
    if not asked:
        return []
    given = {"api_url": api_url, "asked": asked}
    try:
        answers: list[str | None] = ask_tool("components.find_existing", given, root=root, environment=environment)
    except OperatorError as error:
        raise OperatorError(f"what an interrupted run made cannot be looked up: {error}") from None
    return answers


def ask_sight(things: Sequence[Mapping[str, Any]], environment: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the things that a token does not show to be there or gone, with the reason.

    Raises:
        OperatorError: a service does not answer, or refuses its token.
    """
    if not things:
        return {}
    try:
        found: dict[str, str] = ask_tool(
            "automation.recovery.token_visibility", things, root=root, environment=environment
        )
    except OperatorError as error:
        raise OperatorError(f"nothing was refreshed: {error}") from None
    return {name: said for name, said in found.items() if said not in {"there", "gone"}}


def _end_orphans(mark: str) -> None:
    """End the processes that were started for this stack and have no engine any more; returns when they have ended."""
    deadline = time.monotonic() + PATIENCE
    while orphans := _orphans(f"{STACK_MARK}={mark}".encode()):
        for pid in orphans:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        if time.monotonic() > deadline + PATIENCE:
            pids = ", ".join(map(str, orphans))
            raise OperatorError(f"plugins of a dead engine do not end: process {pids}", "this machine", "End them.")
        time.sleep(0.1)


def _orphans(mark: bytes) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is somebody else's
            if mark in (folder / "environ").read_bytes().split(b"\0") and not _has_engine(int(folder.name)):
                found.append(int(folder.name))
    return found


def _has_engine(pid: int) -> bool:
    while pid > 1 and (stat := read_stat(pid)):
        if Path(f"/proc/{pid}/comm").read_text() == "pulumi\n":
            return True
        pid = int(stat[1])
    return False
