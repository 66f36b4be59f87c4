"""One client's stack under Pulumi's own engine, through the Automation API."""

import json
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto
from pulumi.automation import events

from automation.engine import OnStep, Outcome, outputs_by_name
from automation.interrupt import requested
from automation.local import LOCAL_PASSPHRASE, LOCAL_STATE
from automation.losses import plan_first
from automation.pulumi_command import Command, OverdueError, within_limit
from automation.pulumi_events import SECRET, Recorder, text_lines
from automation.recovery.stack_recovery import ask_sight, free_lock, settle_creates
from common.errors import OperatorError
from common.system_errors import CLOSED, FULL
from components.find_existing import REPOSITORY, SITE
from components.settings import STACK_MARK
from components.settings_file import read_settings_file
from components.urn import name_of

# Go's words for errors of the system; the engine may say them in the middle of a list of errors.
SYSTEM = re.compile(
    r"\b(?:open|write|mkdir|rename|stat|unlink) (?P<where>\S+): "
    r"(?P<what>no space left on device|read-only file system|permission denied)"
)
# Read without a word on which file; a full disk leaves an empty lock like that.
CUT_OFF = re.compile(r"^unexpected end of JSON input$")
DAMAGED = "Restore its state from a backup: the backend keeps earlier ones under history/ and backups/."
UNLOCK = (
    "A full disk leaves such a lock: free some space, make sure that nobody works on the stack, then: pulumi cancel."
)


