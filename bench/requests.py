"""What a client costs in requests: created, unchanged, looked at for drift, rotated; reads and writes of each service.

Under the rehearsal engine, where a request to GitHub or Vercel stands for a resource and not for a route of theirs.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from automation.drift import find_drift
from automation.rotation import Secret, begin_rotation
from components.settings import load_settings
from local.emulators.server import Emulators
from local.rehearsal.engine import Rehearsal
from tests.layout import PROGRAM

ROOT = Path(__file__).parent.parent
FILES = (*PROGRAM, "Pulumi.local.yaml", ".venv")


def main() -> None:
    """Carry out each operation once and print what it asked."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # the database server's user has to get in
        for name in FILES:
            (root / name).symlink_to(ROOT / name)
        shutil.copy(ROOT / "Pulumi.acme.yaml", root)  # a rotation writes into it
        emulators = Emulators(root / "emulators", volatile=True)
        emulators.start()
        try:
            _count(root, emulators)
        finally:
            emulators.stop()


def _count(root: Path, emulators: Emulators) -> None:
    environment = {**os.environ, **emulators.exports}
    environment |= {"CLIENT_ENVIRONMENT": "local", "PULUMI_CONFIG_PASSPHRASE": "local"}
    engine = Rehearsal(root, "acme", environment, root / "state")

    def rotate() -> None:
        begin_rotation(load_settings("acme", root, "local", environment), root, engine, list(Secret))
        assert engine.up().error is None

    operations: dict[str, Callable[[], object]] = {
        "create": engine.up,
        "no-op": engine.up,
        "drift check": lambda: find_drift("acme", engine),
        "rotation": rotate,
    }
    print("requests: reads and writes of one client, rehearsal engine")
    for name, run in operations.items():
        for url in emulators.services.values():
            httpx.delete(f"{url}/_emulator/requests", trust_env=False)
        run()
        print(f"  {name:<12}{', '.join(_asked(*service) for service in emulators.services.items())}")


def _asked(name: str, url: str) -> str:
    log = httpx.get(f"{url}/_emulator/requests", trust_env=False).json()
    writes = sum(entry["method"] not in ("GET", "HEAD") for entry in log)
    return f"{name} {len(log) - writes} + {writes}"
