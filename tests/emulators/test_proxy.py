"""The loopback proxy: answers as its hosts with its own certificate, refuses every other, survives a restart."""

import asyncio
import gc
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certifi
import httpx
import pytest

from local.emulators.ports import listen
from local.emulators.proxy import Proxy
from local.emulators.vercel.app import API_HOST, REGIONS_HOST, TOKEN, app
from tests.emulators.serving import context_in, serve


@contextmanager
def proxied(state: Path, port: int) -> Iterator[dict[str, str]]:
    """A proxy that serves in a thread; yields what it exports."""
    proxy = Proxy(state, (API_HOST, REGIONS_HOST), port)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy.start(listen(0)), loop).result(5)
    try:
        yield proxy.exports(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(proxy.end(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    state = tmp_path_factory.mktemp("proxy")
    with serve(app, context_in(state)) as url, proxied(state, int(url.rpartition(":")[2])) as exports:
        yield exports


def client(exports: dict[str, str], bundle: str | None = None) -> httpx.Client:
    trust = ssl.create_default_context(cafile=bundle or exports["SSL_CERT_FILE"])
    return httpx.Client(proxy=exports["HTTPS_PROXY"], verify=trust, trust_env=False, timeout=10)


def test_the_emulator_answers_as_vercel(exports: dict[str, str]) -> None:
    with client(exports) as vercel:
        answers = [
            vercel.get(f"https://{API_HOST}/v2/user", headers={"Authorization": f"Bearer {TOKEN}"}) for _ in "12"
        ]
        assert {answer.status_code for answer in answers} == {200}
        assert "lhr1" in vercel.get(f"https://{REGIONS_HOST}/").json()


@pytest.mark.parametrize("host", ["api.github.com", "vercel.com", "api.vercel.com.example", "127.0.0.1"])
def test_every_other_host_is_refused(exports: dict[str, str], host: str) -> None:
    with client(exports) as somebody, pytest.raises(httpx.ProxyError, match="403"):
        somebody.get(f"https://{host}/")


def test_unencrypted_requests_are_refused(exports: dict[str, str]) -> None:
    with client(exports) as somebody:
        answer = somebody.get("http://api.vercel.com/v2/user")
    assert answer.status_code == 403
    assert "reaches no other machine" in answer.text


def test_only_who_trusts_the_bundle_is_answered(exports: dict[str, str]) -> None:
    refused = pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED")
    with client(exports, certifi.where()) as stranger, refused:
        stranger.get(f"https://{API_HOST}/v2/user")


def test_a_restart_keeps_the_authority_and_its_key_to_itself(tmp_path: Path) -> None:
    bundles = [Proxy(tmp_path, (API_HOST,), 1).bundle.read_text() for _ in "12"]
    assert bundles[0] == bundles[1]
    assert (tmp_path / "ca.key").stat().st_mode & 0o077 == 0


@pytest.mark.filterwarnings("error")
def test_a_connection_that_a_client_has_left_open_ends_with_the_proxy(tmp_path: Path) -> None:
    with serve(app, context_in(tmp_path)) as url:
        with proxied(tmp_path, int(url.rpartition(":")[2])) as exports:
            vercel = client(exports)
            vercel.get(f"https://{API_HOST}/v2/user")
        # Python tells of a coroutine that was never ended when it is collected.
        gc.collect()
        with pytest.raises(httpx.TransportError):
            vercel.get(f"https://{API_HOST}/v2/user")
        vercel.close()
