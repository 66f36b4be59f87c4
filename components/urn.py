"""Parses Pulumi's resource names: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`.

The only place that takes a URN apart, for the program, the command line and rehearsal alike.
"""

from dataclasses import dataclass

PREFIX = "urn:pulumi:"
# Types of this project's components, which hold resources and are none themselves.
COMPONENTS = "client-environments:index:"


@dataclass(frozen=True)
class Urn:
    """The parts of a URN.

    Attributes:
        stack: name of the stack, the client's id.
        project: name of the Pulumi project.
        types: the type tokens of the parents, outermost first, and last the resource's own.
        name: the logical name; it may hold `::` itself.
    """

    stack: str
    project: str
    types: tuple[str, ...]
    name: str

    @property
    def type(self) -> str:
        """The resource's own type token."""
        return self.types[-1]

    @property
    def identity(self) -> tuple[str, str, str]:
        """Stack, type and name: what stays when a resource moves under another parent."""
        return self.stack, self.type, self.name

    def __str__(self) -> str:
        return f"{PREFIX}{self.stack}::{self.project}::{'$'.join(self.types)}::{self.name}"


def parse(text: str) -> Urn:
    """Take a URN apart.

    Raises:
        ValueError: the text is no URN.
    """
    parts = text.removeprefix(PREFIX).split("::", 3)
    if not text.startswith(PREFIX) or len(parts) != 4:
        raise ValueError(f"not a Pulumi URN: {text!r}")
    stack, project, types, name = parts
    return Urn(stack, project, tuple(types.split("$")), name)


def name_of(text: str) -> str:
    """Return the logical name in a URN."""
    return parse(text).name


def type_of(text: str) -> str:
    """Return the type token in a URN, without those of the parents."""
    return parse(text).type


def provider_of(reference: str) -> str:
    """Return the URN in a reference to a provider, `<urn>::<id>`."""
    return reference.rpartition("::")[0]


def is_component(kind: str) -> bool:
    """Tell whether a type token is one of this project's components."""
    return kind.startswith(COMPONENTS)
