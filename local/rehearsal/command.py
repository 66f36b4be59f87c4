"""`command:local:Command`, run for real as version 1.2.1 of Pulumi's command provider runs it."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from automation.limits import STEP_SECONDS
from automation.processes import run_to_end
from common.errors import OperatorError
from components.urn import name_of
from local.rehearsal.provider import Provider, ProviderError
from local.rehearsal.state import Resource
from local.rehearsal.values import Properties, plain

UNSUPPORTED = frozenset({"assetPaths", "archivePaths"})


class CommandProvider(Provider):
    """Runs `create`, `update` (else `create` again) and `delete`.

    Args:
        root: the folder that commands run in, unless they name another.
        environment: complete environment of the commands, to which each adds its own.
    """

    identity = frozenset({"triggers"})

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root, self._environment = root, environment

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        return dict(news), [f"{name}: is not supported in rehearsal" for name in sorted(UNSUPPORTED & news.keys())]

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        name = name_of(urn)
        return f"{name}{secrets.token_hex(4)}", self._outputs(inputs, inputs.get("create"), {})

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        return self._outputs(news, news.get("update", news.get("create")), old.outputs)

    def delete(self, old: Resource) -> None:
        self._outputs(old.outputs, old.outputs.get("delete"), old.outputs)

    def _outputs(self, inputs: Mapping[str, Any], command: Any, before: Mapping[str, Any]) -> Properties:
        earlier = {name: str(plain(before.get(name, ""))) for name in ("stdout", "stderr")}
        if command is None:
            return {**inputs, **earlier}
        return {**inputs, **self._run(plain(dict(inputs)), str(plain(command)), earlier)}

    def _run(self, inputs: Properties, command: str, earlier: Mapping[str, str]) -> Properties:
        environment = {
            **self._environment,
            **{name: str(value) for name, value in inputs.get("environment", {}).items()},
        }
        if inputs.get("addPreviousOutputInEnv", True):
            environment |= {f"PULUMI_COMMAND_{name.upper()}": text for name, text in earlier.items() if text}
        try:
            done = run_to_end(
                [*(inputs.get("interpreter") or ["/bin/sh", "-c"]), command],
                root=self._root / inputs.get("dir", "."),
                environment=environment,
                given=inputs.get("stdin", ""),
                seconds=STEP_SECONDS,
            )
        except OperatorError as error:
            raise ProviderError(f"running {command!r}: {error.what}") from None
        except OSError as error:
            raise ProviderError(f"cannot run {command!r}: {error.strerror}: {error.filename}") from None
        if done.returncode:
            said = " ".join(f"{done.stderr}\n{done.stdout}".split())
            raise ProviderError(f"exit status {done.returncode}: running {command!r}: {said}")
        return {"stdout": done.stdout.removesuffix("\n"), "stderr": done.stderr.removesuffix("\n")}
