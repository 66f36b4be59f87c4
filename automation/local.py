"""Local mode: the emulators of this machine, started when they do not run, and the variables that lead to them."""

import json
import os
import socket
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from automation.engine import Engine
from automation.processes import run_to_end
from common.errors import OperatorError

# Protects nothing: local state holds only what the emulators of this machine made up.
LOCAL_PASSPHRASE = "local"  # noqa: S105
GROUP = "client_environments"  # of entry points, in pyproject.toml
STATE = Path(".local/emulators")
LOCAL_STATE = Path(".local/pulumi/state")  # of the stacks, under Pulumi's own engine
COMMAND = (sys.executable, "-m", "local.emulators", "--state", str(STATE))
EMULATORS_SECONDS = 180.0  # for a start, the first of which makes a database cluster, and for a stop


class LocalMode(Protocol):
    """The stand-in engine, which is installed for local mode only."""

    def engine(self, root: Path, stack: str, environment: Mapping[str, str]) -> Engine:
        """A stack under the stand-in engine; see `automation.engine.Engine`."""

    def stacks(self, root: Path) -> list[str]:
        """Names of all stacks that it holds, sorted."""

    def unheld(self, environment: Mapping[str, str], held: Collection[str]) -> list[dict[str, str]]:
        """Repositories and sites of the emulators whose names are not in `held`."""


def find_local_mode() -> LocalMode:
    """Return local mode, by its entry point.

    Raises:
        OperatorError: it is not installed.
    """
    for found in entry_points(group=GROUP, name="local"):
        mode: LocalMode = found.load()()
        return mode
    raise OperatorError("is not installed", "local mode", "Install it: make demo, or pip install -e .")


@dataclass(frozen=True)
class Emulators:
    """The emulators that run.

    Attributes:
        exports: the environment variables that point every provider at them.
        services: service name -> base URL.
    """

    exports: Mapping[str, str]
    services: Mapping[str, str]


def start_emulators(root: Path) -> Emulators:
    """Start the emulators in the background, or find the ones that run; they outlive this process.

    Raises:
        OperatorError: they could not be started.
    """
    ready = root / STATE / "ready.json"
    found = _read(ready)
    if found and _answers(found) and _outdated(ready, root / "local" / "emulators"):
        stop_emulators(root)
        found = None
    if found is None or not _answers(found):
        started = run_to_end([*COMMAND, "--detach"], root=root, environment=os.environ, seconds=EMULATORS_SECONDS)
        found = _read(ready)
        if started.returncode != 0 or found is None:
            said = started.stderr.strip().splitlines()
            raise OperatorError(said[-1] if said else "did not start", "emulators", f"See {STATE / 'log'}.")
    return Emulators(found["exports"], found["services"])


def stop_emulators(root: Path) -> str:
    """Stop the emulators, and say in a line what was there to stop.

    Raises:
        OperatorError: they do not stop.
    """
    done = run_to_end([*COMMAND, "stop"], root=root, environment=os.environ, seconds=EMULATORS_SECONDS)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise OperatorError(said[-1] if said else "did not stop", "emulators", f"See {STATE / 'log'}.")
    return done.stdout.strip()


def _read(ready: Path) -> dict[str, Any] | None:
    """What the emulators say of themselves; None where they say nothing, or the file is damaged."""
    try:
        content = json.loads(ready.read_text())
        parts = {name: dict(content[name]) for name in ("exports", "services")}
        return {"pid": int(content["pid"]), **parts}
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _outdated(ready: Path, code: Path) -> bool:
    """Whether the emulators' own code changed since they started, as after an update of the repository."""
    return any(file.stat().st_mtime > ready.stat().st_mtime for file in code.rglob("*.py"))


def _answers(found: Mapping[str, Any]) -> bool:
    """Whether the process is alive and every service takes a connection; a file left by a crash fails this."""
    try:
        os.kill(int(found["pid"]), 0)
        for url in found["services"].values():
            address = urlsplit(str(url))
            socket.create_connection((address.hostname, address.port or 0), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True
