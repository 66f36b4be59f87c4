"""Change one setting in a client's file and nothing else: comments, quotes, order and line ends stay."""

import difflib
import io
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from common.errors import OperatorError
from components.settings import PROJECT
from components.settings_file import read_settings_file

BYTE_ORDER_MARK = "\ufeff"
NEW_KEYS_AFTER = f"{PROJECT}:clientId"


def set_setting(path: Path, key: str, value: int) -> None:
    """Set a setting of a client's file, atomically; a key that is not there is added below the client's id.

    Args:
        path: the client's file; a link to it stays a link.
        key: the setting, without the project's prefix.
        value: its new value.

    Raises:
        OperatorError: the file cannot be read or written, or the edit would have changed something else. The file is
            as it was then.
    """
    name = f"{PROJECT}:{key}"
    by_hand = f"Set {name} to {value} by hand."
    before = read_settings_file(path)
    if not isinstance(before.get("config"), dict):
        raise OperatorError("must hold a mapping `config:`", path.name)
    wanted = before | {"config": before["config"] | {name: str(value)}}
    try:
        _replace(path.resolve(), _edited(path.read_bytes().decode(), name, value), wanted)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", path.name, by_hand) from None
    except (YAMLError, ValueError, OverflowError):
        raise OperatorError(f"{key} cannot be changed without changing more", path.name, by_hand) from None


def _edited(text: str, name: str, value: int) -> str:
    """The text with the new value, written by the YAML library; every line that it left as it was keeps its bytes."""
    content = text.removeprefix(BYTE_ORDER_MARK)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000  # no line is folded
    document = yaml.load(content)
    config = document["config"]
    indent = max(config.lc.col, 2)
    yaml.indent(mapping=indent, sequence=indent + 2, offset=indent)
    if name in config:
        config[name] = value
    else:
        config.insert(_place(config), name, value)
    written = io.StringIO()
    yaml.dump(document, written)
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    return mark + _merged(_lines(content), _lines(written.getvalue()))


def _place(config: Any) -> int:
    """Where a new key goes: below the client's id, but not between a comment and the key that it stands above."""
    keys = list(config)
    first = keys.index(NEW_KEYS_AFTER) if NEW_KEYS_AFTER in keys else 0
    for index in range(first, len(keys)):
        comment = (config.ca.items.get(keys[index]) or [None] * 3)[2]
        if comment is None or comment.value.count("\n") <= 1:
            return index + 1
    return len(keys)


def _merged(old: list[str], new: list[str]) -> str:
    """The new lines, but the old one where only spaces or the line end differ, or where the library dropped it."""
    merged: list[str] = []
    matcher = difflib.SequenceMatcher(
        None, [_bare(line) for line in old], [_bare(line) for line in new], autojunk=False
    )
    for kind, old_start, old_stop, new_start, new_stop in matcher.get_opcodes():
        if kind in ("equal", "delete"):
            merged += old[old_start:old_stop]
            continue
        for index, line in enumerate(new[new_start:new_stop]):
            neighbour = old[min(old_start + index, len(old) - 1)]
            merged.append(line.rstrip("\r\n") + _end(neighbour))
    whole = [line if _end(line) else line + (_end(old[0]) or "\n") for line in merged[:-1]]
    return "".join([*whole, merged[-1]])


def _lines(text: str) -> list[str]:
    """Lines with their ends. `str.splitlines` would also split at characters that end no line of YAML."""
    return list(io.StringIO(text, newline=""))


def _bare(line: str) -> str:
    return " ".join(line.split())


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _replace(path: Path, text: str, wanted: dict[str, Any]) -> None:
    """Put a file in place of another in one step, once it is seen to say what it should.

    Raises:
        OSError: the folder takes no file, or the disk is full.
        ValueError: the text says something else.
    """
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _require(Path(beside), wanted)
        shutil.copymode(path, beside)
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(beside)
        raise


def _require(path: Path, wanted: dict[str, Any]) -> None:
    try:
        found: dict[str, Any] | None = read_settings_file(path)
    except OperatorError:
        found = None
    if found != wanted:
        raise ValueError(path.name)
