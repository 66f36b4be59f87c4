"""A create that is killed at a request: the next `up` ends with one project, one repository, one site, working keys."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.automation.local_client import NO_INSTALLER, PULUMI, ROOT, Client, MakeClient

SERVICES = ("supabase", "github", "vercel")
ANY = r"/(?!_local).*"
DEADLINE = 120
# As `python -m automation`, without asking the internet for an engine.
COMMAND_LINE = f"""
from automation import installer
from automation.cli import app
installer.SITE = "{NO_INSTALLER}"
app()
"""


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def members(session: int) -> dict[int, str]:
    """The processes of a session that are alive: pid -> command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, belongs = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(belongs) == session and state not in "ZX":
                found[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def engine_of(session: int) -> int:
    """The process that carries the operation: the `pulumi` command, or the one that rehearses it."""
    found = [pid for pid, line in members(session).items() if Path(line.split(" ")[0]).name == "pulumi"]
    return found[0] if found else session


def kill_everything(session: int) -> None:
    while found := members(session):
        for pid in found:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.kill(pid, signal.SIGKILL)


def kill_the_engine(session: int) -> None:
    os.kill(engine_of(session), signal.SIGKILL)


def interrupt(session: int) -> None:
    """Ctrl-C: the terminal sends it to the whole group."""
    os.killpg(session, signal.SIGINT)


KILLS = {"engine": kill_the_engine, "all": kill_everything}
ENDS = KILLS | {"ctrl-c": interrupt}


def killed_create(
    client: Client,
    killed: str,
    *,
    service: str,
    nth: int,
    hold: str,
    path: str = ANY,
    method: str = "*",
) -> tuple[int, bool]:
    """Kill an `up` that waits for an answer; its session, and false when it ended before it asked so many times."""
    client.emulators.requests(service)
    client.emulators.fault(service, method=method, path=path, nth=nth, hold=hold)
    url = f"{client.emulators.urls[service]}/_emulator/faults"
    command = [sys.executable, "-c", COMMAND_LINE, "up", client.name, *client.flags, "--json"]
    with (client.root / "output").open("wb") as said:
        up = subprocess.Popen(
            command,
            cwd=client.root,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        wait(lambda: up.poll() is not None or client.emulators.http.get(url).json()[-1]["held"])
        if reached := up.poll() is None:
            ENDS[killed](up.pid)
    finally:
        client.emulators.http.delete(url)
    up.wait()
    return up.pid, reached


def assert_converges(client: Client, session: int) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE
    while "providers still finish" in str((result := client("up"))[1]["error"]):
        assert time.monotonic() < deadline
    assert (result[0], result[1]["error"]) == (0, None)
    assert not members(session)
    state = client.state()
    assert len(client.projects()) == 1
    ref = state["project"]["id"]
    keys = client.emulators.supabase("GET", f"/v1/projects/{ref}/api-keys?reveal=true").json()
    made = [key["api_key"] for key in keys if key["name"].startswith("stack")]
    assert made == [state["secret-key"]["outputs"]["value"]]
    assert client.query("select count(*) from private.environment_mark") == [(1,)]
    code, again = client("up")
    assert (code, again["status"]) == (0, "unchanged")
    return state


@pytest.mark.parametrize(
    ("killed", "hold"), [("engine", "after"), pytest.param("all", "before", marks=pytest.mark.long)]
)
def test_a_create_killed_at_the_request_that_is_billed_makes_one_project(
    make_client: MakeClient, killed: str, hold: str
) -> None:
    client = make_client(f"billed-{killed}-{hold}")
    where = {"service": "supabase", "nth": 1, "path": "/v1/projects", "method": "POST"}
    session, reached = killed_create(client, killed, hold=hold, **where)
    assert reached
    assert_converges(client, session)


def test_one_ctrl_c_during_the_wait_leaves_the_project_in_state_and_nothing_else(make_client: MakeClient) -> None:
    client = make_client("ctrl-c")
    where = {"service": "supabase", "nth": 1, "path": r"/v1/projects/\w+/health", "hold": "before"}
    session, reached = killed_create(client, "ctrl-c", **where)
    assert reached
    assert not members(session)
    ref = client.state()["project"]["id"]
    assert len(client.projects()) == 1
    assert not list((client.root / ".local").glob("pulumi/state/.pulumi/locks/**/*.json"))
    assert "Traceback" not in (client.root / "output").read_text()
    assert assert_converges(client, session)["project"]["id"] == ref


@pytest.mark.long
@pytest.mark.parametrize("make_client", [PULUMI], indirect=True)
@pytest.mark.parametrize(
    ("service", "path"),
    [
        ("github", r".*/orgs/[\w-]+/repos"),
        ("github", r".*/rulesets"),
        ("github", r".*/actions/variables"),
        ("vercel", r"/v\d+/projects"),
        ("vercel", r"/v\d+/projects/\w+/env"),
    ],
)
def test_what_github_and_vercel_made_for_a_killed_engine_is_taken_up(
    make_client: MakeClient, service: str, path: str
) -> None:
    client = make_client(f"native-{path.rpartition('/')[2]}")
    session, reached = killed_create(client, "all", service=service, nth=1, hold="after", path=path, method="POST")
    assert reached
    assert_converges(client, session)


@pytest.mark.long
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("hold", ["before", "after"])
@pytest.mark.parametrize("killed", KILLS)
def test_a_create_killed_at_any_request_converges(
    make_client: MakeClient, service: str, killed: str, hold: str
) -> None:
    boundary = 1
    while True:
        client = make_client(f"{service}-{killed}-{hold}-{boundary}")
        session, reached = killed_create(client, killed, service=service, nth=boundary, hold=hold)
        assert_converges(client, session)
        assert client("destroy", "--yes")[0] == 0
        if not reached:
            break
        boundary += 1
    print(f"{service}, {killed} killed {hold} the request: {boundary - 1}/{boundary - 1} converged")  # noqa: T201
    assert boundary > 5
