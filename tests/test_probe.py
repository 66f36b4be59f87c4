"""The probe of a deployed site, over real HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from common.errors import OperatorError
from components.probe import probe

OK = (200, {"status": "ok", "milliseconds": 7})


class Site(HTTPServer):
    """A site whose health route gives the next of some answers, and the last one ever after."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.health = [OK]
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        healthy = self.path == "/api/health"
        status, body = self.server.health[0] if healthy else (200, "page")
        if healthy and len(self.server.health) > 1:
            self.server.health.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_site_that_answers_is_told_with_its_databases_time(site: Site) -> None:
    assert probe(site.url) == f"{site.url} answers, its database in 7 ms"


def test_a_site_is_asked_until_its_database_answers(site: Site) -> None:
    site.health = [(503, {"error": "the API cannot be reached"})] * 3 + [OK]
    assert "answers" in probe(site.url, pause=0.01)


def test_what_was_wrong_last_is_the_error_when_time_is_up(site: Site) -> None:
    site.health = [(503, {"status": "unavailable", "error": "the API answers 401 to the server's key"})]
    with pytest.raises(OperatorError, match="/api/health answers 503: the API answers 401 to the server's key"):
        probe(site.url, deadline=0.05, pause=0.01)


def test_an_address_that_nobody_serves_is_told(site: Site) -> None:
    with pytest.raises(OperatorError, match=r"/ cannot be reached \(ConnectError\)"):
        probe("http://127.0.0.1:9", deadline=0.01, pause=0.01)


def test_a_simulated_page_says_so(site: Site) -> None:
    site.health = [(200, {"status": "simulated", "error": "no program serves this page here"})]
    assert probe(site.url) == f"{site.url} (simulated): no program serves this page here"
