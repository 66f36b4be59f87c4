"""One client's stack under Pulumi's own engine, through the Automation API."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from automation.engine import OnStep, Outcome
from automation.pulumi_events import Recorder, text_lines
from components.errors import OperatorError
from components.settings import PROJECT

SECRET = "4dabf18193072939515e22adb298388d"  # noqa: S105 - the engine's mark of a secret, not one


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
        self._client = client
        variables = dict(environment)
        folder = root
        if local:
            folder = _local_project(root, client)
            (root / ".local/pulumi/state").mkdir(parents=True, exist_ok=True)
            variables["PULUMI_BACKEND_URL"] = f"file://{root / '.local/pulumi/state'}"
        self._workspace = auto.LocalWorkspace(work_dir=str(folder), env_vars=variables, pulumi_command=command)

    def preview(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        return self._run(lambda stack, **kw: stack.preview(refresh=refresh, run_program=True, **kw), on_step, new=True)

    def up(self, *, refresh: bool = False, on_step: OnStep | None = None) -> Outcome:
        run_program = True if refresh else None
        return self._run(
            lambda stack, **kw: stack.up(
                refresh=refresh, run_program=run_program, show_secrets=False, suppress_outputs=True, **kw
            ),
            on_step,
            new=True,
        )

    def refresh(self, *, on_step: OnStep | None = None) -> Outcome:
        return self._run(lambda stack, **kw: stack.refresh(run_program=True, show_secrets=False, **kw), on_step)

    def destroy(self, *, on_step: OnStep | None = None) -> Outcome:
        return self._run(lambda stack, **kw: stack.destroy(run_program=True, show_secrets=False, **kw), on_step)

    def outputs(self) -> Outcome:
        return Outcome(**_outputs(self._stack(new=False).outputs()))

    def resources(self) -> list[dict[str, Any]]:
        deployment = self._stack(new=False).export_stack().deployment or {}
        return [
            {
                "urn": resource["urn"],
                "type": resource["type"],
                "id": resource.get("id", ""),
                "protect": resource.get("protect", False),
                "outputs": _masked(resource.get("outputs", {})),
            }
            for resource in deployment.get("resources", [])
            if not resource["type"].startswith("pulumi:")
        ]

    def _stack(self, *, new: bool) -> auto.Stack:
        try:
            if new:
                return auto.Stack.create_or_select(self._client, self._workspace)
            return auto.Stack.select(self._client, self._workspace)
        except auto.StackNotFoundError:
            remedy = f"Run: python -m automation up {self._client}"
            raise OperatorError("has no stack yet", self._client, remedy) from None
        except auto.CommandError as error:
            raise OperatorError(_last_line(error), self._client) from None

    def _run(self, run: Callable[..., Any], on_step: OnStep | None, *, new: bool = False) -> Outcome:
        stack, recorder, began = self._stack(new=new), Recorder(on_step), time.monotonic()
        failure, result = None, None
        try:
            result = run(stack, on_event=recorder.see, color="never")
        except auto.ConcurrentUpdateError as error:
            failure = f"another update holds the lock: {_last_line(error)}"
        except auto.CommandError as error:
            failure = recorder.error() or _last_line(error)
        outputs = getattr(result, "outputs", None)
        return Outcome(
            steps=tuple(recorder.steps),
            diagnostics=tuple(recorder.diagnostics),
            seconds=time.monotonic() - began,
            error=failure,
            **(_outputs(outputs) if outputs else {}),
        )


def _outputs(outputs: Mapping[str, auto.OutputValue]) -> dict[str, Any]:
    return {
        "outputs": {name: output.value for name, output in outputs.items()},
        "secret_outputs": frozenset(name for name, output in outputs.items() if output.secret),
    }


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return "[secret]" if SECRET in value else {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _last_line(error: auto.CommandError) -> str:
    """What a failed command said last on its error stream."""
    *_, said = ["failed", *text_lines(str(error).partition("stderr:")[2] or str(error))]
    return said.removeprefix("error: ")


def _local_project(root: Path, client: str) -> Path:
    """A project folder of local mode's own, whose program is the repository's.

    Pulumi writes the stack's salt into the configuration file next to `Pulumi.yaml`: not into the committed one here.
    """
    folder = root / ".local/pulumi/project"
    folder.mkdir(parents=True, exist_ok=True)
    project = yaml.safe_load((root / "Pulumi.yaml").read_text())
    project["main"] = str(root)
    project["runtime"]["options"]["virtualenv"] = str(root / ".venv")
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    path = folder / f"Pulumi.{client}.yaml"
    kept = yaml.safe_load(path.read_text()) if path.exists() else {}
    config = yaml.safe_load((root / f"Pulumi.{client}.yaml").read_text())["config"]
    # The GitHub provider pauses a second after each write unless told otherwise; an emulator needs no mercy.
    config = {**config, f"{PROJECT}:environment": "local", "github:writeDelayMs": "0"}
    path.write_text(yaml.safe_dump({**kept, "config": config}, sort_keys=False))
    return folder
