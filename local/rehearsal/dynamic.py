"""The dynamic providers of the program, in one real `python -m pulumi.dynamic` process per operation."""

import select
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from automation.limits import longest
from components.urn import type_of
from local.rehearsal.forking import Program, Started, start
from local.rehearsal.provider import Diff, Live, Provider, ProviderError, UncertainError
from local.rehearsal.state import Resource
from local.rehearsal.values import Properties, decode, encode

HOST = Path(__file__).with_name("provider_host.py")
PACKAGES = ("pulumi", "psycopg", "httpx", "stamina", "yaml", "ruamel.yaml", "pathspec")
START_SECONDS = 60.0
STOP_SECONDS = 30.0  # for the operation that it is in
DRAIN_SECONDS = 5.0
TRACEBACK = "Traceback (most recent call last):"


class DynamicProvider(Provider):
    """Speaks to the server as Pulumi does. Use `start` early, `stop` always.

    Args:
        root: the program's folder, where the server runs.
        environment: complete environment of the server.
        config: the stack's configuration, with full keys.
        log: file that takes what the server prints.
    """

    def __init__(self, root: Path, environment: Mapping[str, str], config: Mapping[str, str], log: Path) -> None:
        self._root, self._environment, self._config, self._log = root, environment, config, log
        self._process: Started | None = None
        self._channel: Any = None
        self._stub: Any = None
        self._connecting = threading.Lock()
        self._drainer = threading.Thread(target=self._drain, daemon=True)

    def start(self, address: str, lock: int | None) -> None:
        """Start the server; `address` is the engine's, `lock` the descriptor that the server keeps open."""
        with self._log.open("wb") as log:
            program = Program(HOST, [address], PACKAGES, self._root, self._environment)
            self._process = start(program, output=None, errors=log, keep=() if lock is None else (lock,))

    def stop(self) -> None:
        """Let the server finish and exit."""
        if self._channel is not None:
            self._channel.close()
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            return
        self._process.stdin.close()
        try:
            self._process.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._drainer.is_alive():
            self._drainer.join(DRAIN_SECONDS)
        # Something that the server started may hold the pipe open; closing it under the reader would wait for that.
        if not self._drainer.is_alive():
            self._process.stdout.close()

    def check(self, urn: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[Properties, list[str]]:
        answer = self._call("Check", provider_pb2.CheckRequest(urn=urn, olds=encode(olds), news=encode(news)))
        reasons = [f"{each.property}: {each.reason}" if each.property else each.reason for each in answer.failures]
        return decode(answer.inputs), reasons

    def diff(self, old: Resource, news: Mapping[str, Any]) -> Diff:
        request = provider_pb2.DiffRequest(
            id=old.id, urn=old.urn, olds=encode(old.outputs), news=encode(news), old_inputs=encode(old.inputs)
        )
        answer = self._call("Diff", request)
        known = {provider_pb2.DiffResponse.DIFF_SOME: True, provider_pb2.DiffResponse.DIFF_NONE: False}
        return Diff(known.get(answer.changes), frozenset(answer.replaces), answer.deleteBeforeReplace)

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        answer = self._call("Create", provider_pb2.CreateRequest(urn=urn, properties=encode(inputs)))
        return answer.id, decode(answer.properties)

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        request = provider_pb2.UpdateRequest(
            id=old.id, urn=old.urn, olds=encode(old.outputs), news=encode(news), old_inputs=encode(old.inputs)
        )
        return decode(self._call("Update", request).properties)

    def read(self, old: Resource) -> Live | None:
        request = provider_pb2.ReadRequest(
            id=old.id, urn=old.urn, properties=encode(old.outputs), inputs=encode(old.inputs)
        )
        answer = self._call("Read", request)
        inputs = decode(answer.inputs) if answer.HasField("inputs") else None
        return Live(answer.id, decode(answer.properties), inputs) if answer.id else None

    def delete(self, old: Resource) -> None:
        self._call("Delete", provider_pb2.DeleteRequest(id=old.id, urn=old.urn, properties=encode(old.outputs)))

    def _call(self, method: str, request: Any) -> Any:
        limit = longest(type_of(request.urn))
        try:
            return getattr(self._connected(), method)(request, timeout=limit)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                # What it was making may still come to be: the next operation looks for it.
                raise UncertainError(f"the provider did not answer within {limit:g} s. Run it again.") from None
            raise ProviderError(_reason(error.details() or str(error.code()))) from None

    def _connected(self) -> Any:
        with self._connecting:
            if self._stub is None:
                self._stub = self._connect()
            return self._stub

    def _connect(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], START_SECONDS)
        port = self._process.stdout.readline().strip().decode() if ready else ""
        if not port.isdigit():
            raise ProviderError(f"the provider process did not start; see {self._log}")
        self._drainer.start()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)])
        stub = provider_pb2_grpc.ResourceProviderStub(self._channel)
        request = provider_pb2.ConfigureRequest(args=encode(self._config), acceptSecrets=True)
        stub.Configure(request, timeout=START_SECONDS)
        return stub

    def _drain(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        with self._log.open("ab") as log:
            for line in self._process.stdout:
                log.write(line)
                log.flush()


def _reason(details: str) -> str:
    """The message of a formatted exception, without our own error type's name; its lines stay lines.

    A message may have indented lines of its own (a statement of SQL and the caret under it), so only those between the
    last traceback's head and the exception's line count as frames.
    """
    lines = details.strip("\n").splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith(TRACEBACK)]
    first = heads[-1] + 1 if heads else 0
    while heads and first < len(lines) and lines[first].startswith(" "):
        first += 1
    said = "\n".join(line.rstrip() for line in lines[first:] if line.strip())
    return said.removeprefix("OperatorError: ") or "failed without a reason"
