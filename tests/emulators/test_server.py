"""`python -m local.emulators` as a process: detached, found again, stopped, killed, started twice at once."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

PASSWORD = "correct-horse-battery-staple"
ROOT = Path(__file__).parents[2]


@dataclass
class Command:
    """`python -m local.emulators` on one folder of state."""

    state: Path
    environment: dict[str, str]

    def popen(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "local.emulators", *words, "--state", str(self.state)],
            cwd=ROOT, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        process = self.popen(*words)
        output, errors = process.communicate(timeout=90)
        return subprocess.CompletedProcess(words, process.returncode, output, errors)

    def start(self) -> dict[str, str]:
        """Start detached and give what it exports."""
        done = self("--detach", "--volatile", "--startup", "0")
        assert done.returncode == 0, done.stderr
        return exports(done.stdout)

    def ready(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.state / "ready.json").read_text())
        return content


def exports(output: str) -> dict[str, str]:
    pairs = [shlex.split(line)[1].partition("=") for line in output.splitlines()]
    return {name: value for name, _, value in pairs}


@pytest.fixture
def emulators(new_state: Callable[[], Path]) -> Iterator[Command]:
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = Command(new_state(), environment)
    yield command
    command("stop")


def supabase(exports: dict[str, str], method: str, path: str, **kwargs: Any) -> Any:
    headers = {"Authorization": f"Bearer {exports['SUPABASE_ACCESS_TOKEN']}"}
    answer = httpx.request(method, exports["SUPABASE_API_URL"] + path, headers=headers, trust_env=False, **kwargs)
    return answer.raise_for_status().json()


def login(pooler: dict[str, Any]) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=pooler["db_host"], port=pooler["db_port"], user=pooler["db_user"], dbname=pooler["db_name"],
        password=PASSWORD, autocommit=True,
    )  # fmt: skip


def killed(emulators: Command) -> None:
    """End the emulators as the kernel ends a process, so that nothing is tidied up."""
    pid = emulators.ready()["pid"]
    os.kill(pid, signal.SIGKILL)
    while Path(f"/proc/{pid}/stat").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
        pass


def postgres_pid(emulators: Command) -> int:
    remembered = json.loads((emulators.state / "database/postgres.json").read_text())
    with psycopg.connect(
        host="127.0.0.1", port=remembered["port"], user="supabase_admin", password=remembered["password"],
        dbname="postgres",
    ) as connection:  # fmt: skip
        row = connection.execute("select pg_backend_pid()").fetchone()
        assert row is not None
        return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])


def test_started_in_the_background_it_is_found_again_and_stopped(emulators: Command) -> None:
    assert (emulators("status").returncode, emulators("stop").returncode) == (1, 0)
    first = emulators.start()
    assert {"SUPABASE_API_URL", "GITHUB_BASE_URL", "HTTPS_PROXY"} <= first.keys()
    assert first == emulators.start() == exports(emulators("start").stdout) == emulators.ready()["exports"]
    status = emulators("status")
    assert (status.returncode, str(emulators.ready()["pid"]) in status.stdout) == (0, True)
    assert emulators("stop").stdout == "stopped\n"
    assert emulators("status").stdout == "not running\n"
    assert not (emulators.state / "ready.json").exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(first["SUPABASE_API_URL"], trust_env=False)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_projects_keys_rows_and_addresses_outlive_the_process(emulators: Command, end: str) -> None:
    before = emulators.start()
    body = {"name": "t", "organization_slug": "local-agency", "db_pass": PASSWORD}
    project = f"/v1/projects/{supabase(before, 'POST', '/v1/projects', json=body)['ref']}"
    paths = (project, f"{project}/api-keys?reveal=true", f"{project}/config/database/pooler")
    answers = [supabase(before, "GET", path) for path in paths]
    with login(answers[2][0]) as connection:
        connection.execute("create table kept (n int); insert into kept values (7)")
    if end == "stop":
        emulators("stop")
    else:
        left = postgres_pid(emulators)
        killed(emulators)
        assert emulators("status").stdout == "not running\n"
        assert Path(f"/proc/{left}").exists()
    after = emulators.start()
    assert after == before
    assert [supabase(after, "GET", path) for path in paths] == answers
    with login(answers[2][0]) as connection:
        assert connection.execute("select n from kept").fetchall() == [(7,)]
    if end == "kill":
        assert postgres_pid(emulators) != left


def test_started_twice_at_once_it_runs_once(emulators: Command) -> None:
    processes = [emulators.popen("--detach", "--volatile") for _ in range(3)]
    said = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], said
    assert {output for output, _ in said} == {said[0][0]}
    assert supabase(exports(said[0][0]), "GET", "/v1/organizations")


def test_the_word_of_a_dead_process_is_not_believed(emulators: Command) -> None:
    stale = {"pid": os.getpid(), "exports": {}, "services": {}}
    (emulators.state / "ready.json").write_text(json.dumps(stale))
    assert emulators("status").stdout == "not running\n"
    assert emulators("stop").stdout == "not running\n"
    assert emulators.start()


def test_no_token_lies_where_others_may_read_it(emulators: Command) -> None:
    values = set(emulators.start().values())
    secrets = {value for value in values if "token" in value or value.startswith("sbp_")}
    assert len(secrets) == 3
    for file in emulators.state.rglob("*"):
        if file.is_file() and file.stat().st_mode & 0o077 and "postgres/data" not in str(file):
            content = file.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], file


def test_a_failed_start_is_one_line_and_leaves_nothing_running(emulators: Command) -> None:
    emulators.environment["DATABASE_URL"] = "postgresql://nobody:hush@127.0.0.1:1/postgres"
    for words in (("--detach",), ("start",)):
        done = emulators(*words)
        assert (done.returncode, done.stdout) == (1, "")
        assert re.fullmatch(r"emulators: .*refused.*\n", done.stderr), done.stderr
        assert "hush" not in done.stderr
    assert emulators("status").returncode == 1
