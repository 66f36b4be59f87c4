"""One setting of a client's file changes, and not a byte of anything else."""

import errno
import os
import stat
from pathlib import Path

import pytest

from automation import settings_editor
from automation.settings_editor import set_setting
from common.errors import OperatorError

HEAD = "# ours\nencryptionsalt: v1:abc=\n\nconfig:\n  client-environments:clientId:   acme\n"
KEY = "  client-environments:keyGeneration"
TAIL = "  client-environments:tier: 'growth'  # since May\n  # the end\n"


def edit(folder: Path, text: str) -> str:
    path = folder / "Pulumi.acme.yaml"
    path.write_bytes(text.encode())
    set_setting(path, "keyGeneration", 2)
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{KEY}: 1  # after the leak in May\n", f"{KEY}: 2  # after the leak in May\n"),
        (f'{KEY}: "1"\n', f"{KEY}: 2\n"),
        (f"{KEY} : 1\n", f"{KEY}: 2\n"),
        ('  "client-environments:keyGeneration": 1\n', '  "client-environments:keyGeneration": 2\n'),
        (f"{KEY}:\n", f"{KEY}: 2\n"),
        (f"{KEY}: 1\r\n", f"{KEY}: 2\r\n"),
        ("", f"{KEY}: 2\n"),
    ],
    ids=["comment", "quoted", "space", "quoted key", "empty", "CRLF in one line", "new"],
)
def test_only_the_line_of_the_setting_changes(tmp_path: Path, before: str, after: str) -> None:
    assert edit(tmp_path, HEAD + before + TAIL) == HEAD + after + TAIL


@pytest.mark.parametrize("line", ["", f"{KEY}: 1  # note\n"], ids=["new", "there"])
def test_every_line_end_of_a_windows_file_stays(tmp_path: Path, line: str) -> None:
    text = (HEAD + line + TAIL).replace("\n", "\r\n")
    changed = edit(tmp_path, text)
    assert changed.count("\r\n") == changed.count("\n") == text.count("\n") + (not line)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("\ufeff" + HEAD, "\ufeff" + HEAD + f"{KEY}: 2\n"),
        (HEAD.rstrip(), HEAD + f"{KEY}: 2"),
        (f"%YAML 1.2\n---\n{HEAD}", f"%YAML 1.2\n---\n{HEAD}{KEY}: 2\n"),
        (HEAD + "  # the tier\n" + TAIL, HEAD + "  # the tier\n" + TAIL + f"{KEY}: 2\n"),
        (
            "config:\n    client-environments:clientId: acme\n    aws:x:\n    -   a\n    - b\n",
            f"config:\n    client-environments:clientId: acme\n  {KEY}: 2\n    aws:x:\n    -   a\n    - b\n",
        ),
        ("config: {client-environments:keyGeneration: 1}\n", "config: {client-environments:keyGeneration: 2}\n"),
    ],
    ids=["byte order mark", "no last line end", "document start", "comment above a key", "indented by four", "flow"],
)
def test_the_form_of_a_file_stays(tmp_path: Path, before: str, after: str) -> None:
    assert edit(tmp_path, before) == after


def test_a_key_given_twice_is_refused_by_file_line_and_key_and_nothing_is_written(tmp_path: Path) -> None:
    text = f"{HEAD}{KEY}: 1\n{KEY}: 2\n"
    with pytest.raises(OperatorError, match=r"^Pulumi\.acme\.yaml:7: client-environments:keyGeneration is given twice"):
        edit(tmp_path, text)
    assert (tmp_path / "Pulumi.acme.yaml").read_text() == text


def test_a_link_stays_a_link_and_permissions_stay(tmp_path: Path) -> None:
    kept = tmp_path / "kept.yaml"
    kept.write_text(HEAD)
    kept.chmod(0o640)
    (tmp_path / "Pulumi.acme.yaml").symlink_to(kept)
    set_setting(tmp_path / "Pulumi.acme.yaml", "keyGeneration", 2)
    assert (tmp_path / "Pulumi.acme.yaml").is_symlink()
    assert kept.read_text() == HEAD + f"{KEY}: 2\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_file_as_it_was_and_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(settings_editor.os, "fsync", full)
    with pytest.raises(
        OperatorError, match=r"cannot be written: No space left on device\. Set client-environments:key"
    ):
        edit(tmp_path, HEAD)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("Pulumi.acme.yaml", HEAD)]


def test_an_edit_that_would_change_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_editor, "_edited", lambda *_: "config: {}\n")
    with pytest.raises(OperatorError, match=r"cannot be changed without changing more\. Set client-environments:key"):
        edit(tmp_path, HEAD)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("Pulumi.acme.yaml", HEAD)]
