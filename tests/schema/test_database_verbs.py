"""`clients db` on the database of DATABASE_URL, as an operator runs it."""

import json
import os
import subprocess
import sys

from tests.schema.conftest import Database, NewDatabase


def check(database: Database, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "automation", "db", "check", *words],
        env={**os.environ, **database.environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_leak_is_told_with_exit_code_1(new_current: NewDatabase) -> None:
    database = new_current()
    whole = check(database)
    assert (whole.returncode, whole.stdout.splitlines()[-1].endswith(" 0 leaks")) == (0, True)
    with database.connect() as connection:
        connection.execute("alter table public.contacts disable row level security")
        connection.commit()
    done = check(database, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["status"]) == (1, "changes")
    assert "contacts" in {leak["table"] for leak in found["clients"][0]["report"]["leaks"]}
