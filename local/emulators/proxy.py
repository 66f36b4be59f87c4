"""A loopback HTTPS proxy for plugins that cannot be pointed elsewhere: it answers as their service, with a
certificate of its own authority, and refuses every other host. So nothing leaves the machine unseen.

Bytes are relayed as they come; the emulator behind tells its hosts apart by the `Host` header.
"""

import asyncio
import socket
import ssl
from collections.abc import Iterable
from pathlib import Path

import certifi
import trustme

REFUSAL = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}"


class Proxy:
    """The proxy and its certificate authority.

    Args:
        state: folder for the authority's key and certificate, so that both survive a restart.
        hosts: names to answer for.
        port: loopback port of the emulator that answers.
    """

    def __init__(self, state: Path, hosts: Iterable[str], port: int) -> None:
        self.hosts, self.port = frozenset(hosts), port
        self._connections: set[asyncio.Task[None]] = set()
        self.bundle = state / "ca-bundle.pem"
        authority = _authority(state)
        self.bundle.write_text(certifi.contents() + authority.cert_pem.bytes().decode())
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.set_alpn_protocols(["http/1.1"])
        authority.issue_cert(*sorted(self.hosts)).configure_cert(self._tls)

    async def start(self, listener: socket.socket) -> asyncio.Server:
        """Serve those who connect to a socket that listens."""
        return await asyncio.start_server(self._serve, sock=listener)

    async def end(self) -> None:
        """Close the connections that clients have left open; a loop that ends before them says so on standard error."""
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def exports(self, port: int) -> dict[str, str]:
        """The environment variables that lead a plugin through a proxy that listens on this port."""
        loopback = "127.0.0.1,localhost"
        names = {"HTTPS_PROXY": f"http://127.0.0.1:{port}", "SSL_CERT_FILE": str(self.bundle.resolve())}
        return names | {"NO_PROXY": loopback, "no_proxy": loopback}

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, *_ = head.split(" ", 2)
            host = target.partition(":")[0] if method == "CONNECT" else target
            if host not in self.hosts:
                text = f"local mode reaches no other machine: {host} has no emulator\n"
                writer.write(REFUSAL.format(len(text), text).encode())
                await writer.drain()
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._tls)
            await self._relay(reader, writer)
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client went away, or does not trust us: it knows, and there is nobody else to tell
        finally:
            writer.close()
            self._connections.discard(task)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))
        finally:
            inner_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass everything on until one side ends, then end the other."""
    while chunk := await reader.read(65536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


def _authority(state: Path) -> trustme.CA:
    key, certificate = state / "ca.key", state / "ca.pem"
    if key.exists() and certificate.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA()
    state.mkdir(parents=True, exist_ok=True)
    key.touch(mode=0o600)
    key.write_bytes(authority.private_key_pem.bytes())
    certificate.write_bytes(authority.cert_pem.bytes())
    return authority
