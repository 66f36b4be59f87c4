"""Opens a client's stack: which engine carries it, and the process environment that its program and providers get."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from automation.engine import Engine, outputs_by_name
from automation.installer import find_pulumi
from automation.local import LOCAL_PASSPHRASE, find_local_mode, start_emulators
from automation.processes import TOOL_SECONDS, ask_tool
from common.errors import OperatorError
from components.settings import STACK_MARK, ClientSettings, load_settings

if TYPE_CHECKING:
    from automation.pulumi_command import Command
    from automation.recovery.departure import Identity

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
    pulumi: "Command | None"

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

    def engine(self, client: str, *, leaving: bool = False) -> Engine:
        """The client's stack under this workspace's engine.

        Args:
            leaving: the stack is only to be destroyed, for which its state says enough; settings are not checked.

        Raises:
            OperatorError: a setting is wrong, or the client has no file; nothing was opened.
        """
        if not leaving:
            self.settings(client)
        elif not (self.root / f"Pulumi.{client}.yaml").is_file():
            raise OperatorError(
                "no such file, so its stack cannot be opened",
                f"Pulumi.{client}.yaml",
                "Restore it from retired/ or from git, then run it again.",
            )
        # Both engines import much; a command that fails on its arguments pays for neither.
        if self.pulumi is None:
            return find_local_mode().engine(self.root, client, self.environment)
        from automation.pulumi_engine import PulumiEngine

        return PulumiEngine(self.root, client, self.environment, self.pulumi, local=self.local)

    def remains(self, identity: "Identity", *, delete: bool) -> dict[str, list[str]]:
        """Look for what exists of a client outside its stack, in a process of its own.

        Args:
            delete: delete a Supabase project that is proved to be this client's.

        Returns:
            `{deleted, left}`, a line for each thing.

        Raises:
            OperatorError: a service does not answer, or the deletion failed.
        """
        # In rehearsal GitHub and Vercel are documents, which the engine finds by itself.
        asked = {**asdict(identity), "native": self.pulumi is not None, "delete": delete}
        # A project that still comes up is waited for twice: for the proof, and for the deletion.
        seconds = 2 * identity.timeout + TOOL_SECONDS
        found: dict[str, list[str]] = self._ask("automation.recovery.remains", asked, seconds=seconds)
        return found

    def stacks(self) -> list[str]:
        """Return the names of all stacks that the state backend holds, sorted.

        Raises:
            OperatorError: the backend does not answer.
        """
        if self.pulumi is None:
            return find_local_mode().stacks(self.root)
        from automation.pulumi_engine import list_stacks

        return list_stacks(self.root, self.environment, self.pulumi, local=self.local)

    def state_of(self, stack: str) -> list[dict[str, Any]]:
        """Return the resources that any stack holds, secrets masked, whether or not a client's file goes with it.

        Raises:
            OperatorError: the state cannot be read.
        """
        if self.pulumi is None:
            return find_local_mode().engine(self.root, stack, self.environment).resources()
        from automation.pulumi_engine import read_state

        return read_state(self.root, self.environment, self.pulumi, stack, local=self.local)

    def orphans(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Look in the accounts for what no stack holds, in a process of its own; see `automation.recovery.accounts`.

        Raises:
            OperatorError: the look itself failed.
        """
        native = self.pulumi is not None
        found: dict[str, Any] = self._ask("automation.recovery.accounts", {**asked, "native": native})
        if not native:
            held = {*asked["repositories"], *asked["sites"]}
            found["found"] += find_local_mode().unheld(self.environment, held)
        return found

    def _ask(self, module: str, given: Any, *arguments: str, seconds: float = TOOL_SECONDS) -> Any:
        return ask_tool(module, given, *arguments, root=self.root, environment=self.environment, seconds=seconds)

    def diagnose(self, client: str, resources: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        """Look at what an `up` of a client needs, in a process of its own; read-only.

        Args:
            resources: what of the client is in state.

        Returns:
            `{name, says, state, remedy}` each; `state` is `ok`, `warning`, or `failed` for what would stop an `up`.

        Raises:
            OperatorError: the look itself failed.
        """
        state = outputs_by_name(resources)
        words = ["--state", "project" if "project" in state else "password" if state else "none"]
        if pooler := urlsplit(state.get("endpoints", {}).get("session_dsn", "")).netloc.rpartition("@")[2]:
            words += ["--pooler", pooler]
        try:
            findings: list[dict[str, str]] = self._ask("automation.preflight", None, client, *words)
        except OperatorError as error:
            raise OperatorError(f"broke off: {error}", "python -m automation.preflight") from None
        return findings


def open_workspace(root: Path, *, local: bool, writes: bool = False) -> Workspace:
    """Find or start what a command needs: emulators in local mode, and an engine.

    Args:
        root: the folder of `Pulumi.yaml`.
        local: talk to emulators, keep state under `.local/`.
        writes: the command reaches remote systems, so their tokens must be there.

    Raises:
        OperatorError: a token is missing, the emulators do not start, or there is no engine.
    """
    root = root.resolve()  # the commands that are run have folders of their own
    environment = {**os.environ, "PATH": f"{root / '.venv/bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    # State knows the salt of its secrets, so a client's file that lost it, or never had it, is no obstacle.
    environment |= {"PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER": "true"}
    environment[STACK_MARK] = str(root)
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
