"""Find the clients that commits affect.

A client's file touches that client; what no program reads touches none; anything else touches every client.
"""

import os
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from automation.clients import list_clients
from automation.processes import run_to_end
from common.errors import OperatorError

# A list of what does not matter: a file that nobody thought of must not go unseen.
IRRELEVANT_FOLDERS = frozenset({"docs", "tests", "bench", "local", "automation", ".github", ".ci"})
# At the top only: starter/README.md goes into clients' repositories.
IRRELEVANT_FILES = (
    *("*.md", "LICENSE", "Makefile", "pyproject.toml", "requirements-*.txt", "Pulumi.local.yaml"),
    *(".gitignore", ".gitattributes", ".editorconfig"),
)


def affected_clients(files: Iterable[str], clients: Iterable[str]) -> list[str]:
    """The clients that changed files affect, sorted.

    Args:
        files: paths relative to the root.
        clients: every client there is.
    """
    own = {f"Pulumi.{client}.yaml": client for client in clients}
    found: set[str] = set()
    for file in files:
        if file in own:
            found.add(own[file])
        elif not (_irrelevant(file) or _was_a_client(file)):
            return sorted(own.values())
    return sorted(found)


def _irrelevant(file: str) -> bool:
    """Tell whether no client's program reads a file."""
    top, _, rest = file.partition("/")
    if rest:
        return top in IRRELEVANT_FOLDERS
    return any(fnmatch(file, pattern) for pattern in IRRELEVANT_FILES)


def _was_a_client(file: str) -> bool:
    """A removed client's file: its stack stays until somebody destroys it, the others are not concerned."""
    return fnmatch(file, "Pulumi.*.yaml") and not Path(file).exists()


def find_affected(base: str, root: Path) -> list[str]:
    """Return the clients that the commits since `base` affect, sorted.

    All of them when git does not tell, say because `base` is unknown as on a new branch.
    """
    # Without --no-renames git names a moved file by its new place only, and its old place may be the program's.
    command = ["git", "diff", "--name-only", "--no-renames", "-z", f"{base}...HEAD"]
    clients = list_clients(root)
    try:
        diff = run_to_end(command, root=root, environment=os.environ)
    except OperatorError:
        return clients
    return affected_clients(diff.stdout.split("\0")[:-1], clients) if diff.returncode == 0 else clients
