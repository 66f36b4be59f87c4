"""An empty project's database for as long as one command runs: `python -m local.emulators.scratch_database COMMAND...`.

The command finds it in CLONE_URL, as superuser, and the server's programs on PATH.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from local.emulators import postgres
from local.emulators.supabase.database import ProjectDatabases

REF = "scratch"
COMMAND_SECONDS = 3600.0


def main() -> int:
    """Run the command; its exit code is ours, 2 when there is no server."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        server = postgres.Postgres(Path(folder) / "state", volatile=True)
        try:
            server.start()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            sys.stderr.write(f"the embedded Postgres does not start: {error}\n")
            return 2
        try:
            databases = ProjectDatabases(server)
            databases.prepare()
            databases.create(REF, os.urandom(16).hex())
            path = os.pathsep.join((str(postgres.programs()), os.environ.get("PATH", "")))
            environment = os.environ | {"CLONE_URL": server.url(REF), "PATH": path}
            return subprocess.run(sys.argv[1:], env=environment, check=False, timeout=COMMAND_SECONDS).returncode
        except subprocess.TimeoutExpired:
            sys.stderr.write(f"{sys.argv[1]} did not end within {COMMAND_SECONDS:g} s\n")
            return 2
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
