"""The guided tour: one client comes up on this machine, its isolation is proved, and the proof is proved to bite."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from automation.clients import read_job
from automation.engine import Engine
from automation.fleet import DONE, FAILED, ClientResult
from automation.local import start_emulators
from automation.provision import provision
from automation.session import Session
from components.errors import OperatorError

CLIENT = "acme"
HOLE = "alter table public.contacts disable row level security"


def demo(run: Session) -> None:
    """Run the tour and leave with its exit code.

    Raises:
        OperatorError: a part of the tour could not be carried out.
        typer.Exit: at the end.
    """
    proofs: dict[str, Any] = {}

    def act(client: str, engine: Engine) -> ClientResult:
        job = read_job(client, run.root, local=True)
        result = provision(job, root=run.root, engine=engine, on_step=run.screen.on_step(client))
        if not result.error:
            proofs["isolation"] = _last_check(engine)
            proofs["ref"] = engine.outputs().outputs["project_ref"]
        return ClientResult(client, FAILED if result.error else DONE, result.as_json(), result.error)

    (result,) = run.run([CLIENT], act, parallel=1, writes=True)
    run.screen.steps_table([result])
    if result.error:
        run.end([result])
    if result.data["status"] == "unchanged":
        run.screen.say("Nothing changed: every step is as the program says.", "green")
    services = start_emulators(run.root).services
    proofs["hole"] = _open_hole(services["supabase"], proofs["ref"], run.root)
    run.screen.say(f"On the client's database  {proofs['isolation']}", "green")
    run.screen.say(f"On a copy, after `{HOLE}`:")
    for line in proofs["hole"]["output"]:
        run.screen.say(f"  {line}", "yellow")
    run.end([result], {key: value for key, value in proofs.items() if key != "ref"})


def _last_check(engine: Engine) -> str:
    """The line that the isolation check printed when it last ran."""
    for resource in engine.resources():
        if resource["urn"].endswith("::isolation-check"):
            return str(resource["outputs"].get("stdout", "")).strip()
    raise OperatorError("is not in state", "isolation-check")


def _open_hole(supabase: str, ref: str, root: Path) -> dict[str, Any]:
    """Open a hole in a scratch copy of the project's database; what the isolation check says about it."""
    with httpx.Client(base_url=supabase, timeout=60) as http:
        answer = http.post(f"/_local/projects/{ref}/copy")
        if answer.status_code >= 400:
            raise OperatorError(f"answered {answer.status_code}", "copy of the database", "Run: make stop demo")
        dsn = answer.json()["dsn"]
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                connection.execute(HOLE)
            check = subprocess.run(
                [sys.executable, "-m", "components.schema.isolation"],
                cwd=root,
                env={**os.environ, "DATABASE_URL": dsn},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            http.delete(f"/_local/copies/{urlsplit(dsn).path.lstrip('/')}")
    if check.returncode != 1:
        raise OperatorError("did not see the hole opened on purpose", "isolation check", check.stderr.strip())
    return {"statement": HOLE, "caught": True, "output": check.stdout.strip().splitlines()}
