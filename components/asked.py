"""What a program asked for at a resource's last update, told apart from what a refresh saw in the remote system.

A refresh puts what it saw into the state, in place of what was asked for. Where the update behind it fails, the next
preview compares the program with that, and a change made by hand looks like one of the program. So a resource keeps
digests of what was asked for among its outputs, as `asked`, which no refresh changes. Knows no Pulumi.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

ASKED = "asked"


def digests(inputs: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Name of a property -> SHA-256 of its value as JSON, in hexadecimal digits; the value of the output `asked`."""
    return {name: _digest(inputs[name]) for name in names}


def asked_before(paths: Iterable[str], outputs: Mapping[str, Any] | None, inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """The paths at which the program asks for what it asked for at the last update.

    Args:
        paths: property paths as the engine writes them.
        outputs: the resource's in state. Where they hold no digest of a property, what was asked for is not known.
        inputs: what the program asks for now.
    """
    asked = (outputs or {}).get(ASKED) or {}
    same = {name for name, digest in asked.items() if name in inputs and _digest(inputs[name]) == digest}
    return tuple(path for path in paths if re.split(r"[.\[]", path, maxsplit=1)[0] in same)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