class PulumiEngine:
    """Implements `automation.engine.Engine`; `root` is the folder of `Pulumi.yaml`, and also where the program runs.

    Args:
        root: the repository's root.
        client: client id, the stack's name.
        environment: complete environment of the program and provider processes.
        command: the `pulumi` command, shared by all stacks.
        local: keep state and stack configuration under `.local/pulumi`.
    """

    def __init__(
        self, root: Path, client: str, environment: Mapping[str, str], command: auto.PulumiCommand, *, local: bool
    ) -> None:
        self.name = f"pulumi v{command.version}"
        self._root, self._client, self._command = root, client, Command(command)
        self._planned: list[events.StepEventStateMetadata] = []
        self._failed: list[events.StepEventStateMetadata] = []
        # Its plugins carry it too, so that those of a dead engine are told from everybody else's.
        self._environment = {**environment, STACK_MARK: f"{root}:{client}"}
        self._workspace = self._private(root / ".local/pulumi") if local else self._open(root, {})

    def preview(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        if refresh:
            self._require_sight()

        if self._find() is not None:
            return self._plan(refresh, on_step)
        # A preview makes no stack: what would be new is planned against an empty state that is thrown away.
        with tempfile.TemporaryDirectory() as folder:
            stack = auto.Stack.create(self._client, self._private(Path(folder)))
            return self._plan(refresh, on_step, stack)

    def _plan(self, refresh: bool, on_step: OnStep | None = None, stack: auto.Stack | None = None) -> Outcome:
        def run(stack: auto.Stack, **options: Any) -> Any:
            return stack.preview(refresh=refresh, run_program=True, **options)

        return self._run(run, on_step, stack)

    def up(self, *, refresh: bool = False, gone: Collection[str] = (), on_step: OnStep | None = None) -> Outcome:
        if refresh:
            self._require_sight(gone)
        options = {"refresh": refresh, "run_program": True if refresh else None, "suppress_outputs": True}
        with _refusals(self._client):
            stack = auto.Stack.create_or_select(self._client, self._workspace)
            held = self.resources()
            api_url = _lost_natives(held)
            if api_url:
                self.preview()
            self._settle(stack, planned=self._planned, api_url=api_url)
        if (refused := plan_first(self._client, held, lambda: self._plan(refresh, stack=stack))) is not None:
            return refused
        began = datetime.now(UTC)
        outcome = self._run(lambda stack, **more: stack.up(show_secrets=False, **options, **more), on_step, stack)
        if self._failed:
            try:
                with _refusals(self._client):
                    self._settle(stack, failed=self._failed, began=began)
            except OperatorError as error:
                return replace(outcome, diagnostics=(*outcome.diagnostics, str(error)))
        return outcome

    def _require_sight(self, gone: Collection[str] = ()) -> None:
        """Refuse to refresh what a token may not see, which the native providers would drop from state.

        Args:
            gone: names of resources that the operator says are gone.

        Raises:
            OperatorError: a repository or site answers 404, and the token does not show that it is gone.
        """
        things = [thing for thing in _natives(self.resources()) if thing["name"] not in gone]
        reasons = ask_sight(things, self._workspace.env_vars, self._root)
        if reasons:
            told = "; ".join(f"{name}: {reason}" for name, reason in sorted(reasons.items()))
            named = " ".join(f"--gone {name}" for name in sorted(reasons))
            remedy = f"Nothing was refreshed. Give the token access, or if it is gone: up --refresh {named}."
            raise OperatorError(told, self._client, remedy)

    def refresh(self, *, on_step: OnStep | None = None) -> Outcome:
        self._require_sight()
        return self._run(lambda stack, **kw: stack.refresh(run_program=True, show_secrets=False, **kw), on_step)

    def destroy(self, *, on_step: OnStep | None = None) -> Outcome:
        if (stack := self._find()) is None:
            return Outcome()
        # What interrupted runs have made becomes part of the state first, or it would stay, billed and unseen.
        with _refusals(self._client):
            self._settle(stack)
        # Without the program: a client whose settings are refused can still leave, and credentials come from the
        # environment anyway.
        outcome = self._run(lambda stack, **more: stack.destroy(show_secrets=False, **more), on_step, stack)
        if not outcome.error:
            with _refusals(self._client):
                _forget_pending(stack)
        return outcome

    def outputs(self) -> Outcome:
        if (stack := self._find()) is None:
            raise self._missing()
        with _refusals(self._client):
            return Outcome(**_outputs(stack.outputs()))

    def resources(self, *, secrets: bool = False) -> list[dict[str, Any]]:
        if self._find() is None:
            return []
        command = ["stack", "export", "--stack", self._client, *(["--show-secrets"] if secrets else [])]
        with _refusals(self._client):
            result = self._command.run(command, self._workspace.work_dir, self._workspace.env_vars)
        return _shown(result.stdout, self._client)

    def _settle(self, stack: auto.Stack, **creates: Any) -> None:
        """Take up what the state does not know: a killed operation's lock, what was made, what a lost state held."""

        def settle() -> None:
            if taken := settle_creates(stack, self._workspace.env_vars, self._root, **creates):
                stack.refresh(target=taken, show_secrets=False, suppress_outputs=True)

        self._unlocked(stack, settle)

    def _unlocked(self, stack: auto.Stack, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except auto.ConcurrentUpdateError as error:
            free_lock(stack, str(error), self._environment[STACK_MARK])
            return work()

    def _find(self) -> auto.Stack | None:
        with _refusals(self._client):
            try:
                return auto.Stack.select(self._client, self._workspace)
            except auto.StackNotFoundError:
                return None

    def _missing(self) -> OperatorError:
        return OperatorError("has no stack yet", self._client, f"Run: clients up {self._client}")

    def _run(self, run: Callable[..., Any], on_step: OnStep | None, stack: auto.Stack | None = None) -> Outcome:
        if (stack := stack or self._find()) is None:
            raise self._missing()
        if requested():
            return Outcome(error="interrupted before it began")
        recorder, began = Recorder(on_step, self._environment), time.monotonic()
        failure, result = None, None
        self._command.overdue = lambda _seconds: recorder.progress.overdue()
        try:
            result = self._unlocked(stack, lambda: run(stack, on_event=recorder.see, color="never"))
        except auto.CommandError as error:
            failure = recorder.error() or str(_refusal(error))
        except OverdueError as error:
            failure = str(error)
        finally:
            self._command.overdue = within_limit
        self._planned, self._failed = recorder.planned, recorder.failed
        return Outcome(
            steps=tuple(recorder.steps),
            blocked=tuple(recorder.blocked),
            diagnostics=tuple(recorder.diagnostics),
            seconds=time.monotonic() - began,
            error=failure,
            **_outputs(getattr(result, "outputs", {})),
        )

    def _private(self, folder: Path) -> auto.LocalWorkspace:
        """A workspace whose state and stack configuration are in a folder of their own; the program stays where it is.

        Pulumi writes the stack's salt into the configuration file beside `Pulumi.yaml`, which here is not the
        committed one.
        """
        project = _loaded(self._root / "Pulumi.yaml")
        project["main"] = str(self._root)
        _mapping(_mapping(project, "runtime", "Pulumi.yaml"), "options", "Pulumi.yaml")["virtualenv"] = str(
            self._root / ".venv"
        )
        path = folder / self._client / f"Pulumi.{self._client}.yaml"
        kept = _loaded(path) if path.exists() else {}
        config = _mapping(_loaded(self._root / path.name), "config", path.name)
        # The GitHub provider pauses a second after each write unless told otherwise; an emulator needs no mercy.
        kept["config"] = {**config, "github:writeDelayMs": "1"}
        (folder / "state").mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        for file, content in ((path.with_name("Pulumi.yaml"), project), (path, kept)):
            file.write_text(yaml.safe_dump(content, sort_keys=False))
        state = {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}", "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE}
        return self._open(path.parent, state)

    def _open(self, folder: Path, more: Mapping[str, str]) -> auto.LocalWorkspace:
        return auto.LocalWorkspace(
            work_dir=str(folder), env_vars={**self._environment, **more}, pulumi_command=self._command
        )


def _loaded(path: Path) -> dict[str, Any]:
    """A settings file whose scalars are text, as Pulumi itself writes them.

    Raises:
        OperatorError: it cannot be read, or is no mapping.
    """
    try:
        return read_settings_file(path)
    except OperatorError as error:
        raise OperatorError(error.what, str(path), error.remedy) from None


def _mapping(content: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    found = content.get(key)
    if not isinstance(found, dict):
        raise OperatorError(f"must hold a mapping `{key}:`", where, "Restore it from git.")
    return found


def list_stacks(root: Path, environment: Mapping[str, str], command: auto.PulumiCommand, *, local: bool) -> list[str]:
    """Return the names of the project's stacks that hold resources, or may, sorted.

    Raises:
        OperatorError: the backend does not answer.
    """
    variables = _backend(root, environment, local=local)
    if variables is None:
        return []
    with _refusals("pulumi stack ls"):
        answer = command.run(["stack", "ls", "--json"], str(root), variables)
    # A backend that does not count resources leaves the count out.
    return sorted(each["name"] for each in json.loads(answer.stdout) if each.get("resourceCount") != 0)


def read_state(
    root: Path, environment: Mapping[str, str], command: auto.PulumiCommand, stack: str, *, local: bool
) -> list[dict[str, Any]]:
    """Return the resources of any stack, secrets masked, as `Engine.resources` does; the client needs no file.

    Raises:
        OperatorError: the backend does not answer, or the state cannot be read.
    """
    variables = _backend(root, environment, local=local)
    if variables is None:
        return []
    with _refusals(stack):
        return _shown(command.run(["stack", "export", "--stack", stack], str(root), variables).stdout, stack)


def _backend(root: Path, environment: Mapping[str, str], *, local: bool) -> dict[str, str] | None:
    """The environment that leads to the state backend; None for local mode's before there is any state."""
    if not local:
        return dict(environment)
    state = root / LOCAL_STATE
    return {**environment, "PULUMI_BACKEND_URL": f"file://{state}"} if state.is_dir() else None


def _shown(exported: str, client: str) -> list[dict[str, Any]]:
    return [
        {
            "urn": resource["urn"],
            "type": resource["type"],
            "id": resource.get("id", ""),
            "protect": resource.get("protect", False),
            "outputs": _opened(resource.get("outputs", {})),
        }
        for resource in _deployment(exported, client).get("resources") or ()
        if not resource["type"].startswith("pulumi:")
    ]


def _lost_natives(resources: Iterable[Mapping[str, Any]]) -> str | None:
    """Return the client's API URL when its state has a project but no repository or no site; else None.

    A refresh with a token that saw neither has dropped them, and they are still there.
    """
    state = outputs_by_name(resources)
    complete = "repository" in state and "site" in state
    return None if complete else state.get("endpoints", {}).get("api_url")


def _natives(resources: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the repository and the site of a state, as `automation.recovery.token_visibility` takes them."""
    for resource in resources:
        name, outputs = name_of(resource["urn"]), resource["outputs"]
        if resource["type"] == REPOSITORY:
            yield {"name": name, "kind": "repository", "id": resource["id"]}
        elif resource["type"] == SITE:
            team, label = outputs.get("teamId"), outputs.get("name", "")
            yield {"name": name, "kind": "site", "id": resource["id"], "team": team, "label": label}


def _forget_pending(stack: auto.Stack) -> None:
    """Drop the operations that an interrupted run has left in a state without resources."""
    exported = stack.export_stack()
    content: Any = exported.deployment
    if content.pop("pending_operations", None):
        stack.import_stack(exported)


@contextmanager
def _refusals(client: str) -> Iterator[None]:
    try:
        yield
    except auto.CommandError as error:
        raise _refusal(error, client) from None


def _outputs(outputs: Mapping[str, auto.OutputValue]) -> dict[str, Any]:
    return {
        "outputs": {name: output.value for name, output in outputs.items()},
        "secret_outputs": frozenset(name for name, output in outputs.items() if output.secret),
    }


def _opened(value: Any) -> Any:
    """A value of the exported state; a secret is there in plain text only when the export was asked for it."""
    if isinstance(value, Mapping):
        if SECRET in value:
            return json.loads(value["plaintext"]) if "plaintext" in value else "[secret]"
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value


def _deployment(exported: str, client: str) -> dict[str, Any]:
    """What an exported state holds.

    Raises:
        OperatorError: nothing at all, which is less than the state of an empty stack holds.
    """
    content: dict[str, Any] | None = json.loads(exported).get("deployment")
    if content is None:
        raise OperatorError("its state is damaged: it holds no deployment", client, DAMAGED)
    return content


def _refusal(error: auto.CommandError, client: str = "") -> OperatorError:
    """What a failed command said, with what to do where this machine or the stored state is the reason."""
    if found := SYSTEM.search(str(error)):
        remedy = FULL if "space" in found["what"] else CLOSED
        return OperatorError(found["what"], found["where"], remedy)
    said = _last_line(error)
    if CUT_OFF.search(said):
        return OperatorError("a file of the state backend is cut off", client, UNLOCK)
    return OperatorError(said, client, DAMAGED if "load checkpoint" in said else "")


def _last_line(error: auto.CommandError) -> str:
    """What a failed command said last on its error stream, or else its last error among the rest."""
    output, _, errors = str(error).partition("stderr:")
    found = [line for line in text_lines(output) if "error: " in line]
    *_, said = ["failed", *found, *text_lines(errors)]
    return said.removeprefix("error: ")
