"""The two gRPC services a Pulumi program talks to: the resource monitor, and the engine it logs to."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NoReturn

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, resource_pb2, resource_pb2_grpc

from local.rehearsal.deployment import Deployment
from local.rehearsal.goal import goal_of
from local.rehearsal.journal import Journal, Stopped
from local.rehearsal.provider import ProviderError
from local.rehearsal.values import decode, encode

PARALLEL = 16
# What the program may count on. The features that only end in a refusal are named too: the refusal then says why.
FEATURES = [
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_INVOKE_TRANSFORMS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_PARAMETERIZATION,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_HOOKS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS,
]


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Hands what the program registers to a deployment.

    Args:
        deployment: of this operation.
        journal: takes the outputs of components and of the stack.
        project: name of the project.
        stack: name of the stack.
    """

    def __init__(self, deployment: Deployment, journal: Journal, project: str, stack: str) -> None:
        self._deployment, self._journal = deployment, journal
        self._project, self._stack = project, stack
        self._turns = threading.Semaphore(PARALLEL)
        self._running = threading.Condition()
        self._count = 0

    def wait(self) -> None:
        """Return when no registration is being carried out, also when the program is gone already."""
        with self._running:
            self._running.wait_for(lambda: self._count == 0)

    def GetDeploymentInfo(self, request: Any, context: Any) -> resource_pb2.DeploymentInfo:  # noqa: N802
        return resource_pb2.DeploymentInfo(project=self._project, stack=self._stack, supportedFeatures=FEATURES)

    def RegisterResource(self, request: Any, context: Any) -> resource_pb2.RegisterResourceResponse:  # noqa: N802
        with self._registration():
            try:
                resource = self._deployment.register(goal_of(request, self._project, self._stack))
            except ProviderError as error:
                self._journal.fail(request.name, str(error))
                raise _ended(context) from None
            except Stopped:
                raise _ended(context) from None
            return resource_pb2.RegisterResourceResponse(
                urn=resource.urn, id=resource.id, object=encode(resource.outputs, secrets=True)
            )

    def RegisterResourceOutputs(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        self._journal.set_outputs(request.urn, decode(request.outputs))
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        return empty_pb2.Empty()

    def _refuse(self, request: Any, context: Any) -> NoReturn:
        """Everything else that a program may ask of a monitor."""
        what = getattr(request, "tok", "") or getattr(request, "name", "") or "a transform"
        self._journal.fail(what, f"{type(request).__name__} is not supported in rehearsal: it needs the pulumi command")
        raise _ended(context)

    Invoke = Call = ReadResource = RegisterPackage = _refuse
    RegisterStackTransform = RegisterStackInvokeTransform = RegisterResourceHook = RegisterErrorHook = _refuse

    @contextmanager
    def _registration(self) -> Iterator[None]:
        with self._running:
            self._count += 1
        try:
            with self._turns:
                yield
        finally:
            with self._running:
                self._count -= 1
                self._running.notify_all()


class Log(engine_pb2_grpc.EngineServicer):
    """Keeps the program's warnings and errors."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.errors: list[str] = []

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:  # noqa: N802
        text = " ".join(request.message.split())
        if request.severity == engine_pb2.ERROR:
            self.errors.append(text)
        elif request.severity == engine_pb2.WARNING:
            self.warnings.append(text)
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, request: Any, context: Any) -> engine_pb2.RequirePulumiVersionResponse:  # noqa: N802
        return engine_pb2.RequirePulumiVersionResponse()


@contextmanager
def serving(monitor: Monitor, log: Log) -> Iterator[str]:
    """Both services on a free loopback port; gives their address."""
    server = grpc.server(ThreadPoolExecutor(PARALLEL * 5), options=[("grpc.max_receive_message_length", -1)])
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(log, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def _ended(context: Any) -> AssertionError:
    """End the program as Pulumi's engine does: the SDK takes this status as the monitor's orderly end."""
    context.abort(grpc.StatusCode.UNAVAILABLE, "the operation has ended")
    return AssertionError("abort raises")
