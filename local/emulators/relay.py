"""Passing bytes from one connection on to another."""

import socket
from contextlib import suppress


def relay(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one side has ended, however it ended, and tell the target so."""
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
