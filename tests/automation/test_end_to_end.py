"""The command line, the program and every service together, once with the engine rehearsed and once with Pulumi's."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from automation import installer
from automation.cli import app
from automation.provision import STEPS
from automation.workspace import open_engine
from tests.automation.conftest import ROOT

LINKS = ("components", "sql", "starter", ".venv", "__main__.py", "Pulumi.yaml")
SECURITY = """
select (select count(*) from pg_tables where schemaname = 'public'),
       (select count(*) from pg_policies where schemaname = 'public'),
       (select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relrowsecurity)
"""
HAS_PULUMI = shutil.which("pulumi") is not None
MakeClient = Callable[[str], "Client"]


@dataclass(frozen=True)
class Client:
    """One client in local mode, over the emulators of this test process."""

    name: str
    root: Path
    emulators: Any

    def __call__(self, verb: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a verb; the exit code and what the JSON object says about the client."""
        result = CliRunner().invoke(app, [verb, self.name, "--local", "--json", *words])
        return result.exit_code, json.loads(result.stdout)["clients"][0]

    def state(self) -> dict[str, Any]:
        resources = open_engine(self.name, local=True, root=self.root).resources(secrets=True)
        return {resource["urn"].split("::", 3)[3]: resource for resource in resources}

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        state = self.state()
        dsn, password = state["schema"]["outputs"]["dsn"], state["db-password"]["outputs"]["result"]
        with psycopg.connect(dsn, password=password, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def projects(self) -> list[str]:
        route = f"/v1/organizations/{self.emulators.exports['SUPABASE_ORG_SLUG']}/projects"
        projects = self.emulators.supabase("GET", route).json()["projects"]
        return [project["name"] for project in projects if project["name"] == f"client-{self.name}-local"]


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in result["steps"]}


def every(status: str) -> dict[str, str]:
    return dict.fromkeys(STEPS, status) | {"n8n": "skipped"}


