"""What a live run needs on this machine: the program, its settings, and the state of its stack.

All of it lies in `.local/live/<run>/` until nothing of the run is left: what was killed is destroyed by the next run.
"""

import os
import secrets
import shutil
from pathlib import Path

import yaml

from tests.automation.local_client import LINKS, ROOT

FOLDER = "LIVE_FOLDER"  # the variable that puts the runs' folders elsewhere
PREFIX = "client-environments:"
# Over the production environment: small, and deletable.
OVERRIDES = {
    "projectName": "{clientId}",
    "tiers": {"starter": {"instanceSize": "micro"}},
    "protect": False,
    "archiveOnDestroy": False,
}


def runs() -> Path:
    """The folder of the runs' folders."""
    return Path(os.environ.get(FOLDER) or ROOT / ".local/live")


def prepare(folder: Path, *, real: bool) -> None:
    """Lay out a run's folder, which is called like the run; what is there already stays."""
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    for name in (*LINKS, "automation"):
        if not (folder / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / "state").mkdir(exist_ok=True)
    shutil.copy(ROOT / "Pulumi.prod.yaml", folder)
    config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
    config |= {f"{PREFIX}{key}": value for key, value in OVERRIDES.items()}
    config.pop(f"{PREFIX}mailer", None)  # nobody reads what is sent to the client's owner
    for name in ("live", "local"):
        (folder / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": config}))
    file, passphrase = folder / f"Pulumi.{folder.name}.yaml", folder / "passphrase"
    if not file.exists():
        text = (ROOT / "Pulumi.acme.yaml").read_text().replace("acme", folder.name)
        # The plugin's pause after each write is for GitHub's sake.
        pause = "" if real else '  github:writeDelayMs: "1"\n'
        file.write_text(f"{text}  {PREFIX}environment: live\n{pause}")
    if not passphrase.exists():
        passphrase.touch(mode=0o600)
        passphrase.write_text(secrets.token_urlsafe(24))
