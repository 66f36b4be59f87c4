"""A project that somebody else made is taken over with its own password: nothing is reset until it is rotated."""

import psycopg
import pytest

from tests.automation.local_client import MakeClient

THEIRS = "what-their-script-once-chose"


def test_a_foreign_project_is_taken_over_with_its_password_which_stays_until_rotated(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = make_client("taken")
    body = {"name": client.project_name, "organization_slug": "local-agency", "db_pass": THEIRS, "region": "eu-west-2"}
    ref = client.emulators.supabase("POST", "/v1/projects", json=body).json()["ref"]
    code, refused = client("up")
    assert (code, "SUPABASE_DB_PASSWORD" in refused["error"]) == (2, True)

    file = client.root / f"Pulumi.{client.name}.yaml"
    file.write_text(f"{file.read_text()}  client-environments:adopt: true\n")
    monkeypatch.setenv("SUPABASE_DB_PASSWORD", THEIRS)
    client.emulators.requests("supabase")
    code, result = client("up")
    assert (code, result["error"]) == (0, None)
    assert "taken over with its password" in "".join(result["warnings"])
    asked = [entry for entry in client.emulators.requests("supabase") if str(entry["path"]).endswith("/password")]
    assert asked == []
    state = client.state()
    assert state["project"]["id"] == ref
    dsn = state["schema"]["outputs"]["dsn"]
    with psycopg.connect(dsn, password=THEIRS) as session:
        assert session.execute("select client_id from private.environment_mark").fetchall() == [(client.name,)]

    monkeypatch.delenv("SUPABASE_DB_PASSWORD")
    assert client("up")[1]["status"] == "unchanged"
    assert client("rotate", "--only", "password")[1]["error"] is None
    assert client.query("select client_id from private.environment_mark") == [(client.name,)]
