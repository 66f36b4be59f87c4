"""One run of one verb: which clients, under which engine, and how it ends."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import typer

from automation.clients import read_job
from automation.console import Screen
from automation.engine import Engine
from automation.failures import explain
from automation.fleet import DONE, FAILED, ClientResult, exit_code, run_fleet
from automation.provision import provision
from automation.rivals import Claims, read_claims, refuse_rivals
from automation.workspace import Workspace, open_workspace
from common.errors import OperatorError
from components.settings import check_client_id

# What two clients both claim is refused by the verbs that create; the others must still reach both.
CREATING = frozenset({"preview", "up", "rotate"})
Action = Callable[[str, Engine], ClientResult]


class Session:
    """Runs a verb's action for each client and ends the process with its exit code."""

    def __init__(self, verb: str, *, local: bool, as_json: bool) -> None:
        self.verb, self.local, self.root = verb, local, Path.cwd()
        self.screen = Screen(as_json=as_json)
        self._workspace: Workspace | None = None
        self._lost: str | None = None
        if not (self.root / "Pulumi.yaml").exists():
            raise OperatorError("no Pulumi.yaml here", str(self.root), "Run this in the repository's root.")

    def workspace(self, *, writes: bool) -> Workspace:
        """The workspace, opened on first use; says which engine carries the work."""
        if self._workspace is None:
            self._workspace = open_workspace(self.root, local=self.local, writes=writes)
            self.screen.hide(self._workspace.environment)
            self.screen.say(f"{self.verb} with engine: {self._workspace.engine_name}", "bold")
            if self._workspace.pulumi is None:
                self.screen.say("Without the pulumi command GitHub and Vercel are simulated; each such line says so.")
        return self._workspace

    @property
    def engine_name(self) -> str | None:
        """The engine's name, once the workspace is open."""
        return self._workspace.engine_name if self._workspace else None

    def run(
        self, clients: Sequence[str], action: Action, *, parallel: int, writes: bool = False, leaving: bool = False
    ) -> tuple[ClientResult, ...]:
        """Return the results of an action over clients; settings are checked before anything is started.

        Args:
            leaving: the clients are only to be destroyed, for which their settings need not be right.
        """
        claims = self._claims() if self.verb in CREATING else None
        checked = ((client, self._check(client, claims, leaving=leaving)) for client in clients)
        refused = {client: result for client, result in checked if result}
        sound = [client for client in clients if client not in refused]
        if not sound:
            return tuple(refused.values())
        workspace = self.workspace(writes=writes)

        def act(client: str) -> ClientResult:
            return action(client, workspace.engine(client, leaving=leaving))

        with self.screen.working("starting"):
            done = {result.client: result for result in run_fleet(sound, act, parallel=parallel)}
        return tuple(refused.get(client) or done[client] for client in clients)

    def bring_up(self, client: str, *, refresh: bool = False, gone: Collection[str] = ()) -> ClientResult:
        """Provision a client that has a file, inside an action of `run`."""
        result = provision(
            read_job(client, self.root, local=self.local),
            workspace=self.workspace(writes=True),
            refresh=refresh,
            gone=gone,
            on_step=self.screen.on_step(client),
            say=lambda text: self.screen.say(f"{client}  {text}"),
        )
        return ClientResult(client, FAILED if result.error else DONE, result.as_json(), result.error)

    def _claims(self) -> Claims:
        """What all clients claim; says of which it cannot be told."""
        claims = read_claims(self.root, local=self.local)
        for client in claims.unread:
            self.screen.say(f"{client}: its file says too little to compare its domain with other clients'", "yellow")
        return claims

    def _check(self, client: str, claims: Claims | None, *, leaving: bool) -> ClientResult | None:
        try:
            check_client_id(client)
            if not leaving:
                read_job(client, self.root, local=self.local)
            if claims:
                refuse_rivals(client, claims)
        except Exception as error:  # whatever it is, it is this client's alone
            return ClientResult(client, FAILED, error=explain(error))
        return None

    def lose(self, error: OSError) -> None:
        """Note that something of the result could not be written; the rest is told all the same."""
        self._lost = explain(error)

    def end(
        self, results: Sequence[ClientResult], more: Mapping[str, Any] | None = None, *, least: int = DONE
    ) -> NoReturn:
        """Say what failed, print the JSON object when asked for, and leave with the exit code of the results.

        Args:
            more: what the JSON object holds beside the clients.
            least: the exit code that what was found beside the clients gives at least.

        Raises:
            typer.Exit: always.
        """
        for result in results:
            if result.error:
                self.screen.error(f"{result.client}: {result.error.removeprefix(f'{result.client}: ')}")
        code = FAILED if self._lost else max(exit_code(results), least)
        lost = {"error": self._lost} if self._lost else {}
        if self._lost:
            self.screen.error(self._lost)
        self.screen.emit(
            {"verb": self.verb, "engine": self.engine_name, "status": ("done", "changes", "failed")[code]}
            | {"clients": [result.as_json() for result in results], **lost}
            | dict(more or {})
        )
        if self.screen.lost:
            self.screen.error(self.screen.lost)
            code = FAILED
        raise typer.Exit(code)


@contextmanager
def session(verb: str, *, local: bool, as_json: bool) -> Iterator[Session]:
    """A session whose failures become one line, the JSON object and exit code 2; tracebacks go to the log file."""
    try:
        yield Session(verb, local=local, as_json=as_json)
    except typer.Exit:
        raise
    except Exception as error:
        fail(verb, explain(error), as_json=as_json)
        raise typer.Exit(FAILED) from None


def fail(verb: str, text: str, *, as_json: bool) -> None:
    """Say why a command ends before it has a result for any client."""
    screen = Screen(as_json=as_json)
    screen.error(text)
    screen.emit({"verb": verb, "engine": None, "status": "failed", "error": text, "clients": []})
