"""The command line, the program and every service together, once with the engine rehearsed and once with Pulumi's."""

import json
import shutil
import subprocess
from typing import Any

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from automation.cli import app
from automation.provision import STEPS
from tests.automation.conftest import ROOT
from tests.automation.local_client import Client, MakeClient

SECURITY = """
select (select count(*) from pg_tables where schemaname = 'public'),
       (select count(*) from pg_policies where schemaname = 'public'),
       (select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relrowsecurity)
"""
NO_DRIFT: tuple[int, dict[str, Any]] = (0, {"error": None, "program": [], "hand": []})


def statuses(result: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["status"] for step in result["steps"]}


def every(status: str) -> dict[str, str]:
    return dict.fromkeys(STEPS, status) | {"n8n": "skipped"}


def test_a_client_comes_up_and_the_second_time_nothing_changes(make_client: MakeClient) -> None:
    client = make_client("first")
    committed = (client.root / f"Pulumi.{client.name}.yaml").read_text()
    code, made = client("up")
    assert (code, made["error"]) == (0, None)
    assert statuses(made) == every("created")
    assert client.projects() == [client.project_name]
    assert client.query(SECURITY) == [(21, 25, 21)]
    state = client.state()
    assert state["isolation-check"]["outputs"]["stdout"].strip().endswith("attacks, 0 leaks")
    code, again = client("up")
    assert (code, statuses(again)) == (0, every("unchanged"))
    looked = client("drift")
    assert (looked[0], {key: looked[1][key] for key in ("error", "program", "hand")}) == NO_DRIFT
    nothing = {"files": [], "rewritten": [], "locks": {}, "refused": [], "notes": []}
    tried = [client("preview", "--try-sql", *where) for where in ((), ("--on-live",))]
    assert [(code, found["sql"]) for code, found in tried] == [(0, nothing)] * 2
    file = (client.root / f"Pulumi.{client.name}.yaml").read_text()
    # Elsewhere Pulumi writes the salt of the stack's secrets behind it.
    assert file == committed if client.local else file.startswith(committed)

    outputs = {name: one["outputs"] for name, one in state.items()}
    secrets = [outputs["db-password"]["result"], outputs["secret-key"]["value"], outputs["owner"]["link"]]
    assert all(len(secret) > 20 for secret in secrets)
    shown = json.dumps([made, again, looked, tried, client("outputs"), client("status")])
    kept = [path.read_text() for path in client.root.rglob(".local/**/*.json")]
    assert not [secret for secret in secrets for text in (shown, *kept) if secret in text]


def test_a_changed_name_updates_in_place_and_what_somebody_changed_is_named(make_client: MakeClient) -> None:
    client = make_client("second")
    client.bring_up()
    ref = client.state()["project"]["id"]
    path = client.root / f"Pulumi.{client.name}.yaml"
    path.write_text(path.read_text().replace("Outdoor", "Indoor"))
    client.query("alter table public.deals disable row level security")
    code, found = client("drift", "--markdown", "report.md")
    assert code == 1
    program = {change["resource"] for change in found["program"]}
    assert program == {"owner", "repository", "site-client-name", "deployment"}
    assert "probe" in found["follows"]
    (hand,) = found["hand"]
    assert (hand["resource"], hand["operation"]) == ("schema", "update")
    paths = [path for path in hand["properties"] if not path.startswith('catalog["leak deals: ')]
    assert paths == ['catalog["rls public.deals: disabled"]', "isolation"]
    assert "deals" in (client.root / "report.md").read_text()
    code, changed = client("up", "--refresh")
    assert (code, changed["error"]) == (0, None)
    steps = dict.fromkeys(("supabase", "database", "github", "vercel"), "updated")
    assert statuses(changed) == every("unchanged") | steps
    assert client.query(SECURITY) == [(21, 25, 21)]
    assert client.state()["project"]["id"] == ref


def test_rotate_gives_new_secrets_and_the_old_ones_stop_working(make_client: MakeClient) -> None:
    client = make_client("rotated")
    client.bring_up()
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
