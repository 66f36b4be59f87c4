"""Bytes that are passed on end with the side they come from."""

import socket
import struct
import threading

import pytest

from local.emulators.relay import relay


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_the_other_side_is_told_however_one_ends(reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        source, _ = server.accept()
    target, receiver = socket.socketpair()
    with source, target, receiver:
        thread = threading.Thread(target=relay, args=(source, target))
        thread.start()
        sender.sendall(b"half")
        assert receiver.recv(4) == b"half"
        if reset:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.close()
        receiver.settimeout(10)
        assert receiver.recv(1) == b""
        thread.join(10)
