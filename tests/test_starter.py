"""The files that every new repository begins with: what git tracks, as text, without secrets."""

import subprocess
from pathlib import Path

import pytest

from common.errors import OperatorError
from components.starter import STARTER, read_starter

LEFT_BY_TOOLS = (
    *(".env", ".env.local", ".env.production.local", ".git/config", ".next/cache.js", ".vercel/project.json"),
    *("node_modules/x/y.js", "coverage/a.js", "nested/.env.local", ".DS_Store"),
)
FAKE_SECRETS = {
    "Supabase key": "sb_" + "secret_" + "a1B2" * 8,
    "GitHub token": "gh" + "p_" + "a1B2" * 9,
    "private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "database URL": "postgresql://postgres:" + "a-password-of-it@db.example.com/postgres",
    "JWT": ".".join(("eyJ" + "a1B2" * 4, "eyJ" + "a1B2" * 4, "a1B2" * 8)),
}


def write(folder: Path, *names: str, text: str = "text") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def test_only_what_git_tracks_is_pushed(tmp_path: Path) -> None:
    folder = tmp_path / "starter"
    write(folder, "a.txt", "nested/b.txt", ".env.example")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-f", "starter")
    write(folder, "note.txt", "nested/.env.local", *(name for name in LEFT_BY_TOOLS if not name.startswith(".git/")))
    assert set(read_starter(folder)) == {"a.txt", "nested/b.txt", ".env.example"}


def test_files_left_by_tools_are_not_pushed_from_a_folder_without_git(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", *LEFT_BY_TOOLS)
    assert set(read_starter(tmp_path)) == {"a.txt"}


def test_the_folders_own_gitignore_counts_without_git(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", "b.log", "nested/c.txt", "nested/d.txt", "d.txt")
    write(tmp_path, ".gitignore", text="*.log\n")
    write(tmp_path, "nested/.gitignore", text="d.txt\n")
    assert set(read_starter(tmp_path)) == {"a.txt", ".gitignore", "nested/.gitignore", "nested/c.txt", "d.txt"}


def test_a_link_that_leads_out_is_left_out_without_git_and_refused_when_tracked(tmp_path: Path) -> None:
    folder = tmp_path / "starter"
    write(tmp_path, "private.txt")
    write(folder, "a.txt")
    (folder / "link.txt").symlink_to(tmp_path / "private.txt")
    assert set(read_starter(folder)) == {"a.txt"}
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "starter")
    with pytest.raises(OperatorError, match=r"^starter/link\.txt: is a link that leads out of the folder\."):
        read_starter(folder)


def test_a_tracked_file_that_is_missing_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "starter", "a.txt", "b.txt")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "starter")
    (tmp_path / "starter/b.txt").unlink()
    with pytest.raises(OperatorError, match=r"^starter/b\.txt: is tracked by git but missing\."):
        read_starter(tmp_path / "starter")


@pytest.mark.parametrize("kind", FAKE_SECRETS)
def test_what_looks_like_a_secret_is_refused_with_its_line_and_not_shown(tmp_path: Path, kind: str) -> None:
    secret = FAKE_SECRETS[kind]
    write(tmp_path, "api/config.js", text=f"// first line\nconst value = '{secret}'\n")
    with pytest.raises(OperatorError, match=r"/api/config\.js:2: holds what looks like a secret\.") as raised:
        read_starter(tmp_path)
    assert secret not in str(raised.value)


def test_the_starter_itself_is_read() -> None:
    assert {"public/index.html", ".github/workflows/check.yml"} <= read_starter(STARTER).keys()


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff", b"a\0b"])
def test_a_binary_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "logo.png").write_bytes(content)
    with pytest.raises(OperatorError, match=r"/logo\.png: is not UTF-8 text\. "):
        read_starter(tmp_path)


def test_a_missing_starter_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"^gone/: holds no files\. Restore it, or set repositoryTemplate\.$"):
        read_starter(tmp_path / "gone")
