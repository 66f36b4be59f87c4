"""The official Supabase CLI, brought by npm when a test first needs it; it stays under `.local/tools`."""

import json
import subprocess
from pathlib import Path
from typing import Any

from local.emulators.node import node_path
from tests.npm import installed
from tests.schema.conftest import PASSWORD, Database

PACKAGE = "supabase@3.1.0"


def fetched() -> Path:
    """Return the program, fetched when it is not there yet.

    Raises:
        PackageMissingError: npm is not here, or cannot reach a registry.
    """
    return installed(PACKAGE, scripts=True) / ".bin/supabase"


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
