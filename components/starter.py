"""The files that every new repository begins with, read from `starter/` as git knows them.

Other tools leave files beside the starter (`vercel env pull` writes `.env.local`), and whatever is read here is pushed
to every new client.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from common.errors import OperatorError

STARTER = Path(__file__).resolve().parent.parent / "starter"
GIT_SECONDS = 30.0
# Left out where git cannot tell, in addition to what the folder's own .gitignore files name.
NEVER = (".git", ".env*", ".DS_Store", ".vercel/", ".next/", "node_modules/", "coverage/")
# The published shapes of tokens and keys. A hit is refused, since a repository keeps its history.
SECRET = re.compile(
    r"sb_secret_[\w-]{20,}|sbp_[0-9a-f]{40}|gh[pousr]_[A-Za-z0-9]{36}|github_pat_\w{22,}"
    r"|eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|postgres(?:ql)?://[^\s:@/]+:[^\s@/$<{]{8,}@(?!localhost|127\.)|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{20,}"
    r"|sk_live_\w{20,}|_authToken=[^\s$]{20,}"
)


def read_starter(folder: Path) -> Mapping[str, str]:
    """Return the files of a folder as path inside the repository -> text.

    In a git checkout these are the files that git tracks. Elsewhere `.gitignore` files and `NEVER` decide, and links
    that lead out of the folder are left out.

    Raises:
        OperatorError: the folder is missing or empty; a file is tracked but missing, is not UTF-8 text, leads out of
            the folder or holds what looks like a secret; or git failed.
    """
    tracked = _tracked(folder)
    files: dict[str, str] = {}
    for inside in sorted(_untracked(folder) if tracked is None else tracked):
        where = f"{folder.name}/{inside}"
        path = folder / inside
        if not path.resolve().is_relative_to(folder.resolve()):
            raise OperatorError("is a link that leads out of the folder", where, "Copy the file, or remove the link.")
        if not path.is_file():
            raise OperatorError("is tracked by git but missing", where, "Restore it, or remove it with git rm.")
        files[inside] = _text(path, where)
    if not files:
        missing = "Restore it, or set repositoryTemplate."
        remedy = "Add its files to git, or set repositoryTemplate." if folder.is_dir() and tracked == [] else missing
        raise OperatorError("holds no files", f"{folder.name}/", remedy)
    return files


def _text(path: Path, where: str) -> str:
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        text = "\0"
    except OSError as error:
        raise OperatorError(f"cannot be read: {type(error).__name__}", where, "Check its permissions.") from None
    if "\0" in text:
        raise OperatorError("is not UTF-8 text", where, "Files are pushed as text: link to it instead.")
    if found := SECRET.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise OperatorError(
            "holds what looks like a secret", f"{where}:{line}", "Revoke it, and read it from the environment instead."
        )
    return text


def _tracked(folder: Path) -> list[str] | None:
    """Return the files that git tracks below a folder; None outside a checkout or without git.

    Raises:
        OperatorError: git refused to answer inside a checkout.
    """
    if not any((parent / ".git").exists() for parent in folder.resolve().parents):
        return None
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GIT_SECONDS)
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        what = f"git ls-files did not end within {GIT_SECONDS:g} s"
        raise OperatorError(what, f"{folder.name}/", "Run git status there.") from None
    if answer.returncode:
        said = (answer.stderr.strip().splitlines() or ["no reason given"])[0]
        raise OperatorError(f"git ls-files failed: {said}", f"{folder.name}/", "Run git status there.")
    return [name for name in answer.stdout.split("\0") if name]


def _untracked(folder: Path) -> Iterator[str]:
    # Imported here: a checkout never needs it, and the program starts sooner.
    from pathspec import GitIgnoreSpec

    never = GitIgnoreSpec.from_lines(NEVER)
    own = {path.parent: GitIgnoreSpec.from_lines(path.read_text().splitlines()) for path in folder.rglob(".gitignore")}
    for path in folder.rglob("*"):
        if path.is_dir() or not path.resolve().is_relative_to(folder.resolve()):
            continue
        scopes = [(folder, never), *((parent, own[parent]) for parent in path.parents if parent in own)]
        if not any(spec.match_file(path.relative_to(base).as_posix()) for base, spec in scopes):
            yield path.relative_to(folder).as_posix()
