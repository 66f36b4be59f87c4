"""What differs between two sets of properties, named by property paths such as `rules[0].name`."""

import base64
import pickletools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from local.rehearsal.values import Properties, Secret, Unknown

PROVIDER = "__provider"
# How a pickle is cut and numbered; the rest is what it says.
PICKLE_FRAMING = frozenset({"PROTO", "FRAME", "MEMOIZE"})
Path = tuple[str | int, ...]
PLAIN = re.compile(r"[A-Za-z0-9_]+")
# As in Pulumi, a backslash stands before a quotation mark only.
PART = re.compile(r'\["((?:\\"|[^"])*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Path]:
    """The paths at which two values differ; what one side lacks counts once, at its root."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}):
            if key in old and key in new:
                yield from differences(old[key], new[key], (*path, key))
            else:
                yield (*path, key)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            if index < len(old) and index < len(new):
                yield from differences(old[index], new[index], (*path, index))
            else:
                yield (*path, index)
    elif not _equal(old, new):
        yield path


def without_repickled_provider(new: Properties, old: Mapping[str, Any]) -> Properties:
    """New inputs with the old `__provider` where the two name the same class and hold the same attributes.

    A program under another version of Python may pickle the same provider with another protocol.
    """
    before, after = (_pickled(inputs.get(PROVIDER)) for inputs in (old, new))
    return {**new, PROVIDER: old[PROVIDER]} if before is not None and before == after else new


def _pickled(value: Any) -> list[tuple[str, Any]] | None:
    """What a pickled provider says, instruction by instruction; None for what is none."""
    text = value.value if isinstance(value, Secret) else value
    if not isinstance(text, str):
        return None
    try:
        instructions = list(pickletools.genops(base64.b64decode(text, validate=True)))
    except ValueError:
        return None
    return [(code.name, argument) for code, argument, _ in instructions if code.name not in PICKLE_FRAMING]


def differ(old: Any, new: Any) -> bool:
    """Whether two values differ anywhere."""
    return next(differences(old, new), None) is not None


def _equal(old: Any, new: Any) -> bool:
    if isinstance(old, Secret) and isinstance(new, Secret):
        return not differ(old.value, new.value)
    # Python holds True equal to 1; JSON does not. Unknown equals nothing, not even itself.
    return type(old) is type(new) and old == new and not isinstance(new, Unknown)


def written(path: Path) -> str:
    """A path as Pulumi writes it: it quotes a name with anything but letters, digits and underscores."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += '["' + part.replace('"', '\\"') + '"]'
    return text


def parsed(text: str) -> Path:
    """The path that a program wrote in `ignore_changes` or `replace_on_changes`; `*` stands for any part."""
    return tuple(
        quoted.replace('\\"', '"') if quoted else int(index) if index.isdigit() else index or name
        for quoted, index, name in PART.findall(text)
    )


def covers(pattern: Path, path: Path) -> bool:
    """Whether a path is at or below what a pattern names."""
    return len(pattern) <= len(path) and all(part in ("*", path[at]) for at, part in enumerate(pattern))


def at(value: Any, path: Path) -> Any:
    """The value at a path; None where there is none. An unknown or a secret on the way is the answer."""
    for part in path:
        if isinstance(value, Unknown | Secret):
            return value
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def ignore(new: Properties, old: Mapping[str, Any], ignored: Sequence[str]) -> Properties:
    """New inputs with the old values at the ignored paths; what the old lack is removed from the new."""
    result = new
    for text in ignored:
        result = _restored(result, old, parsed(text))
    return result


def _restored(new: Any, old: Any, path: Path) -> Any:
    if not path:
        return old
    if not isinstance(new, dict | list):
        return new
    head, rest = path[0], path[1:]
    copy: Any = new.copy()
    keys = ({*_keys(new), *_keys(old)} if isinstance(new, dict) else set(_keys(new))) if head == "*" else {head}
    for key in keys:
        if rest and key in _keys(new) and key in _keys(old):
            copy[key] = _restored(copy[key], old[key], rest)
        elif not rest and key in _keys(old) and (isinstance(new, dict) or key in _keys(new)):
            copy[key] = old[key]
        elif not rest and isinstance(new, dict):
            copy.pop(key, None)
    return copy


def _keys(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Mapping) else list(range(len(value))) if isinstance(value, list) else []
