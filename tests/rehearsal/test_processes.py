"""What runs at the same time, what an interruption leaves behind, and that no process outlives its operation."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from common.errors import OperatorError
from tests.rehearsal.conftest import REPOSITORY, STACK, Bench

UP = """
import json, os, sys
from pathlib import Path
from local.rehearsal.engine import Rehearsal
root = Path(sys.argv[1])
outcome = Rehearsal(root, sys.argv[2], os.environ, root / ".local/rehearsal").up()
print(json.dumps({"error": outcome.error, "steps": [f"{step.operation} {step.name}" for step in outcome.steps]}))
"""
HELD = """
import os
from pathlib import Path
Path("program").write_text(str(os.getpid()))
a = Thing("a")
b = Thing("b", a.doubled, hold=True)
Thing("c", b.doubled)
"""


def wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def held_up(bench: Bench) -> tuple[subprocess.Popen[str], int]:
    """An `up` of its own process in the middle of a create, and the pid of its provider."""
    bench.program(HELD)
    process = subprocess.Popen(
        [sys.executable, "-c", UP, str(bench.root), STACK],
        cwd=REPOSITORY,
        env=bench.environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    held = bench.things / "held"
    wait(lambda: held.exists() and held.read_text())
    return process, int(held.read_text())


def test_independent_resources_are_made_at_the_same_time(bench: Bench) -> None:
    things = [f'Thing("thing{number}", meet=4)' for number in range(4)]
    meet = "touch met$N; for i in $(seq 1000); do [ $(ls met* | wc -l) -lt 8 ] || exit 0; sleep 0.02; done; exit 1"
    commands = [
        f'local.Command("command{number}", create="{meet}", environment={{"N": "{number}"}})' for number in range(8)
    ]
    made = bench.up("from pulumi_command import local\n" + "\n".join(things + commands))
    assert len(made) == 12


def test_an_interrupt_lets_what_runs_end_and_saves_it(bench: Bench) -> None:
    process, provider = held_up(bench)
    process.send_signal(signal.SIGINT)
    (bench.things / "release").touch()
    output, _ = process.communicate(timeout=60)
    result = json.loads(output.splitlines()[-1])
    assert "interrupted" in result["error"]
    assert result["steps"] == ["create a", "create b"]
    assert not alive(provider)
    assert bench.up() == ["create c", "same a", "same b"]


def test_after_a_killed_engine_the_provider_ends_and_the_next_up_continues(bench: Bench) -> None:
    process, provider = held_up(bench)
    process.kill()
    process.communicate()
    wait(lambda: not alive(int((bench.root / "program").read_text())))
    with pytest.raises(OperatorError, match=f"process {process.pid} is dead, but its providers still finish"):
        bench.engine.up()
    (bench.things / "release").touch()
    wait(lambda: not alive(provider))
    assert (bench.things / "engine").read_text() == "gone"
    assert bench.up() == ["create b", "create c", "same a"]
    assert list(bench.outcome.diagnostics) == ["b: the last create was cut off; it is looked for and done again"]
    assert bench.up() == ["same a", "same b", "same c"]
    assert not bench.outcome.diagnostics


def test_no_process_outlives_an_operation_and_the_provider_knows_its_engine(bench: Bench) -> None:
    (bench.things / "release").touch()
    bench.up(HELD)
    assert (bench.things / "engine").read_text() == "there"
    assert not alive(int((bench.things / "held").read_text()))
    assert not alive(int((bench.root / "program").read_text()))


def test_one_operation_holds_the_stack_and_is_named(bench: Bench) -> None:
    process, _ = held_up(bench)
    for verb in ("up", "refresh", "destroy"):
        with pytest.raises(OperatorError, match=f"process {process.pid} is at work on this stack"):
            getattr(bench.engine, verb)()
    assert bench.preview() == ["create b", "create c", "same a"]
    (bench.things / "release").touch()
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_lock_left_by_a_dead_process_is_no_obstacle(bench: Bench) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = bench.root / f".local/rehearsal/{STACK}.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text(str(dead.pid))
    assert bench.up('Thing("a")') == ["create a"]
    assert lock.read_text() == str(os.getpid())
