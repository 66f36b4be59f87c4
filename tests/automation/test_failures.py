"""What an operator can cause is one line with a remedy, and one client's failure is nobody else's."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from automation.failures import LOG_FILE, explain
from common.errors import OperatorError
from local.rehearsal.state import Snapshot, StateFile
from tests.automation.conftest import ROOT

PASSPHRASE = {"PULUMI_CONFIG_PASSPHRASE": "made up"}


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "state.json")


def too_deep(*_: object, **__: object) -> None:
    raise RecursionError


def unexpected(*_: object, **__: object) -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (full, "state.json: No space left on device. Free some space and run it again"),
        (too_deep, "unexpected RecursionError. The traceback is in"),
        (unexpected, "unexpected ZeroDivisionError. The traceback is in"),
    ],
)
@pytest.mark.parametrize("verb", ["up", "preview", "drift", "status", "outputs", "destroy"])
def test_any_exception_of_one_client_leaves_the_others_alone(
    agency, monkeypatch: pytest.MonkeyPatch, verb: str, failure, told: str
) -> None:
    for method in ("preview", "resources", "outputs"):
        monkeypatch.setattr(agency.engines["acme"], method, failure)
    words = ["--yes"] if verb == "destroy" else []
    code, content = agency.json(verb, "--all", *words)
    acme, nordwind = content["clients"]
    assert (code, acme["status"]) == (2, "failed")
    assert told in acme["error"]
    assert nordwind["error"] is None


def test_the_traceback_of_what_nobody_foresaw_is_kept(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agency.engines["acme"], "outputs", unexpected)
    agency.run("outputs", "acme")
    assert "ZeroDivisionError" in LOG_FILE.read_text()
    assert "raise ZeroDivisionError" in LOG_FILE.read_text()


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EMFILE, errno.ENOTDIR, errno.EIO])
def test_an_error_of_the_system_says_what_where_and_what_to_do(code: int) -> None:
    told = explain(OSError(code, os.strerror(code), "/a/path"))
    assert told.startswith(f"/a/path: {os.strerror(code)}. ")
    assert "unexpected" not in told
    assert "Errno" not in told


def test_where_not_even_the_log_can_be_written_that_is_said(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    (agency.root / ".local").write_text("in the way")
    monkeypatch.setattr(agency.engines["acme"], "outputs", unexpected)
    code, content = agency.json("outputs", "acme")
    assert code == 2
    told = content["clients"][0]["error"]
    assert told.startswith(
        "unexpected ZeroDivisionError. Its traceback could not be written to .local/log/automation.log"
    )


def test_a_report_that_cannot_be_written_is_named(agency) -> None:
    code, content = agency.json("drift", "acme", "--markdown", "no/such/folder/report.md")
    assert code == 2
    assert content["error"] == (
        "no/such/folder/report.md: No such file or directory. Check the path: its folder must exist."
    )


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '"x"', "{}", '{"version": 1}', "[" * 100_000, "\xff"]
    + [
        json.dumps({"version": 1, "salt": "eA==", "resources": each, "pending": {}})
        for each in (3, [3], [{}], [{"a": 1}])
    ]
    + [json.dumps({"version": 1, "salt": salt, "resources": [], "pending": 3}) for salt in ("eA==", "!", 3)],
)
def test_a_damaged_state_file_is_named_with_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "acme.json").write_text(content, encoding="latin-1")
    with pytest.raises(OperatorError) as refusal:
        StateFile(tmp_path, "acme", PASSPHRASE).load()
    assert str(refusal.value) == f"{tmp_path}/acme.json: is damaged. Restore it, or remove it to begin anew."


def test_a_state_file_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "acme.json").mkdir()
    with pytest.raises(OperatorError, match=r"acme\.json: cannot be read: Is a directory"):
        StateFile(tmp_path, "acme", PASSPHRASE).load()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    state = StateFile(tmp_path, "acme", PASSPHRASE)
    state.save(Snapshot(pending={"urn": "create"}))
    (tmp_path / "acme.new").symlink_to("/dev/full")
    with pytest.raises(OperatorError, match=r"acme\.json: cannot be written: No space left on device\. Make room"):
        state.save(Snapshot())
    (tmp_path / "acme.new").unlink()
    assert StateFile(tmp_path, "acme", PASSPHRASE).load().pending == {"urn": "create"}


def command(folder: Path, *words: str, **streams: object) -> "subprocess.CompletedProcess[str]":
    """The command line as a process of its own, whose streams are real."""
    return subprocess.run(
        [sys.executable, "-m", "automation", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
        check=False,
        timeout=60,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams},
    )


NEW = ("new", "blau", "--name", "B", "--email", "o@b.example", "--tier", "growth")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_output_that_a_full_disk_does_not_take_is_said_and_ends_with_two(folder: Path, words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as output:
        done = command(folder, *NEW, *words, stdout=output)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("standard output: No space left on device. Free some space")
    assert "Traceback" not in done.stderr
    assert (folder / "Pulumi.blau.yaml").exists()


@pytest.mark.parametrize(("words", "code"), [((), 0), (("--json",), 2)], ids=["text", "json"])
def test_a_reader_that_left_ends_no_operation(folder: Path, words: tuple[str, ...], code: int) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = command(folder, *NEW, *words, stdout=writing)
    os.close(writing)
    assert (done.returncode, (folder / "Pulumi.blau.yaml").exists()) == (code, True)
    assert "Traceback" not in done.stderr


HOSTILE = "\x1b]0;owned\x07"


@pytest.mark.parametrize(
    "words",
    [
        ("up", HOSTILE),
        (HOSTILE,),
        ("up", "--all", "--parallel", HOSTILE),
        ("up", "--all", "--shard", HOSTILE),
        ("rotate", "acme", "--only", HOSTILE),
        ("status", f"--{HOSTILE}"),
        ("new", "blau", "--name", f"B\n{HOSTILE}", "--email", "o@b.example", "--tier", "growth"),
        ("drift", "acme", "--markdown", f"{HOSTILE}.md"),
        ("up", "acme", "\u202egnp.exe"),
    ],
)
def test_no_control_character_of_an_argument_reaches_the_terminal(agency, words: tuple[str, ...]) -> None:
    result = agency.run(*words)
    assert result.exit_code == 2
    assert "must be one line without control characters" in result.stderr
    assert all(sign.isprintable() or sign == "\n" for sign in result.output)
    assert agency.opened == []
    code, content = agency.json(*words)
    assert (code, content["status"]) == (2, "failed")


@pytest.mark.parametrize("client", ["../acme", "a/b", "/etc/passwd", "..", "acme/../acme", "a\\b", "acme.yaml", "ACME"])
@pytest.mark.parametrize("verb", ["up", "status", "rotate", "destroy", "outputs", "doctor"])
def test_a_client_is_a_slug_before_any_path_is_made_of_it(agency, verb: str, client: str) -> None:
    result = agency.run(verb, client)
    assert result.exit_code == 2
    assert f"'{client}' must be a slug" in result.stderr
    assert agency.opened == []


def test_what_a_service_says_reaches_the_terminal_without_control_characters(agency, make_step) -> None:
    engine = agency.engines["acme"]
    engine.error = f"403 {HOSTILE}"
    engine.steps = (
        make_step("project", "update", changed=(f"policy {HOSTILE}",), status="failed", error=engine.error),
    )
    result = agency.run("up", "acme")
    assert "403 \\x1b]0;owned\\x07" in result.output
    assert all(sign.isprintable() or sign == "\n" for sign in result.output)
