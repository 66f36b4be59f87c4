"""Finds the `pulumi` command: on PATH, fetched before, or fetched now by the Automation API's own installer."""

import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import OperatorError

if TYPE_CHECKING:
    from pulumi.automation import PulumiCommand

SITE = "https://get.pulumi.com/install.sh"
SECONDS_TO_ANSWER = 3
SECONDS_TO_INSTALL = 90


def find_pulumi(root: Path, *, rehearsed: bool) -> "PulumiCommand | None":
    """The `pulumi` command, fetched into `.local/pulumi-cli` where the machine has none.

    Args:
        root: the folder that holds `.local/`.
        rehearsed: the rehearsal engine may stand in; then a client it holds already stays with it.

    Returns:
        None when there is no command and the site that offers it does not answer.

    Raises:
        OperatorError: the command that is there does not work with this SDK.
    """
    folder = root / ".local/pulumi-cli"
    if shutil.which("pulumi"):
        return _command(None)
    if not (folder / "bin/pulumi").exists():
        if rehearsed and any((root / ".local/rehearsal").glob("*.json")):
            return None
        if not _fetch(folder):
            return None
    return _command(folder)


def _command(folder: Path | None) -> "PulumiCommand":
    from pulumi.automation import InvalidVersionError, PulumiCommand

    try:
        return PulumiCommand(root=str(folder) if folder else None)
    except InvalidVersionError as error:
        raise OperatorError(str(error), "pulumi") from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise OperatorError(f"cannot be run ({error})", "pulumi") from None


def _fetch(folder: Path) -> bool:
    version = importlib.metadata.version("pulumi")
    _say(f"No pulumi command here: fetching v{version} into {folder} ...")
    if not _answers():
        _say(f"{SITE} does not answer; going on without.")
        return False
    # In a process group of its own, because the installer and the downloads that it starts have no deadline.
    code = "import sys; from pulumi.automation import PulumiCommand; PulumiCommand.install(root=sys.argv[1])"
    quiet = subprocess.DEVNULL
    installer = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], start_new_session=True, stdin=quiet, stdout=quiet, stderr=quiet
    )
    try:
        if installer.wait(SECONDS_TO_INSTALL) == 0:
            return True
    except subprocess.TimeoutExpired:
        os.killpg(installer.pid, signal.SIGKILL)
        installer.wait()
    shutil.rmtree(folder, ignore_errors=True)
    _say("The installer failed; going on without.")
    return False


def _answers() -> bool:
    """Whether the site answers in time; in a thread, because looking up its name knows no deadline."""
    answers: list[bool] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(SITE, timeout=SECONDS_TO_ANSWER).close()
            answers.append(True)
        except OSError:
            answers.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(SECONDS_TO_ANSWER)
    return answers == [True]


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201
