"""Finds the `pulumi` command: on PATH, fetched before, or fetched now by the Automation API's own installer."""

import importlib.metadata
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import OperatorError

if TYPE_CHECKING:
    from automation.pulumi_command import Command

SITE = "https://get.pulumi.com/install.sh"
SECONDS_TO_ANSWER, SECONDS_TO_INSTALL = 3.0, 90.0
INSTALL = """
import sys, urllib.request
urllib.request.urlopen(sys.argv[1]).close()
print("answers", flush=True)
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[2])
"""


def find_pulumi(root: Path, *, rehearsed: bool) -> "Command | None":
    """The `pulumi` command, fetched into `.local/pulumi-cli` where the machine has none.

    Args:
        root: the folder that holds `.local/`.
        rehearsed: the rehearsal engine may stand in; once it holds a client, it keeps standing in.

    Returns:
        None when there is no command and none can be fetched.

    Raises:
        OperatorError: the command that is there does not work with this SDK.
    """
    folder = root / ".local/pulumi-cli"
    if shutil.which("pulumi"):
        return _command(None)
    if not (folder / "bin/pulumi").exists():
        if rehearsed and any((root / ".local/rehearsal").glob("*.json")):
            return None
        _say(f"No pulumi command here: fetching v{importlib.metadata.version('pulumi')} into {folder} ...")
        if failure := _fetch(folder):
            shutil.rmtree(folder, ignore_errors=True)
            _say(f"{failure}; going on without.")
            return None
    return _command(str(folder))


def _command(folder: str | None) -> "Command":
    from pulumi.automation import InvalidVersionError, PulumiCommand

    from automation.pulumi_command import Command

    try:
        return Command(PulumiCommand(root=folder))
    except (InvalidVersionError, OSError, subprocess.CalledProcessError) as error:
        raise OperatorError(f"cannot be used: {error}", "pulumi") from None


def _fetch(folder: Path) -> str | None:
    """Why it could not be fetched, or None. In a process group of its own: neither looking up the site's name nor the
    installer's downloads know a deadline."""
    command = [sys.executable, "-c", INSTALL, SITE, str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as installer:
        assert installer.stdout is not None
        try:
            ready, _, _ = select.select([installer.stdout], [], [], SECONDS_TO_ANSWER)
            if not ready or not installer.stdout.readline():
                return f"{SITE} does not answer"
            return "The installer failed" if installer.wait(SECONDS_TO_INSTALL) else None
        except subprocess.TimeoutExpired:
            return "The installer takes too long"
        finally:
            if installer.poll() is None:
                os.killpg(installer.pid, signal.SIGKILL)


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
