"""A trial stack under Pulumi's own engine and the real plugins: the `pulumi` command on a program of a test."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from automation.pulumi_engine import PulumiEngine
from components.urn import name_of

ROOT = Path(__file__).parents[2]
ENGINE = [
    pytest.mark.engine,
    pytest.mark.skipif(shutil.which("pulumi") is None, reason="the pulumi command is not on PATH"),
]


class NativeStack:
    """One stack of one program, its state in the same folder.

    Args:
        folder: an empty folder.
        program: source of the program; it reads the variables `SET_<name>`.
        exports: the variables that lead the plugins to the emulators.
    """

    def __init__(self, folder: Path, program: str, exports: Mapping[str, str]) -> None:
        self._folder, self.exports = folder, dict(exports)
        runtime = {"name": "python", "options": {"virtualenv": sys.prefix}}
        (folder / "Pulumi.yaml").write_text(json.dumps({"name": "client-environments", "runtime": runtime}))
        (folder / "__main__.py").write_text(program)
        self("stack", "init", "native")
        # The least that the plugin takes for the second that it pauses after each write.
        self("config", "set", "github:writeDelayMs", "1")

    def __call__(self, *arguments: str, **settings: str) -> str:
        """Standard output of a command that has to succeed."""
        done = self.run(*arguments, **settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """One command, with settings for the program."""
        environment = {**os.environ, **self.exports, "PYTHONPATH": str(ROOT), "PULUMI_CONFIG_PASSPHRASE": "test"}
        environment |= {"PULUMI_BACKEND_URL": self._folder.as_uri(), "PULUMI_SKIP_UPDATE_CHECK": "true"}
        environment |= {f"SET_{key}": value for key, value in settings.items()}
        command = ["pulumi", *arguments, "--non-interactive", "--color=never"]
        return subprocess.run(command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False)

    def up(self, **settings: str) -> None:
        """Repair drift and apply the program."""
        self("up", "--yes", "--skip-preview", "--refresh", "--run-program", **settings)

    def plan(self, **settings: str) -> dict[str, str]:
        """What a preview with refresh would do, by name; steps that change nothing left out."""
        shown = json.loads(self("preview", "--json", "--refresh", "--run-program", **settings))
        steps = {name_of(step["urn"]): step["op"] for step in shown["steps"]}
        return {name: operation for name, operation in steps.items() if operation not in ("same", "refresh")}


def client_engine(root: Path, program: str, exports: Mapping[str, str]) -> PulumiEngine:
    """The engine that our command line runs, on a program of a test in an empty folder."""
    from pulumi.automation import PulumiCommand

    (root / "__main__.py").write_text(program)
    if not (root / ".venv").exists():
        (root / ".venv").symlink_to(ROOT / ".venv")
    for name in ("Pulumi.yaml", "Pulumi.acme.yaml"):
        (root / name).write_text((ROOT / name).read_text())
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **exports}
    return PulumiEngine(root, "acme", environment, PulumiCommand(), local=True)
