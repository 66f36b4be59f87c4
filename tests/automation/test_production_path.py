"""The path of production: no --local, a passphrase, state on a file or Postgres backend, the environment `prod`.

Only the services are emulators, because the environment's variables lead there. Rehearsal has no such path: without
--local the command line refuses to go on without the `pulumi` command.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from automation.cli import app
from components.settings import PROJECT
from tests.automation.local_client import LINKS, Client
from tests.automation.test_end_to_end import SECURITY, every, statuses
from tests.conftest import Local
from tests.emulators.native import ENGINE, ROOT
from tests.proof.test_interruptions import assert_converges, killed_create

pytestmark = ENGINE


class ProductionClient(Client):
    """A client of the environment `prod`, its file written by `new`."""

    @property
    def project_name(self) -> str:
        return f"client-{self.name}-prod"

    @property
    def file(self) -> Path:
        """The client's settings file."""
        return self.root / f"Pulumi.{self.name}.yaml"

    def pulumi(self, *words: str) -> str:
        """Run the `pulumi` command on the client's stack; its standard output."""
        command = ["pulumi", "--non-interactive", *words, "--stack", self.name]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


def state_on(backend: str, name: str, folder: Path, emulators: Local) -> str:
    """Make an empty place for state; its URL."""
    if backend == "file":
        (folder / "state").mkdir()
        return (folder / "state").as_uri()
    with emulators.postgres.admin() as admin:
        admin.execute(f'create database "{name}"'.encode())
    place = conninfo_to_dict(emulators.postgres.url(name))
    login = f"{place['user']}:{quote(str(place['password']), safe='')}"
    return f"postgres://{login}@{place['host']}:{place['port']}/{name}?sslmode=disable"


@pytest.fixture
def make_production(
    emulators: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], ProductionClient]:
    """Makes a client as the README says, with its state on a backend."""
    for name in LINKS:
        (tmp_path / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "Pulumi.prod.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLIENT_ENVIRONMENT", raising=False)
    for name, value in {**emulators.exports, "PULUMI_CONFIG_PASSPHRASE": "correct horse battery staple"}.items():
        monkeypatch.setenv(name, value)

    def make(name: str, backend: str) -> ProductionClient:
        name = f"{name}-{backend}"
        monkeypatch.setenv("PULUMI_BACKEND_URL", state_on(backend, name, tmp_path, emulators))
        client = ProductionClient(name, tmp_path, emulators, local=False)
        words = ["new", name, "--name", "Nordwind Travel", "--email", "owner@nordwind.example", "--tier", "growth"]
        assert CliRunner().invoke(app, words).exit_code == 0
        # The plugin pauses a second after each write to GitHub; an emulator needs no mercy.
        with client.file.open("a") as file:
            file.write("  github:writeDelayMs: 1\n")
        return client

    return make


MakeProduction = Callable[[str, str], ProductionClient]


def edit_environment(root: Path, **changes: Any) -> None:
    """Change settings of the environment `prod`."""
    path = root / "Pulumi.prod.yaml"
    content = yaml.safe_load(path.read_text())
    content["config"] |= {f"{PROJECT}:{name}": value for name, value in changes.items()}
    path.write_text(yaml.safe_dump(content))


@pytest.mark.parametrize("backend", ["file", pytest.param("postgres", marks=pytest.mark.long)])
def test_a_client_of_production_lives_from_new_to_destroy(make_production: MakeProduction, backend: str) -> None:
    client = make_production("life", backend)
    planned = client("preview")
    assert (planned[0], "project" in {change["name"] for change in planned[1]["changes"]}) == (1, True)
    assert client.projects() == []
    code, made = client("up")
    assert (code, made["error"]) == (0, None)
    assert statuses(made) == every("created")
    assert client.query(SECURITY) == [(21, 25, 21)]
    assert "encryptionsalt" in client.file.read_text()
    assert statuses(client("up")[1]) == every("unchanged")
    assert client("drift")[0] == 0

    before = client.state()
    assert all(each["protect"] for name, each in before.items() if name in {"project", "repository", "site"})
    # A setting written by the real command, in its own spelling, is a rotation that `rotate` finishes.
    client.pulumi("config", "set", f"{PROJECT}:keyGeneration", "2")
    assert (client("rotate")[0], client("up")[1]["status"]) == (0, "unchanged")
    after = client.state()
    assert (after["secret-key"]["outputs"]["generation"], after["project"]["id"]) == (2, before["project"]["id"])
    assert client.query("select 1") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(before["schema"]["outputs"]["dsn"], password=before["db-password"]["outputs"]["result"])

    code, kept = client("destroy", "--yes")
    assert (code, "protected" in kept["error"]) == (2, True)
    edit_environment(client.root, protect=False)
    assert client("up")[0] == 0
    code, gone = client("destroy", "--yes")
    assert (code, gone["error"]) == (0, None)
    assert (client.projects(), client.file.exists()) == ([], False)
    assert list((client.root / "retired").glob(f"*{client.name}*"))


@pytest.mark.long
@pytest.mark.parametrize("backend", ["file", "postgres"])
def test_an_engine_killed_at_the_billed_request_is_followed_by_an_up_that_goes_on(
    make_production: MakeProduction, backend: str
) -> None:
    client = make_production("killed", backend)
    where = {"service": "supabase", "nth": 1, "path": "/v1/projects", "method": "POST"}
    session, reached = killed_create(client, "engine", hold="after", **where)
    assert reached
    assert_converges(client, session)


def test_a_wrong_passphrase_is_one_line_and_changes_nothing(
    make_production: MakeProduction, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_production("locked", "file")
    assert client("up")[0] == 0
    monkeypatch.setitem(os.environ, "PULUMI_CONFIG_PASSPHRASE", "wrong")
    code, refused = client("up")
    assert code == 2
    assert "passphrase" in refused["error"]
    assert "\n" not in refused["error"]
    assert len(client.projects()) == 1
