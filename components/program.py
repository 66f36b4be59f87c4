"""What the Pulumi program declares: the settings of the stack's client, its environment, the stack's outputs."""

import sys
from pathlib import Path
from types import TracebackType

import pulumi

from common.errors import OperatorError
from components.client_environment import ClientEnvironment
from components.dynamic import stable_pickles
from components.settings import load_settings
from components.take_up import take_up


def declare() -> ClientEnvironment:
    """Declare the environment of the client that the stack is named after.

    Raises:
        pulumi.RunError: the settings are wrong; the engine prints its one line without a traceback.
    """
    sys.excepthook = _without_interrupts
    try:
        settings = load_settings(pulumi.get_stack(), Path.cwd())
        taken = take_up(settings)
        with stable_pickles():
            client = ClientEnvironment("client", settings)
    except OperatorError as error:
        raise pulumi.RunError(str(error)) from None
    if taken:
        taken.end()
    for name, value in client.stack_outputs().items():
        pulumi.export(name, value)
    return client


def _without_interrupts(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # The engine interrupts the program when a resource fails; the resource's own error is the news.
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
