"""GitHub's own description of its API, as the judge of the emulator's answers.

npm brings the description when a test first needs it; it stays under `.local/tools`, and nothing of it is in the
repository. Only the schemas that an answer refers to are looked at, so that 13 MB cost a fraction of a second.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30ReadValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.npm import unpacked

PACKAGE = "@octokit/openapi@23.0.2"
MEMBER = "generated/api.github.com.json"
# What the description leaves out although every route may answer it.
ANYWHERE = {301, 304, 307, 401, 403, 404, 409, 422, 429}
# Where redirects of renamed repositories lead; answers as the repository's own routes do.
NUMBERED = re.compile(r"^/repositories/\d+")


def fetched() -> Path:
    """Return the description's file, fetched when it is not there yet.

    Raises:
        PackageMissingError: npm is not here, or cannot reach a registry.
    """
    return unpacked(PACKAGE, MEMBER) / MEMBER


class Contract:
    """Judges answers by the description of their route."""

    def __init__(self, document: Path) -> None:
        content = json.loads(document.read_text())
        resource: Resource[Any] = Resource(contents=content, specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource("urn:github", resource)
        self._paths: dict[str, Any] = content["paths"]
        self._components = content["components"]
        # The most specific first: a literal segment before a parameter.
        routes = sorted(self._paths, key=lambda route: [part.startswith("{") for part in route.split("/")])
        self._routes = [(route, re.compile(_pattern(route))) for route in routes]

    def faults(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer; empty when it is as described."""
        path = NUMBERED.sub("/repos/owner/name", path)
        fitting = (route for route, pattern in self._routes if pattern.fullmatch(path))
        route = next((route for route in fitting if method.lower() in self._paths[route]), None)
        if route is None:
            return [] if status == 404 else [f"{method} {path} is not described"]
        operation = self._paths[route][method.lower()]
        described = operation["responses"].get(str(status))
        if described is None and status not in ANYWHERE:
            return [f"{method} {route}: {status} is not among {sorted(operation['responses'])}"]
        error = {"$ref": f"#/components/responses/{'not_modified' if status == 304 else 'forbidden'}"}
        schema = self._schema(described or error)
        if schema is None:
            # A refusal may say why even where that is not described.
            return [] if body is None or status >= 400 else [f"{method} {route}: {status} has no body"]
        return [f"{method} {route} {status}: {fault}" for fault in self._violations(schema, body)]

    def _schema(self, described: Any) -> Any:
        if "$ref" in described:
            described = self._components["responses"][described["$ref"].rpartition("/")[2]]
        return next((one["schema"] for kind, one in described.get("content", {}).items() if "json" in kind), None)

    def _violations(self, schema: Any, body: Any) -> Iterable[str]:
        # Its alternatives of errors are told apart by nothing, so that exactly one of them can never be met; and a
        # folder, which is a list, has not the property that tells contents apart.
        text = json.dumps({name: part for name, part in schema.items() if name != "discriminator"})
        whole = json.loads(text.replace('"#/', '"urn:github#/').replace('"oneOf"', '"anyOf"'))
        for error in OAS30ReadValidator(whole, registry=self._registry).iter_errors(body):
            yield f"{error.json_path}: {error.message[:200]}"


def _pattern(route: str) -> str:
    # A file's path and a branch's name hold slashes of their own.
    deep = {"{path}": ".*", "{ref}": ".+", "{branch}": ".+"}
    return "/".join(
        deep.get(part) or ("[^/]+" if part.startswith("{") else re.escape(part)) for part in route.split("/")
    )
