"""Forks Python programs out of a process that has imported their packages already.

Importing the Pulumi SDKs takes more than a second, and each operation needs them twice. Nothing of the project is
imported here: a program finds its own modules in its own folder, as they are at that moment.

Started as a file. Its standard input is a socket of the engine: each message is one byte and brings descriptors of a
pipe with the order (JSON), of one for the report (the pid, then the exit code), of standard input, output and error,
and of whatever the program keeps open. It ends with the engine.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import struct
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

MOST_DESCRIPTORS = 8
NUMBER = struct.Struct("i")


class Children:
    """Forks, and reports the pid and the exit code of each child to who asked for it."""

    def __init__(self) -> None:
        self._reports: dict[int, int] = {}
        signal.signal(signal.SIGCHLD, self._reap)

    def fork(self, report: int) -> bool:
        """Return true in the child, which holds no report."""
        # A child that ends at once is reaped only when its report is known.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        if pid := os.fork():
            self._reports[pid] = report
            _tell(report, pid)
        else:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (report, *self._reports.values()):
                os.close(each)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return pid == 0

    def _reap(self, _number: int, _frame: FrameType | None) -> None:
        while self._reports:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            report = self._reports.pop(pid)
            _tell(report, os.waitstatus_to_exitcode(status))
            os.close(report)


def serve(control: socket.socket) -> dict[str, Any]:
    """Fork as asked until the engine ends; returns only in a child, with its order."""
    children = Children()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, MOST_DESCRIPTORS)
        if not message:
            os._exit(0)  # taking apart what was imported would take long
        ordered, report, *standard = descriptors
        with open(ordered, encoding="utf-8") as pipe:
            order: dict[str, Any] = json.load(pipe)
        for package in order["packages"]:
            with suppress(ImportError):  # the program that needs it says so
                importlib.import_module(package)
        gc.freeze()  # a collection in a child would copy what all of them share
        if children.fork(report):
            control.detach()
            _take(standard)
            return order
        for each in standard:
            os.close(each)


def _take(descriptors: list[int]) -> None:
    """Make the first three standard input, output and error; the others stay open."""
    for number, each in enumerate(descriptors[:3]):
        os.dup2(each, number)
        os.close(each)


def _tell(report: int, number: int) -> None:
    with suppress(BrokenPipeError):  # the engine has ended, or does not want to know
        os.write(report, NUMBER.pack(number))


def run(order: dict[str, Any]) -> None:
    """Become the program of an order: `{file, arguments, folder, environment}`."""
    os.setpgid(0, 0)  # an interrupt from the keyboard is the engine's to handle
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    # A program may be changed twice within a second, which the interpreter's cache of compiled files does not see.
    sys.dont_write_bytecode = True
    sys.argv = [order["file"], *order["arguments"]]
    runpy.run_path(order["file"], run_name="__main__")


if __name__ == "__main__":
    run(serve(socket.socket(fileno=0)))
