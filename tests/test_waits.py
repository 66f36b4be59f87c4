"""docs/waits.md is true and complete: every wait of the product is there, with the deadline that the code has."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.layout import LIBRARIES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/waits.md").read_text()
ROWS = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| `")]
FIGURE = re.compile(r"`([\w.]+)\.([A-Z_]+)` = ([\d.]+) (?:s|attempts)\b")
ROOMS = (*LIBRARIES, "components", "automation", "local")
SOURCES = [path for name in ROOMS for path in sorted((ROOT / name).rglob("*.py"))]
# The calls by which a program waits for something outside itself.
WAITING = re.compile(
    r"time\.sleep|asyncio\.(sleep|wait|wait_for)|.*\.(wait|wait_for|communicate|result|readline|recv|readuntil)"
    r"|subprocess\.\w+|socket\.create_connection|select\.select|fcntl\.flock|psycopg\.connect|grpc\.insecure_channel"
    r"|httpx\.(Client|AsyncClient|get|post|put|patch|delete|request|stream)|urllib\.request\.urlopen|typer\.prompt"
    r"|stamina\.retry_context|ThreadPoolExecutor|open_session|run_to_end|run_tool|wait_until|cut_off|input"
)
HTTP = re.compile(r"httpx\.(Client|AsyncClient|get|post|put|patch|delete|request|stream)|urllib\.request\.urlopen")


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call of a source file, as `module.function` or `function`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def place(path: Path, node: ast.Call) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno}"


@pytest.mark.parametrize(("where", "name", "seconds"), FIGURE.findall(PAGE))
def test_a_deadline_on_the_page_is_the_codes(where: str, name: str, seconds: str) -> None:
    assert getattr(importlib.import_module(where), name) == float(seconds)


def test_every_module_that_waits_has_a_row() -> None:
    listed = {name for row in ROWS for name in re.findall(r"`([\w.]+)`", row[0])}
    waiting = {module(path) for path in SOURCES for name, _ in calls(path) if WAITING.fullmatch(name)}
    assert waiting - listed == set()
    assert listed <= {module(path) for path in SOURCES}


def test_every_row_says_what_ends_the_wait() -> None:
    assert [row[0] for row in ROWS if not row[2].strip()] == []


def test_requests_are_sent_in_one_place() -> None:
    found = [
        place(path, node)
        for path in SOURCES
        for name, node in calls(path)
        if HTTP.fullmatch(name) and not path.is_relative_to(ROOT / "local/emulators")
    ]
    assert [each.partition(":")[0] for each in found] == ["rest_clients/http_session.py"] * 2


def test_programs_are_run_with_a_deadline() -> None:
    without = [
        place(path, node)
        for path in SOURCES
        for name, node in calls(path)
        if name in {"subprocess.run", "subprocess.check_output", "subprocess.check_call", "subprocess.call"}
        and "timeout" not in {keyword.arg for keyword in node.keywords}
    ]
    assert without == []


def test_programs_are_started_where_a_row_says_how_they_end() -> None:
    started = {module(path) for path in SOURCES for name, _ in calls(path) if name.endswith("Popen")}
    assert started == {
        "automation.installer",
        "automation.interrupt",
        "automation.processes",
        "automation.pulumi_command",
        "local.rehearsal.forking",
        "local.emulators.__main__",
        "local.emulators.subprocesses",
        "local.emulators.postgres",
    }


def test_logins_have_a_deadline() -> None:
    without = [
        place(path, node)
        for path in SOURCES
        for name, node in calls(path)
        if name == "psycopg.connect"
        and "connect_timeout" not in ast.unparse(node)
        and module(path) != "components.schema.connection"  # in the connection string there
    ]
    assert without == []


def test_calls_of_a_grpc_service_have_a_deadline() -> None:
    for path in SOURCES:
        for name, node in calls(path):
            if re.search(r"Stub\(.*\)\.\w+$|\bstub\.\w+$|getattr\(self\._connected", name):
                assert "timeout" in {keyword.arg for keyword in node.keywords}, place(path, node)


@pytest.mark.parametrize("workflow", sorted((ROOT / ".github/workflows").glob("*.yml")), ids=lambda path: path.name)
def test_every_job_of_a_workflow_has_a_deadline(workflow: Path) -> None:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    assert [name for name, job in jobs.items() if "timeout-minutes" not in job] == []
