"""What every service can be made to do wrong, and what it remembers of being asked, over real connections."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from local.emulators.fault_injection import Harness
from tests.emulators.serving import context_in, serve


@pytest.fixture
def carried_out() -> list[str]:
    """The things that the service behind the harness did."""
    return []


@pytest.fixture
def client(tmp_path: Path, carried_out: list[str]) -> Iterator[httpx.Client]:
    async def do(request: Request) -> JSONResponse:
        await request.body()
        carried_out.append(f"{request.method} {request.url.path}")
        return JSONResponse({"done": True}, 201)

    service = Starlette(routes=[Route("/things/{name}", do, methods=["GET", "POST"])])
    with (
        serve(lambda _: Harness(service), context_in(tmp_path)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=10) as session,
    ):
        yield session


def fault(client: httpx.Client, **fault: object) -> None:
    client.post("/_emulator/faults", json=fault).raise_for_status()


def statuses(client: httpx.Client, count: int) -> list[int]:
    return [client.get("/things/a").status_code for _ in range(count)]


def test_a_fault_answers_in_place_of_the_service_once(client: httpx.Client, carried_out: list[str]) -> None:
    fault(client, path="/things/.*", status=503, body="<html>upstream</html>")
    answer = client.get("/things/a")
    assert (answer.status_code, answer.text) == (503, "<html>upstream</html>")
    assert carried_out == []
    assert client.get("/things/a").status_code == 201


def test_a_false_answer_may_follow_a_request_that_was_carried_out(client: httpx.Client, carried_out: list[str]) -> None:
    fault(client, method="POST", path="/things/.*", status=201, body='{"do', drop="after")
    answer = client.post("/things/a", json={})
    assert (answer.status_code, answer.text, carried_out) == (201, '{"do', ["POST /things/a"])


def test_a_fault_strikes_from_the_nth_request_on_and_so_many_times(client: httpx.Client) -> None:
    fault(client, path="/things/a", nth=2, times=2, status=429)
    assert statuses(client, 5) == [201, 429, 429, 201, 201]


def test_faults_of_one_path_count_the_same_requests(client: httpx.Client) -> None:
    fault(client, path="/things/a", status=500)
    fault(client, path="/things/a", nth=2, status=502)
    assert statuses(client, 3) == [500, 502, 201]


def test_a_fault_is_of_one_method_and_of_a_whole_path(client: httpx.Client) -> None:
    fault(client, path="/things/a", method="POST", status=500)
    assert client.get("/things/a").status_code == 201
    assert client.post("/things/aa").status_code == 201
    assert client.post("/things/a").status_code == 500


def test_a_fault_may_be_of_several_methods_and_carry_headers(client: httpx.Client) -> None:
    fault(client, path="/things/a", method="POST|PUT", status=429, headers={"retry-after": "7"})
    assert client.get("/things/a").status_code == 201
    assert client.post("/things/a").headers["retry-after"] == "7"


def test_faults_can_be_taken_back(client: httpx.Client) -> None:
    fault(client, path="/things/a", times=9, status=500)
    client.delete("/_emulator/faults")
    assert statuses(client, 1) == [201]


@pytest.mark.parametrize(("when", "expected"), [("before", []), ("after", ["POST /things/a"])])
def test_a_dropped_connection_tells_nothing_of_what_was_done(
    client: httpx.Client, carried_out: list[str], when: str, expected: list[str]
) -> None:
    fault(client, path="/things/a", method="POST", drop=when)
    with pytest.raises(httpx.TransportError):
        client.post("/things/a", json={"n": 1})
    assert carried_out == expected
    assert statuses(client, 1) == [201]


def test_a_delayed_request_is_carried_out_after_the_others(client: httpx.Client, carried_out: list[str]) -> None:
    fault(client, path="/things/slow", delay=1.0)
    slow = threading.Thread(target=httpx.get, args=(f"{client.base_url}/things/slow",), kwargs={"trust_env": False})
    slow.start()
    while not client.get("/_emulator/requests").json():
        pass
    client.get("/things/quick")
    slow.join()
    assert carried_out == ["GET /things/quick", "GET /things/slow"]


@pytest.mark.parametrize(("when", "done"), [("before", []), ("after", ["POST /things/a"])])
def test_a_held_request_goes_on_when_faults_are_cleared_and_ends_with_its_caller(
    client: httpx.Client, carried_out: list[str], when: str, done: list[str]
) -> None:
    fault(client, path=".*", method="*", hold=when, times=2)
    with pytest.raises(httpx.ReadTimeout):
        client.post("/things/a", content="gone", timeout=0.3)
    assert carried_out == done
    waiting = threading.Thread(target=httpx.post, args=(f"{client.base_url}/things/b",), kwargs={"content": "stays"})
    waiting.start()
    while len(client.get("/_emulator/requests").json()) < 2:
        pass
    client.delete("/_emulator/faults")
    waiting.join()
    assert carried_out == [*done, "POST /things/b"]


def test_the_log_holds_method_path_and_status_and_no_query(client: httpx.Client) -> None:
    fault(client, path="/things/b", method="POST", status=500)
    client.get("/things/a?token=hush")
    client.post("/things/b", content="hush", headers={"Authorization": "Bearer hush"})
    client.get("/nowhere")
    log = client.delete("/_emulator/requests").json()
    assert log == [
        {"method": "GET", "path": "/things/a", "status": 201},
        {"method": "POST", "path": "/things/b", "status": 500},
        {"method": "GET", "path": "/nowhere", "status": 404},
    ]
    assert client.get("/_emulator/requests").json() == []
