"""Loopback ports that are remembered from one start to the next."""

import socket


def listen(wanted: int) -> socket.socket:
    """A socket that listens on the wanted port, or on a free one where it is taken (0: on any free one)."""
    for port in (wanted, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(128)
        except OSError:
            listener.close()
        else:
            return listener
    raise RuntimeError("no free loopback port")
