"""What the workflows may do, and for whom."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from automation.affected_clients import affected_clients
from automation.report import MARKER

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text()) for file in FILES}
SAME_REPOSITORY = "github.event.pull_request.head.repo.full_name == github.repository"
CLIENTS = ["acme", "nordwind"]


def triggers(workflow):
    on = workflow[True]  # YAML 1.1 reads the key `on` as a truth value
    return {on} if isinstance(on, str) else set(on)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_workflow_runs_foreign_code_with_our_rights(name: str) -> None:
    assert "pull_request_target" not in triggers(WORKFLOWS[name])
    assert "workflow_run" not in triggers(WORKFLOWS[name])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_the_token_may_read_the_code_and_only_the_comment_job_may_write(name: str) -> None:
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] in ({}, {"contents": "read"})
    for job_name, job in workflow["jobs"].items():
        allowed = {"pull-requests": "write"} if (name, job_name) == ("preview", "comment") else {"contents": "read"}
        assert job.get("permissions", workflow["permissions"]) == allowed


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_pull_request_from_a_fork_gets_no_credentials(name: str) -> None:
    if "pull_request" not in triggers(WORKFLOWS[name]):
        return
    for job in WORKFLOWS[name]["jobs"].values():
        if "secrets." in str(job) or "environment" in job:
            assert job["if"] == SAME_REPOSITORY


def test_the_job_that_may_write_checks_nothing_out() -> None:
    steps = WORKFLOWS["preview"]["jobs"]["comment"]["steps"]
    assert not [step for step in steps if "checkout" in step.get("uses", "") or "run" in step]
    assert MARKER in steps[-1]["with"]["script"]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_to_a_major_version(name: str) -> None:
    for used in re.findall(r"uses: (\S+)", (ROOT / f".github/workflows/{name}.yml").read_text()):
        assert used.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@v\d+", used)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_no_expression_is_pasted_into_a_shell(name: str) -> None:
    for job in WORKFLOWS[name]["jobs"].values():
        assert not [step for step in job["steps"] if "${{" in step.get("run", "")]


def test_a_deployment_is_protected_and_never_cancelled() -> None:
    workflow = WORKFLOWS["deploy"]
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert all(job["environment"] == "production" for job in workflow["jobs"].values())


def test_the_engine_is_the_sdks_version() -> None:
    (pin,) = re.findall(r"^pulumi==(.+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert f"pulumi-version: {pin}\n" in (ROOT / ".github/actions/setup/action.yml").read_text()


def test_each_night_runs_the_engine_s_long_tests_on_the_engine_that_is_pinned() -> None:
    nightly = WORKFLOWS["nightly"]
    assert triggers(nightly) == {"schedule", "workflow_dispatch"}
    steps = nightly["jobs"]["engine"]["steps"]
    assert [step["uses"] for step in steps if "setup" in step.get("uses", "")] == ["./.github/actions/setup"]
    (run,) = [step["run"] for step in steps if "run" in step]
    assert 'make test ARGS="-m engine --long ' in run


@pytest.mark.parametrize(
    ("files", "clients"),
    [
        ([], []),
        (["README.md", "docs/decisions/0001.md", "tests/test_x.py", "local/emulators/store.py"], []),
        (["Pulumi.acme.yaml"], ["acme"]),
        (["Pulumi.acme.yaml", "Pulumi.gone.yaml"], ["acme"]),
        (["Pulumi.prod.yaml"], CLIENTS),
        (["sql/migrations/20260101000000_x.sql"], CLIENTS),
        (["requirements.txt"], CLIENTS),
        (["something-new/file"], CLIENTS),
        (["starter/README.md"], CLIENTS),
        (["sql/checks/rows/x.md"], CLIENTS),
    ],
)
def test_only_what_no_program_reads_touches_no_client(files, clients, folder: Path) -> None:
    assert affected_clients(files, CLIENTS) == clients


@pytest.mark.parametrize("target", ["tests/probe.py", "docs/probe.py", "automation/probe.py"])
def test_a_program_file_that_moves_away_touches_every_client(folder: Path, target: str) -> None:
    def git(*words: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=n@agency.example"]
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)

    for name in ("components/probe.py", target):
        (folder / name).parent.mkdir(exist_ok=True)
    (folder / "components/probe.py").write_text("# a file of the program\n" * 20)
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "base")
    git("mv", "components/probe.py", target)
    git("commit", "-qm", "move")
    command = [ROOT / ".venv/bin/python", "-m", "automation", "ci", "affected", "HEAD~1"]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    assert done.stdout.split() == [b"acme", b"nordwind"]


def test_an_unknown_base_touches_every_client(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    command = [ROOT / ".venv/bin/python", "-m", "automation", "ci", "affected", "0" * 40]
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True
    )
    assert done.stdout.split() == [b"acme", b"nordwind"]
