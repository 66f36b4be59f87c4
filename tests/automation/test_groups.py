"""The groups of verbs beside those about clients: `db`, `local` and `ci`."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from automation.cli import app
from tests.automation.local_client import MakeClient

FAILED = 2


def test_a_client_s_database_is_found_in_its_stack(make_client: MakeClient) -> None:
    client = make_client("ledger")
    run = CliRunner()
    before = run.invoke(app, ["db", "history", client.name, "--local"])
    assert before.exit_code == FAILED
    assert f"{client.name}: has no database yet. Run up first: clients up {client.name}" in before.stderr
    assert client("up")[0] == 0
    shown = run.invoke(app, ["db", "history", client.name, "--local"])
    lines = [line for line in shown.stdout.splitlines() if line[:4] == "2026"]
    assert (shown.exit_code, {line.split()[1] for line in lines}) == (0, {"applied"})
    tried = run.invoke(app, ["db", "dry-run", client.name, "--local", "--on-live"])
    assert (tried.exit_code, "no migration is pending" in tried.stdout) == (0, True)


@pytest.mark.parametrize("words", [["db", "history"], ["db", "check"], ["db", "baseline"]])
def test_without_a_client_and_a_url_nothing_is_guessed(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stderr.strip()) == (
        FAILED,
        f"{' '.join(words)}: names no client, and DATABASE_URL is not set. Give one of the two.",
    )


def test_every_verb_shows_an_example_of_itself() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    groups = {name: command.commands for name, command in commands.items() if hasattr(command, "commands")}
    verbs = {name: command for name, command in commands.items() if name not in groups}
    assert (set(groups), len(verbs) >= 10) == ({"db", "local", "ci"}, True)
    for group, members in {"": verbs, **groups}.items():
        for name, command in members.items():
            assert " ".join(filter(None, ("clients", group, name))) in command.epilog


def test_the_shell_completes_verbs_and_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "Pulumi.nordwind.yaml").write_text("config: {clientId: nordwind}\n")
    monkeypatch.chdir(tmp_path)
    words = {"_CLIENTS_COMPLETE": "complete_bash", "COMP_WORDS": "clients up nord", "COMP_CWORD": "2"}
    done = CliRunner().invoke(app, [], prog_name="clients", env=words)
    assert done.stdout.split() == ["nordwind"]
