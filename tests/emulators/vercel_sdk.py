"""The official @vercel/sdk as the judge of the Vercel emulator: its functions call the emulator."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Self

from local.emulators.node import node_path, node_program
from tests.npm import installed

PACKAGE = "@vercel/sdk@1.28.35"
RUNNER = Path(__file__).with_name("vercel_sdk.mjs")


class SdkError(Exception):
    """The SDK did not parse an answer, or the answer is a refusal.

    Attributes:
        status: HTTP status of the answer; None where there was none.
    """

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status


class VercelSdk:
    """Calls functions of the SDK in one Node process, which is stopped on exit.

    The SDK is lenient, so what it had to make up, change or drop in an answer is kept in `faults`.

    Args:
        url: base URL of the service.
        token: the bearer token.

    Attributes:
        faults: lines such as `missing in projectsGetProject: .alias`.

    Raises:
        PackageMissingError: the SDK cannot be fetched here.
    """

    def __init__(self, url: str, token: str) -> None:
        self.faults: list[str] = []
        node = node_program("node")
        modules = folder()
        assert node is not None, "npm came without node"
        self._process = subprocess.Popen(
            [node, str(RUNNER), str(modules), url, token],
            env={"PATH": node_path()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def __call__(self, function: str, instead: dict[str, Any] | None = None, **request: Any) -> Any:
        """Return what the SDK parsed from the answer to one of its functions.

        Args:
            function: name of a standalone function, such as `projectsGetProject`.
            instead: `method`, `path`, `body` of another request, parsed as the function's answer.
            request: the function's request object.

        Raises:
            SdkError: the answer is a refusal, or not of the shape that the SDK knows.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps({"function": function, "request": request or None, "instead": instead})
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise SdkError(f"{function}: {reply['error']}", reply["status"])
        for kind in ("missing", "altered", "unknown"):
            self.faults += [f"{kind} in {function}: {path}" for path in reply[kind]]
        return reply["value"]


def folder() -> Path:
    """Return the folder of the SDK's ES modules.

    Raises:
        PackageMissingError: the SDK cannot be fetched here.
    """
    return installed(PACKAGE) / "@vercel/sdk/esm"


def known_routes() -> list[tuple[str, re.Pattern[str]]]:
    """Return method and path (a pattern, without version) of every function of the SDK.

    Raises:
        PackageMissingError: the SDK cannot be fetched here.
    """
    found = []
    for module in sorted((folder() / "funcs").glob("*.js")):
        text = module.read_text()
        path = re.search(r'pathToFunc\("(?:/v\d+)?(/[^"]*)"\)', text)
        method = re.search(r'method: "([A-Z]+)"', text)
        if path and method:
            pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path[1]))
            found.append((method[1], re.compile(pattern)))
    return found
