"""The real `python -m pulumi.dynamic` server, spoken to as an engine does."""

import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dill
import grpc
from google.protobuf import json_format, struct_pb2
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).parent.parent
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
URN = "urn:pulumi:test::client-environments::dynamic::resource"


class ProviderError(Exception):
    """What an operator would see: the details of a failed call."""


class DynamicProvider:
    """One provider class behind the server; properties go in and out as plain dicts."""

    def __init__(self, stub: Any, provider: type) -> None:
        self._stub = stub
        self._provider = base64.b64encode(dill.dumps(provider(), recurse=True)).decode()

    def check(self, olds: Mapping[str, Any], news: Mapping[str, Any]) -> list[str]:
        """The reasons of the failures."""
        answer = self._call("Check", provider_pb2.CheckRequest, olds=self._struct(olds), news=self._struct(news))
        return [failure.reason for failure in answer.failures]

    def diff(self, olds: Mapping[str, Any], news: Mapping[str, Any], id_: str = "id") -> tuple[str, list[str]]:
        """`DIFF_NONE`, `DIFF_SOME` or `DIFF_UNKNOWN`, and what replaces."""
        answer = self._call("Diff", provider_pb2.DiffRequest, id=id_, olds=self._struct(olds), news=self._struct(news))
        return provider_pb2.DiffResponse.DiffChanges.Name(answer.changes), list(answer.replaces)

    def create(self, props: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Id and outputs."""
        answer = self._call("Create", provider_pb2.CreateRequest, properties=self._struct(props))
        return answer.id, _plain(answer.properties)

    def read(self, id_: str, props: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        """Id (empty when gone), outputs and inputs."""
        answer = self._call("Read", provider_pb2.ReadRequest, id=id_, properties=self._struct(props))
        return answer.id, _plain(answer.properties), _plain(answer.inputs)

    def update(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        """Outputs."""
        request = {"id": id_, "olds": self._struct(olds), "news": self._struct(news)}
        return _plain(self._call("Update", provider_pb2.UpdateRequest, **request).properties)

    def delete(self, id_: str, props: Mapping[str, Any]) -> None:
        self._call("Delete", provider_pb2.DeleteRequest, id=id_, properties=self._struct(props))

    def _struct(self, values: Mapping[str, Any]) -> struct_pb2.Struct:
        struct = struct_pb2.Struct()
        struct.update({**values, "__provider": self._provider})
        return struct

    def _call(self, method: str, request: Any, **fields: Any) -> Any:
        try:
            return getattr(self._stub, method)(request(urn=URN, **fields))
        except grpc.RpcError as error:
            raise ProviderError(error.details()) from None


class DynamicServer:
    """A running server; `provider(cls)` gives one of its provider classes."""

    def __init__(self, stub: Any) -> None:
        self._stub = stub

    def provider(self, kind: type) -> DynamicProvider:
        return DynamicProvider(self._stub, kind)


@contextmanager
def dynamic_server(environment: Mapping[str, str]) -> Iterator[DynamicServer]:
    """Start the server in the repository, as the engine does, with these variables over the present ones."""
    command = [sys.executable, "-u", "-m", "pulumi.dynamic"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline().strip()
        assert port, process.stderr.read() if process.stderr else ""
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = provider_pb2_grpc.ResourceProviderStub(channel)
            stub.Configure(provider_pb2.ConfigureRequest(args=struct_pb2.Struct(), acceptSecrets=True))
            yield DynamicServer(stub)
    finally:
        process.terminate()
        process.communicate()


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    values: dict[str, Any] = json_format.MessageToDict(struct)
    values.pop("__provider", None)
    return values
