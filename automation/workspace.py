"""Opens a client's stack: which engine carries it, and the process environment that its program and providers get."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automation.engine import Engine
from automation.installer import find_pulumi
from automation.local import LOCAL_PASSPHRASE, start_emulators
from components.errors import OperatorError
from components.settings import ClientSettings, load_settings

if TYPE_CHECKING:
    from pulumi.automation import PulumiCommand

TOKENS = ("SUPABASE_ACCESS_TOKEN", "GITHUB_TOKEN", "GITHUB_OWNER", "VERCEL_API_TOKEN")
OLDER_NAMES = {"SUPABASE_ACCESS_TOKEN": "SUPABASE_MANAGEMENT_TOKEN"}


@dataclass(frozen=True)
class Workspace:
    """What all clients of one command share.

    Attributes:
        root: the folder of `Pulumi.yaml`.
        local: whether every provider talks to an emulator.
        environment: the complete environment of the program and provider processes.
        pulumi: the `pulumi` command, or None for the rehearsal engine.
    """

    root: Path
    local: bool
    environment: Mapping[str, str]
    pulumi: "PulumiCommand | None"

    @property
    def engine_name(self) -> str:
        """Name of the engine, for headers and reports."""
        return f"pulumi v{self.pulumi.version}" if self.pulumi else "rehearsal"

    def settings(self, client: str) -> ClientSettings:
        """The client's settings under this workspace's environment.

        Raises:
            OperatorError: naming property, value and rule of the first setting that is wrong.
        """
        return load_settings(client, self.root, "local" if self.local else None, self.environment)

    def engine(self, client: str) -> Engine:
        """The client's stack under this workspace's engine.

        Raises:
            OperatorError: a setting is wrong; nothing was opened.
        """
        self.settings(client)
        # Both engines import much; a command that fails on its arguments pays for neither.
        if self.pulumi is None:
            from automation.rehearsal.engine import Rehearsal

            return Rehearsal(self.root, client, self.environment, self.root / ".local/rehearsal")
        from automation.pulumi_engine import PulumiEngine

        return PulumiEngine(self.root, client, self.environment, self.pulumi, local=self.local)

    def preflight(self, client: str, *, fresh: bool) -> str:
        """Ask Supabase what it would refuse a new client for; in a process of its own, read-only.

        Args:
            fresh: nothing of the client is in state.

        Returns:
            one line that says where the project will be, and on which plan.

        Raises:
            OperatorError: the first thing that is refused.
        """
        done = subprocess.run(
            [sys.executable, "-m", "components.supabase.preflight", client, *(["--fresh"] if fresh else [])],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = (done.stderr if done.returncode else done.stdout).strip().splitlines() or ["the preflight broke off"]
        if done.returncode:
            raise OperatorError(said[-1])
        return said[-1]


def open_workspace(root: Path, *, local: bool, writes: bool = False) -> Workspace:
    """Find or start what a command needs: emulators in local mode, and an engine.

    Args:
        root: the folder of `Pulumi.yaml`.
        local: talk to emulators, keep state under `.local/`.
        writes: the command reaches remote systems, so their tokens must be there.

    Raises:
        OperatorError: a token is missing, the emulators do not start, or there is no engine.
    """
    environment = {**os.environ, "PATH": f"{root / '.venv/bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    # State knows the salt of its secrets, so a client's file that lost it, or never had it, is no obstacle.
    environment |= {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
    if local:
        environment |= start_emulators(root).exports
        environment |= {"CLIENT_ENVIRONMENT": "local", "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE}
    elif writes:
        _require_tokens(environment)
    pulumi = find_pulumi(root, rehearsed=local)
    if pulumi is None and not local:
        raise OperatorError(
            "the pulumi command is neither on PATH nor could it be fetched",
            "engine",
            "Install it: https://www.pulumi.com/docs/install/",
        )
    return Workspace(root, local, environment, pulumi)


def open_engine(client: str, *, local: bool, root: Path) -> Engine:
    """One client's stack in a workspace of its own; for several clients open one `Workspace`."""
    return open_workspace(root, local=local).engine(client)


def _require_tokens(environment: Mapping[str, str]) -> None:
    for name in TOKENS:
        if not environment.get(name) and not environment.get(OLDER_NAMES.get(name, name)):
            raise OperatorError("is not set", name, "Export it; README.md says what it must be able to do.")
