"""The official Supabase CLI, brought by npm when a test first needs it; it stays under `.local/tools`."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from emulators.node import node_path, node_program
from tests.schema.conftest import PASSWORD, Database

PACKAGE = "supabase@3.1.0"
TOOLS = Path(__file__).parents[2] / ".local/tools"
FOLDER = TOOLS / PACKAGE.replace("@", "-")


class CliMissingError(Exception):
    """The CLI cannot be had here; the message says why."""


def fetched() -> Path:
    """The program, fetched when it is not there yet."""
    program = FOLDER / "node_modules/.bin/supabase"
    if program.exists():
        return program
    if (npm := node_program("npm")) is None:
        raise CliMissingError("npm, which brings the Supabase CLI, is not here")
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, PACKAGE]
        variables = {**os.environ, "PATH": node_path()}
        try:
            subprocess.run(command, env=variables, check=True, capture_output=True, timeout=240)
        except subprocess.SubprocessError:
            raise CliMissingError(f"npm could not fetch {PACKAGE}") from None
        if not program.exists():
            Path(folder, "node_modules").rename(_made(FOLDER) / "node_modules")
    return program


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


class SupabaseCli:
    """The CLI in a folder of its own, on one database.

    Args:
        program: the CLI.
        folder: where it looks for `supabase/migrations`.
    """

    def __init__(self, program: Path, folder: Path) -> None:
        self._program, self._folder = program, folder
        self.migrations = folder / "supabase/migrations"
        self.migrations.mkdir(parents=True)

    def __call__(self, database: Database, *words: str) -> dict[str, Any]:
        """The JSON object of a command that has to succeed."""
        # On loopback and for this run alone, so the password may stand among the arguments.
        url = database.address.dsn.replace("@", f":{PASSWORD}@", 1)
        home = {"HOME": str(self._folder), "PATH": node_path(), "DO_NOT_TRACK": "1", "CI": "1"}
        command = [str(self._program), *words, "--remote", url, "--output-format", "json"]
        done = subprocess.run(
            command, cwd=self._folder, env=home, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found
