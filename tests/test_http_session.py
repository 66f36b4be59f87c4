"""No answer is waited for without an end, however slowly it comes in: a real server that drips, every API client."""

import ssl
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
import stamina
import trustme

from automation import vercel_errors
from automation.preflight.github import examine
from automation.recovery import token_visibility
from common.errors import OperatorError
from components import find_existing, probe
from components.settings import load_settings
from local.rehearsal.provider import UncertainError
from local.rehearsal.simulated import SimulatedProvider
from rest_clients import github_vercel, http_session
from rest_clients.http_session import TotalTimeout, open_session
from supabase_management.client import Client
from supabase_management.errors import ApiError
from tests.dripping import dripping

ROOT = Path(__file__).parents[1]
SHORT = 0.2


@pytest.fixture(params=["headers", "body"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """The base URL of a server that drips; the total deadline of a request is short."""
    monkeypatch.setattr(http_session, "REQUEST_SECONDS", SHORT)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with dripping(request.param) as found:
        yield found


def test_a_request_ends_at_its_total_deadline_although_bytes_keep_coming(url: str) -> None:
    with open_session(url) as http, pytest.raises(TotalTimeout, match=r"no whole answer after"):
        http.get("/")


def test_a_session_goes_on_after_an_answer_that_was_given_up(url: str, emulators) -> None:
    with open_session() as http:
        with pytest.raises(TotalTimeout):
            http.get(url)
        assert http.get(f"{emulators.urls['github']}/_emulator/faults").json() == []


def test_threads_share_a_session(emulators) -> None:
    answers: list[int] = []
    with open_session(emulators.urls["vercel"]) as http:

        def ask() -> None:
            answers.append(http.get("/_emulator/faults").status_code)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == [200] * 8


def test_the_management_api_is_given_up_after_its_attempts(url: str) -> None:
    with (
        stamina.set_testing(True, attempts=2),
        Client(url, "sbp_made_up") as client,
        pytest.raises(ApiError) as refusal,
    ):
        client.profile()
    told = "GET /v1/profile: no answer from 127.0.0.1 (TotalTimeout). Check the network"
    assert str(refusal.value).startswith(told)


def test_a_write_that_drips_counts_as_one_whose_effect_is_unknown(url: str) -> None:
    with Client(url, "sbp_made_up") as client, pytest.raises(ApiError) as refusal:
        client.pause_project("abcdefghijklmnopqrst")
    assert refusal.value.ambiguous


def look_for_a_repository() -> object:
    return find_existing.Lookup().find("github:index/repository:Repository", {"name": "acme"}, None)


def look_whether_it_is_gone() -> object:
    return token_visibility.look([{"name": "repository", "kind": "repository", "id": "acme"}])


def look_whether_a_site_is_gone() -> object:
    return token_visibility.look([{"name": "site", "kind": "site", "id": "prj_1", "team": None, "label": "acme"}])


@pytest.mark.parametrize("look", [look_for_a_repository, look_whether_it_is_gone, look_whether_a_site_is_gone])
def test_github_and_vercel_are_given_up_in_one_line(
    url: str, monkeypatch: pytest.MonkeyPatch, look: Callable[[], object]
) -> None:
    def session() -> httpx.Client:
        return github_vercel._session(url, "GITHUB_TOKEN")

    monkeypatch.setenv("GITHUB_TOKEN", "ghp_made_up")
    for module in (find_existing, token_visibility):
        monkeypatch.setattr(module, "github", session)
        monkeypatch.setattr(module, "vercel", session)
    with pytest.raises(OperatorError, match=r"127\.0\.0\.1: does not answer \(TotalTimeout\)"):
        look()


def test_the_doctor_says_that_a_service_does_not_answer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_made_up")
    monkeypatch.setenv("GITHUB_BASE_URL", url)
    (finding,) = examine(load_settings("acme", ROOT, "local", {"SUPABASE_ORG_SLUG": "agency"}))
    assert (finding.state, finding.says) == ("failed", "does not answer (TotalTimeout)")


def test_a_simulated_create_is_given_up_and_looked_for_by_the_next_run(url: str) -> None:
    provider = SimulatedProvider("github", url)
    with pytest.raises(UncertainError, match="github emulator: TotalTimeout"):
        provider.create("urn:pulumi:s::p::github:index/repository:Repository::repository", {"name": "acme"})
    provider.close()


def test_a_site_that_drips_is_what_the_probe_says(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "REQUEST_SECONDS", SHORT)
    with pytest.raises(OperatorError, match=r"/ cannot be reached \(TotalTimeout\)"):
        probe.probe(url, deadline=0.1, pause=0.01)


def test_a_build_log_that_drips_leaves_the_message_as_it_was(url: str) -> None:
    text = "BUILD_FAILED - it. Visit https://vercel.com/a/b/abc for more information"
    # Plain HTTP is not what a TLS client expects, so the proxy that drips answers its CONNECT.
    assert vercel_errors.with_build_log(text, None, {"HTTPS_PROXY": url}) == text


class Greeting(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_session_trusts_the_authorities_that_the_environment_names_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    with HTTPServer(("127.0.0.1", 0), Greeting) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")

        def trusted() -> bool:
            with open_session(f"https://127.0.0.1:{server.server_port}") as http:
                try:
                    return http.get("/").status_code == 204
                except httpx.ConnectError:
                    return False

        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        assert not trusted()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
        assert trusted()
        monkeypatch.delenv("SSL_CERT_FILE")
        assert not trusted()
        server.shutdown()


def test_sessions_read_the_authorities_once(monkeypatch: pytest.MonkeyPatch) -> None:
    http_session._authorities.cache_clear()
    made, make = [], httpx.create_ssl_context
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **options: made.append(options) or make(**options))
    for _ in range(3):
        open_session("https://example.org").close()
    assert len(made) == 1
