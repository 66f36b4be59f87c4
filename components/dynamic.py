"""What every dynamic provider of ours shares: an empty object, one-line errors, a live engine before each write.

Provider objects are pickled into state by reference to their class, so they carry nothing: credentials come from
the environment inside each method. This module is imported by the provider process and declares no resource.
"""

import functools
import logging
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pulumi.dynamic import ConfigureRequest, ResourceProvider
from pulumi.output import Unknown

from common.errors import OperatorError
from common.system_errors import explained

P = ParamSpec("P")
R = TypeVar("R")

LOG = logging.getLogger("client_environments")
LOG_FILE = Path(".local/log/provider.log")
ENGINE_SECONDS = 5.0  # for an answer of the engine, which is on this machine
# Python 3.14 made 5 its default. State holds the pickled bytes, so another protocol is an update of every resource.
STATE_PICKLE_PROTOCOL = 4


class Provider(ResourceProvider):
    """Base of all our dynamic providers; subclasses hold no attribute."""

    def configure(self, req: ConfigureRequest) -> None:
        """Send tracebacks to the log file instead of the operator's screen (runs only in the provider process)."""
        sys.tracebacklimit = 0
        # A disk that is full would otherwise print a traceback for each line.
        logging.raiseExceptions = False
        if not LOG.handlers:
            LOG.addHandler(_log_handler())
            LOG.setLevel(logging.DEBUG)
            LOG.propagate = False


@contextmanager
def stable_pickles() -> Iterator[None]:
    """Within the block, resources are declared with the same pickled provider under every version of Python.

    The SDK pickles with `pickle.DEFAULT_PROTOCOL` and offers no other way to choose.
    """
    default = pickle.DEFAULT_PROTOCOL
    pickle.DEFAULT_PROTOCOL = STATE_PICKLE_PROTOCOL  # type: ignore[misc]
    try:
        yield
    finally:
        pickle.DEFAULT_PROTOCOL = default  # type: ignore[misc]


def operation(method: Callable[P, R]) -> Callable[P, R]:
    """Decorate a provider method: whatever it raises leaves as one `OperatorError` line, the traceback is logged."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(*args, **kwargs)
        except OperatorError as error:
            LOG.debug("%s failed", method.__qualname__, exc_info=error)
            raise error from None
        except Exception as error:
            LOG.exception("%s failed", method.__qualname__)
            if isinstance(error, OSError) and (known := explained(error)):
                raise known from None
            raise OperatorError(
                f"unexpected {type(error).__name__}", method.__qualname__, _where_the_traceback_is()
            ) from None

    return guarded


def _log_handler() -> logging.Handler:
    """A handler that writes the log file; where that cannot be written, one that drops everything: it is no reason to
    keep a client from coming up."""
    try:
        LOG_FILE.parent.mkdir(parents=True, exist_ok=True)
        handler: logging.Handler = logging.FileHandler(LOG_FILE)
    except OSError:
        return logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    return handler


def _where_the_traceback_is() -> str:
    if any(isinstance(handler, logging.NullHandler) for handler in LOG.handlers):
        return f"Its traceback is lost: {LOG_FILE} cannot be written."
    return f"The traceback is in {LOG_FILE}."


def require_engine() -> None:
    """Refuse to write when the engine that started this process is gone (a killed engine leaves its plugins alive).

    Raises:
        OperatorError: the engine's address, given as first argument of `python -m pulumi.dynamic`, does not answer.
    """
    if (engine := _engine()) is None:
        return
    host, _, port = engine.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=ENGINE_SECONDS).close()
    except OSError:
        raise OperatorError("the Pulumi engine is gone", "provider", "Nothing was written; run `up` again.") from None


def tell(text: str) -> None:
    """Warn the operator through the engine that started this process; in any other process, on standard error."""
    if (engine := _engine()) is None:
        sys.stderr.write(f"{text}\n")
        return
    import grpc
    from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

    with grpc.insecure_channel(engine) as channel:
        request = engine_pb2.LogRequest(severity=engine_pb2.WARNING, message=text)
        try:
            engine_pb2_grpc.EngineStub(channel).Log(request, timeout=ENGINE_SECONDS)
        except grpc.RpcError as error:
            # The work goes on: an engine that is gone is noticed before the next write.
            LOG.warning("the engine was not told: %s (%s)", text, error)


def _engine() -> str | None:
    """Address of the engine that started this provider process; None in any other process."""
    provider = sys.argv[0].endswith(os.path.join("pulumi", "dynamic", "__main__.py"))
    return sys.argv[1] if provider and len(sys.argv) > 1 else None


def is_unknown(value: Any) -> bool:
    """Whether a preview does not know this value yet, at any depth."""
    if isinstance(value, Mapping):
        return any(is_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(is_unknown(item) for item in value)
    return isinstance(value, Unknown)


def whole(value: Any) -> Any:
    """Numbers reach a provider as floats; give whole ones back as ints, at any depth."""
    if isinstance(value, Mapping):
        return {key: whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
