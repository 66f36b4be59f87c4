"""A provider for tests: a thing is a JSON file. Copied beside each test's program, and imported by name there."""

import json
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from pulumi import Output, ResourceOptions
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

FOLDER = Path(os.environ["THINGS"])


class ThingProvider(ResourceProvider):
    """`value` is what it holds, `kind` its identity; `fail`, `meet` and `hold` make an operation behave as named."""

    def check(self, _olds: Any, news: Any) -> CheckResult:
        value = news.get("value")
        refused = isinstance(value, float) and value >= 100
        return CheckResult(news, [CheckFailure("value", "must be less than 100")] if refused else [])

    def diff(self, _id: str, _olds: Any, _news: Any) -> DiffResult:
        replaces = ["kind"] if _olds.get("kind") != _news.get("kind") else []
        return DiffResult(replaces=replaces, delete_before_replace=bool(_news.get("eager")))

    def create(self, props: Any) -> CreateResult:
        _begin("create", props)
        id_ = f"{props['name']}-{props.get('kind', 'plain')}"
        _path(id_).write_text(json.dumps(props["value"]))
        return CreateResult(id_, _outputs(props))

    def update(self, _id: str, _olds: Any, _news: Any) -> UpdateResult:
        _begin("update", _news)
        _path(_id).write_text(json.dumps(_news["value"]))
        return UpdateResult(_outputs(_news))

    def read(self, id_: str, props: Any) -> ReadResult:
        _begin("read", props)
        if not _path(id_).exists():
            return ReadResult("", {})
        inputs = {key: value for key, value in props.items() if key not in {"doubled", "minted"}}
        inputs["value"] = json.loads(_path(id_).read_text())
        return ReadResult(id_, _outputs(inputs), inputs)

    def delete(self, _id: str, _props: Any) -> None:
        _begin("delete", _props)
        _path(_id).unlink(missing_ok=True)


class Thing(Resource, module="things", name="Thing"):
    value: Output[Any]
    secret: Output[Any]
    doubled: Output[str]
    minted: Output[str]

    def __init__(self, name: str, value: Any = 1, opts: ResourceOptions | None = None, **more: Any) -> None:
        props = {"name": name, "value": value, "secret": None, "doubled": None, "minted": None, **more}
        own = ResourceOptions(additional_secret_outputs=["minted"])
        super().__init__(ThingProvider(), name, props, ResourceOptions.merge(own, opts))


def _outputs(props: Any) -> dict[str, Any]:
    return {**props, "doubled": f"{props['value']}{props['value']}", "minted": f"minted-{props['name']}"}


def _path(id_: str) -> Path:
    return FOLDER / f"{id_}.json"


def _begin(operation: str, props: Any) -> None:
    name = props["name"]
    with (FOLDER / "calls").open("a") as calls:
        calls.write(f"{operation} {name}\n")
    if operation in props.get("fail", []) and not (FOLDER / "mended").exists():
        raise RuntimeError(props.get("said") or f"{name} does not {operation} with {props.get('secret')}")
    if operation == "create" and "meet" in props:
        (FOLDER / f"{name}.met").touch()
        _wait(lambda: len(list(FOLDER.glob("*.met"))) >= props["meet"])
    if operation == "create" and "hold" in props:
        (FOLDER / "held").write_text(str(os.getpid()))
        _wait((FOLDER / "release").exists)
        host, _, port = sys.argv[1].rpartition(":")
        with socket.socket() as engine:
            (FOLDER / "engine").write_text("gone" if engine.connect_ex((host, int(port))) else "there")


def _wait(condition: Any) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("waited in vain")
        time.sleep(0.02)