@pytest.fixture(
    params=[
        "rehearsal",
        pytest.param(
            "pulumi",
            marks=[
                pytest.mark.engine,
                pytest.mark.skipif(not HAS_PULUMI, reason="the pulumi command is not on PATH"),
            ],
        ),
    ]
)
def make_client(request, emulators, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeClient:
    """Makes a client in a folder of its own; in rehearsal Pulumi's engine, should there be one, is out of sight."""
    for name in LINKS:
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("Pulumi.prod.yaml", "Pulumi.local.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".local/emulators").mkdir(parents=True)
    ready = {"pid": os.getpid(), "exports": emulators.exports, "services": emulators.urls}
    (tmp_path / ".local/emulators/ready.json").write_text(json.dumps(ready))
    if request.param == "rehearsal":
        folders = [folder for folder in os.environ["PATH"].split(os.pathsep) if not Path(folder, "pulumi").exists()]
        monkeypatch.setenv("PATH", os.pathsep.join(folders))
        monkeypatch.setattr(installer, "SITE", "http://127.0.0.1:9/install.sh")
    monkeypatch.chdir(tmp_path)

    def make(name: str) -> Client:
        name = f"{name}-{request.param}"
        text = (ROOT / "Pulumi.acme.yaml").read_text().replace("acme", name)
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text)
        return Client(name, tmp_path, emulators)

    return make


def test_a_client_comes_up_and_the_second_time_nothing_changes(make_client: MakeClient) -> None:
    client = make_client("first")
    committed = (client.root / f"Pulumi.{client.name}.yaml").read_text()
    code, made = client("up")
    assert (code, made["error"]) == (0, None)
    assert statuses(made) == every("created")
    assert client.projects() == [f"client-{client.name}-local"]
    assert client.query(SECURITY) == [(21, 25, 21)]
    state = client.state()
    assert state["isolation-check"]["outputs"]["stdout"].strip().endswith("attacks, 0 leaks")
    code, again = client("up")
    assert (code, statuses(again)) == (0, every("unchanged"))
    looked = client("drift")
    assert looked[0] == 0
    assert (client.root / f"Pulumi.{client.name}.yaml").read_text() == committed

    secrets = [state["db-password"]["outputs"]["result"], state["secret-key"]["outputs"]["value"]]
    assert all(len(secret) > 20 for secret in secrets)
    shown = json.dumps([made, again, looked, client("outputs"), client("status")])
    kept = [path.read_text() for path in client.root.rglob(".local/**/*.json")]
    assert not [secret for secret in secrets for text in (shown, *kept) if secret in text]


def test_a_changed_name_updates_in_place_and_what_somebody_changed_is_named(make_client: MakeClient) -> None:
    client = make_client("second")
    assert client("up")[0] == 0
    ref = client.state()["project"]["id"]
    path = client.root / f"Pulumi.{client.name}.yaml"
    path.write_text(path.read_text().replace("Outdoor", "Indoor"))
    client.query("alter table public.deals disable row level security")
    code, found = client("drift", "--markdown", "report.md")
    assert code == 1
    assert {change["resource"] for change in found["program"]} == {"repository", "site-client-name"}
    (hand,) = found["hand"]
    assert (hand["resource"], hand["operation"]) == ("schema", "update")
    assert hand["properties"] == ['catalog["rls public.deals: disabled"]']
    assert "deals" in (client.root / "report.md").read_text()
    code, changed = client("up", "--refresh")
    assert (code, changed["error"]) == (0, None)
    assert statuses(changed) == every("unchanged") | {"database": "updated", "github": "updated", "vercel": "updated"}
    assert client.query(SECURITY) == [(21, 25, 21)]
    assert client.state()["project"]["id"] == ref


def test_rotate_gives_new_secrets_and_the_old_ones_stop_working(make_client: MakeClient) -> None:
    client = make_client("rotated")
    client("up")
    before = client.state()
    code, rotated = client("rotate")
    assert (code, rotated["error"]) == (0, None)
    after = client.state()
    assert after["project"]["id"] == before["project"]["id"]
    assert client.query("select 1") == [(1,)]
    old = before["db-password"]["outputs"]["result"]
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(after["schema"]["outputs"]["dsn"], password=old)
    keys = client.emulators.supabase("GET", f"/v1/projects/{after['project']['id']}/api-keys").json()
    assert [key["name"] for key in keys if key["type"] == "secret" and key["name"].startswith("stack")] == ["stack_g2"]
    held = {name: state["secret-key"]["outputs"]["value"] for name, state in (("old", before), ("new", after))}
    assert held["old"] != held["new"] == after["site-secret-key"]["outputs"]["value"]
    assert client("up")[1]["status"] == "unchanged"


def test_destroy_leaves_nothing_and_a_failed_create_continues(make_client: MakeClient) -> None:
    client = make_client("third")
    client.emulators.fault("supabase", method="POST", path=r"/v1/projects/\w+/api-keys", status=500, times=20)
    code, failed = client("up")
    assert code == 2
    assert "secret-key" in next(step["error"] for step in failed["steps"] if step["status"] == "failed")
    assert "Traceback" not in failed["error"]
    ref = client.state()["project"]["id"]
    httpx.delete(f"{client.emulators.urls['supabase']}/_emulator/faults", trust_env=False)
    code, continued = client("up")
    assert (code, continued["error"]) == (0, None)
    assert client.state()["project"]["id"] == ref

    code, gone = client("destroy", "--yes")
    assert (code, gone["error"]) == (0, None)
    assert {resource["name"] for resource in continued["resources"]} <= set(gone["deleted"])
    assert client.state() == {}
    assert client.projects() == []


def test_what_cannot_be_is_refused_before_anything_exists(make_client: MakeClient) -> None:
    """A region nobody offers, and a program that cannot be planned."""
    client = make_client("fourth")
    path = client.root / "Pulumi.local.yaml"
    text = path.read_text()
    path.write_text(text.replace("region: eu-west-2", "region: af-south-1"))
    code, refused = client("up")
    assert code == 2
    assert "'af-south-1' is not offered" in refused["error"]
    assert "eu-west-2" in refused["error"]
    path.write_text(text)
    (client.root / "sql").unlink()
    code, refused = client("up")
    assert code == 2
    assert "sql" in refused["error"]
    assert client.state() == {}
    assert client.projects() == []


def test_the_tour_shows_a_hole_being_caught_and_a_psql_line_that_works(make_client: MakeClient) -> None:
    client = make_client("tour")
    shutil.copy(ROOT / "Pulumi.acme.yaml", client.root)
    result = CliRunner().invoke(app, ["demo", "--json"])
    assert (result.exit_code, "Traceback" in result.stderr) == (0, False)
    content = json.loads(result.stdout)
    assert content["isolation"].endswith("attacks, 0 leaks")
    assert any("contacts" in line for line in content["hole"]["found"])
    assert (client.root / ".local/pgpass").stat().st_mode & 0o777 == 0o600
    line = f"{content['psql']} -Atc 'select count(*) from pg_policies'"
    said = subprocess.run(line, shell=True, cwd=client.root, capture_output=True, text=True, check=True)  # noqa: S602
    assert said.stdout.strip() == "25"
    assert Client("acme", client.root, client.emulators).query(SECURITY) == [(21, 25, 21)]
