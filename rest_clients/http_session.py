"""HTTP sessions in which every request ends: a total deadline, however slowly an answer comes in.

httpx limits each connect, read and write by itself, so an answer that sends a byte now and then meets no limit for as
long as it likes. Here the whole request is one task that is cancelled at its deadline: name lookup, connect, headers
and body. Only httpx's asynchronous client can be cancelled from outside, so the requests run in a thread of their own.
"""

import asyncio
import functools
import os
import ssl
import threading
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

REQUEST_SECONDS = 60.0  # in total
CONNECT_SECONDS, SILENCE_SECONDS = 10.0, 30.0  # of those: to connect, and without a byte
KEPT = ("http_version", "reason_phrase")
TRUSTED = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # variables by which httpx finds other authorities than its own


class TotalTimeout(httpx.TimeoutException):
    """The whole answer did not come in time."""


def open_session(
    base_url: str = "",
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float | None = None,
    follow_redirects: bool = False,
    transport: httpx.BaseTransport | None = None,
    **network: Any,
) -> httpx.Client:
    """Open a session for one service; every request of it raises `TotalTimeout` at its deadline.

    Args:
        base_url: scheme and host.
        headers: sent with each request.
        seconds: total deadline of a request, `REQUEST_SECONDS` by default; of each one where redirects are
            followed.
        follow_redirects: whether to follow redirects.
        transport: replaces the network in tests.
        network: `proxy`, `verify` and `trust_env` as httpx takes them.
    """
    if network.get("verify", True) is True:
        network["verify"] = _authorities(network.get("trust_env", True), *map(os.environ.get, TRUSTED))
    return httpx.Client(
        base_url=base_url,
        headers=headers,
        timeout=httpx.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=follow_redirects,
        transport=transport or _DeadlineTransport(seconds or REQUEST_SECONDS, network),
        # The transport reads the environment's proxies; read here too, they would go around it.
        trust_env=False,
    )


class _DeadlineTransport(httpx.BaseTransport):
    """Carries each request out under a total deadline.

    Args:
        seconds: the deadline.
        network: options of `httpx.AsyncClient`.
    """

    def __init__(self, seconds: float, network: Mapping[str, Any]) -> None:
        self._seconds = seconds
        self._client, self._loop = httpx.AsyncClient(**network), _background_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its whole answer.

        Raises:
            TotalTimeout: the answer was not complete in time.
        """
        return self._run(self._send(request))

    def close(self) -> None:
        """Close the connections."""
        self._run(self._client.aclose())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._client.send(request, stream=True)
                try:
                    body = b"".join([part async for part in answer.aiter_raw()])
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise TotalTimeout(f"no whole answer after {self._seconds:g} s", request=request) from None
        extensions = {name: answer.extensions[name] for name in KEPT if name in answer.extensions}
        return httpx.Response(
            answer.status_code, headers=answer.headers, stream=httpx.ByteStream(body), extensions=extensions
        )


@functools.cache
def _authorities(trust_env: bool, *_named: str | None) -> ssl.SSLContext:
    """Whom sessions trust, read once for each value of `TRUSTED`: parsing the file is slow."""
    return httpx.create_ssl_context(trust_env=trust_env)


@functools.cache
def _background_loop() -> asyncio.AbstractEventLoop:
    """The event loop of all sessions, in a thread that ends with the process."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="http", daemon=True).start()
    return loop
