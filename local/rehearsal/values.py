"""Property values: plain JSON plus `Secret` and `UNKNOWN`, and their form in the protocol's `Struct` messages."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf import struct_pb2

# The protocol's own marks: a map holding this pair is a secret; this text stands for a value not known yet.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - the mark of a secret, not one
UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"

Properties = dict[str, Any]


@dataclass(frozen=True)
class Secret:
    """A value that is never shown and never stored in clear."""

    value: Any

    def __repr__(self) -> str:
        return "[secret]"


class Unknown:
    """The type of `UNKNOWN`, a value that a preview cannot know."""

    def __repr__(self) -> str:
        return "[unknown]"


UNKNOWN = Unknown()


def decode(struct: struct_pb2.Struct) -> Properties:
    """Properties of a message; null entries of maps are dropped and whole floats are ints, as in Pulumi's state."""
    return {key: _decode(value) for key, value in struct.fields.items() if value.WhichOneof("kind") != "null_value"}


def _decode(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = decode(value.struct_value)
        return Secret(fields.get("value")) if fields.get(SIGNATURE) == SECRET_SIGNATURE else fields
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "string_value":
        return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
    return value.bool_value if kind == "bool_value" else None


def encode(properties: Mapping[str, Any], *, secrets: bool = False) -> struct_pb2.Struct:
    """A message of properties; secrets are marked for the program (`secrets=True`), and in clear for a provider."""
    struct = struct_pb2.Struct()
    struct.update(transform(properties, _marked if secrets else encoded, UNKNOWN_TEXT))
    return struct


def _marked(value: Any) -> Properties:
    return {SIGNATURE: SECRET_SIGNATURE, "value": encoded(value)}


def encoded(value: Any) -> Any:
    """A value with its secrets in clear, and unknowns as the protocol writes them."""
    return transform(value, encoded, UNKNOWN_TEXT)


def plain(value: Any) -> Any:
    """A value with its secrets in clear."""
    return transform(value, plain)


def masked(value: Any) -> Any:
    """A value with its secrets replaced by `[secret]` and unknowns by `[unknown]`."""
    return transform(value, lambda _: "[secret]", "[unknown]")


def transform(value: Any, secret: Callable[[Any], Any], unknown: Any = UNKNOWN) -> Any:
    """A copy of a value, each secret's content replaced by what `secret` gives for it, each unknown by `unknown`."""
    if isinstance(value, Secret):
        return secret(value.value)
    if isinstance(value, Unknown):
        return unknown
    if isinstance(value, Mapping):
        return {key: transform(item, secret, unknown) for key, item in value.items()}
    return [transform(item, secret, unknown) for item in value] if isinstance(value, list | tuple) else value


def leaves(value: Any, *, secret: bool = False) -> Iterator[tuple[Any, bool]]:
    """Every scalar at any depth, and whether it is secret."""
    if isinstance(value, Secret):
        yield from leaves(value.value, secret=True)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from leaves(item, secret=secret)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item, secret=secret)
    else:
        yield value, secret


def has_unknown(value: Any) -> bool:
    """Whether any scalar is unknown."""
    return any(isinstance(leaf, Unknown) for leaf, _ in leaves(value))


def has_secret(value: Any) -> bool:
    """Whether any scalar is secret."""
    return any(secret for _, secret in leaves(value))


def mark_secrets(outputs: Mapping[str, Any], *sources: Mapping[str, Any], names: tuple[str, ...] = ()) -> Properties:
    """Outputs, secret where a key of the same name is secret in one of the sources, or where `names` says so."""
    marked: Properties = {}
    for key, value in outputs.items():
        nested = [source[key] for source in sources if key in source]
        if isinstance(value, Mapping) and all(isinstance(item, Mapping) for item in nested) and key not in names:
            marked[key] = mark_secrets(value, *nested)
        elif not isinstance(value, Secret) and (key in names or any(map(has_secret, nested))):
            marked[key] = Secret(value)
        else:
            marked[key] = value
    return marked


def redact(text: str, *values: Any) -> str:
    """Text without the secrets of these values, whatever a failing command or service wrote."""
    found = {str(leaf) for value in values for leaf, secret in leaves(value) if secret and len(str(leaf)) > 3}
    longest_first = "|".join(map(re.escape, sorted(found, key=len, reverse=True)))
    return re.sub(longest_first, "[secret]", text) if found else text
