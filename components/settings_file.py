"""Read a settings file the way Pulumi reads it: every scalar is its text, and a key stands only once.

Pulumi writes the scalars of a stack's file back as quoted strings (`"2"`, `"true"`), and `config set --path` writes
nested ones plain when they look like numbers. Text is what all these forms have in common, so the readers in
`components.config_file` decide what a text means.
"""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.scanner import Scanner

from common.errors import OperatorError, printable

SUFFIX, OTHER_SUFFIX = ".yaml", ".yml"
LARGEST_FILE = 256 * 1024  # bytes; the parser is written in Python and takes seconds for a megabyte
DEEPEST = 50
MOST_NODES = 20_000  # aliases count each time they are used: a few lines can stand for billions of nodes
CORE_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "timestamp"))
MERGE = "<<"


def read_settings_file(path: Path, if_missing: str = "Make one: clients new.") -> dict[str, Any]:
    """Read one file as a mapping of texts, lists and mappings; an empty file is an empty mapping.

    Args:
        path: the file.
        if_missing: what to do when there is none.

    Raises:
        OperatorError: the file cannot be read, is no YAML, or gives a key twice; names file, line and key.
    """
    text = _text(path, if_missing)
    parser = YAML(typ="safe", pure=True)
    parser.Scanner = _ShallowScanner
    try:
        root = parser.compose(text)
        content = {} if root is None else _Reader(path.name).value(root)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = path.name if mark is None else f"{path.name}:{mark.line + 1}"
        raise OperatorError(f"cannot be read as YAML: {printable(str(error.problem))}", where) from None
    except (YAMLError, ValueError, OverflowError):
        raise OperatorError("cannot be read as YAML", path.name) from None
    except RecursionError:
        raise _too_deep(path.name) from None
    if not isinstance(content, dict):
        raise OperatorError("must hold a mapping `config:`", path.name)
    return content


def _text(path: Path, if_missing: str) -> str:
    """The text of a file that may be anything: a folder, a pipe, a link to nowhere, a huge or unreadable file."""
    name = path.name
    try:
        if not path.is_file():
            raise _no_file(path, if_missing)
        if path.stat().st_size > LARGEST_FILE:
            raise OperatorError(f"is larger than {LARGEST_FILE // 1024} KiB", name, "Settings are a few lines.")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise OperatorError("cannot be read as YAML: it is not UTF-8", name, "Save it as UTF-8.") from None
    except OSError as error:
        raise OperatorError(f"cannot be read: {error.strerror}", name, "Make it a readable file.") from None


def _no_file(path: Path, if_missing: str) -> OperatorError:
    twin = path.with_suffix(OTHER_SUFFIX)
    if path.is_symlink():
        return OperatorError("is a link to no file", path.name, "Make it a file.")
    if path.exists():
        return OperatorError("is not a file", path.name, "Remove it, or make it a file.")
    if twin.exists():
        read_settings_file(twin)  # its own faults are named first
        return OperatorError(f"Pulumi reads only {SUFFIX} files", twin.name, f"Rename it to {path.name}.")
    return OperatorError("no such file", path.name, if_missing)


def _too_deep(name: str) -> OperatorError:
    return OperatorError(f"is nested deeper than {DEEPEST} levels", name, "Settings need three.")


class _ShallowScanner(Scanner):
    """Stops at the first `[` or `{` that is nested too deeply.

    The scanner's time grows with the square of their depth: three thousand took it three seconds, and a command reads
    its files several times. `_Reader` counts the levels of all kinds, but only after the scanner.

    Raises:
        RecursionError: at that sign; Python raises the same where a parser calls itself too often.
    """

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:  # noqa: N803 - the library's name
        if self.flow_level >= DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Reader:
    """Makes plain values of one file's nodes."""

    def __init__(self, name: str) -> None:
        self._name, self._count = name, 0

    def value(self, node: Node, depth: int = 0) -> Any:
        self._count += 1
        if depth > DEEPEST:
            raise _too_deep(self._name)
        if self._count > MOST_NODES:
            raise OperatorError(f"stands for more than {MOST_NODES} values", self._name, "Use fewer aliases (*name).")
        if isinstance(node, MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        raise self._refuse(node, "is neither text, list nor mapping")

    def _mapping(self, node: MappingNode, depth: int) -> dict[str, Any]:
        lines: dict[str, int] = {}
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in lines:
                raise self._refuse(key_node, f"{key} is given twice, first in line {lines[key]}", "Keep one of them.")
            lines[key] = key_node.start_mark.line + 1
            value = self.value(value_node, depth + 1)
            if key == MERGE and key_node.style is None:
                merged = self._merged(key_node, value)
            else:
                own[key] = value
        return merged | own

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._refuse(node, "a key must be text")
        return self._scalar(node)

    def _merged(self, node: Node, value: Any) -> dict[str, Any]:
        """The mappings behind `<<`, the first of which counts most."""
        merged: dict[str, Any] = {}
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, dict):
                raise self._refuse(node, "<< takes mappings")
            merged = each | merged
        return merged

    def _scalar(self, node: ScalarNode) -> str:
        tag = str(node.tag)
        if tag not in CORE_TAGS and not (node.style is None and node.value == MERGE):
            raise self._refuse(node, f"the tag {printable(tag)} is not read")
        text = str(node.value)
        if any("\ud800" <= sign <= "\udfff" for sign in text):
            raise self._refuse(node, "half of a surrogate pair is no character")
        if node.style is not None:
            return text
        if tag.endswith(":null"):
            return ""  # as Pulumi writes it back
        return text.lower() if tag.endswith(":bool") else text

    def _refuse(self, node: Node, what: str, remedy: str = "") -> OperatorError:
        return OperatorError(printable(what), f"{self._name}:{node.start_mark.line + 1}", remedy)
