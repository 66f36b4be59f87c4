"""A server whose answers never end and never pause: a byte, again and again, until the reader leaves."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

PAUSE = 0.02  # seconds between two bytes
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STARTS = {"headers": HEAD + b"X-Drip: ", "body": HEAD + b"Content-Length: 1000000\r\n\r\n["}


@contextmanager
def dripping(part: str) -> Iterator[str]:
    """Serve on a free port; gives the base URL.

    Args:
        part: what drips, `headers` or `body`.
    """
    listener, ended = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def drip(reader: socket.socket) -> None:
        with reader, suppress(OSError):  # it has left
            reader.recv(65536)
            reader.sendall(STARTS[part])
            while not ended.wait(PAUSE):
                reader.sendall(b" ")

    def serve() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        ended.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
