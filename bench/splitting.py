"""Our statements against those that the official Supabase CLI records: `python -m bench.splitting [FOLDER]`.

Every `.sql` file below the folder is recorded by `supabase migration repair`, which runs none of them, on a server of
its own. Printed are how many files are alike, why the others are not, and what a file of 20 MB takes.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from local.emulators.node import node_path
from local.emulators.postgres import Postgres
from pgschema.lexer import SqlTextError, split
from pgschema.migrations import FOLDER
from tests.schema.supabase_cli import fetched

FILES_A_RUN = 100
FIRST_VERSION = 20260101000000
LARGE = 20_000_000  # bytes
ROW = "insert into public.notes (id, title, body) values (1, 'a;b', E'it\\'s', $$;$$);\n"
LEDGER = "select version, statements from supabase_migrations.schema_migrations where version = any(%s)"


def main(folder: Path = FOLDER) -> None:
    """Compare the files below a folder and print the figures."""
    texts = _read(folder)
    with tempfile.TemporaryDirectory() as state:
        Path(state).chmod(0o755)  # the database server's user has to get in
        server = Postgres(Path(state) / "postgres", volatile=True)
        server.start()
        try:
            with server.admin("postgres") as connection:
                connection.execute("create role postgres superuser login")  # the CLI works as this role
            recorded = _recorded(server, texts)
        finally:
            server.stop()
    outcomes = Counter(_outcome(text, recorded.get(path)) for path, text in texts.items())
    pieces = sum(len(each or ()) for each in recorded.values())
    print(f"splitting: {len(texts)} different files, {pieces} pieces recorded by the CLI")
    for outcome, count in outcomes.most_common():
        print(f"  {count:>6}  {outcome}")
    text = ROW * (LARGE // len(ROW))
    started = time.process_time()
    count = sum(1 for _ in split(text))
    print(f"  {len(text) / 1e6:.0f} MB, {count} statements: {time.process_time() - started:.1f} s of processor time")


def _read(folder: Path) -> dict[Path, str]:
    """Read the files that are UTF-8, each content once, with the line ends that a migration must have."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.sql")):
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            print(f"  not UTF-8, left out: {path.name}")
            continue
        found.setdefault(text.replace("\r\n", "\n").removeprefix("\ufeff"), path)
    return {path: text for text, path in found.items() if "\0" not in text}


def _recorded(server: Postgres, texts: Mapping[Path, str]) -> dict[Path, list[str] | None]:
    recorded: dict[Path, list[str] | None] = {}
    versions = {path: str(FIRST_VERSION + number) for number, path in enumerate(texts)}
    for number in range(0, len(texts), FILES_A_RUN):
        chosen = list(texts)[number : number + FILES_A_RUN]
        with tempfile.TemporaryDirectory() as project:
            folder = Path(project) / "supabase/migrations"
            folder.mkdir(parents=True)
            for path in chosen:
                (folder / f"{versions[path]}_file.sql").write_bytes(texts[path].encode())
            _repair(server, Path(project), [versions[path] for path in chosen])
        with server.admin("postgres") as connection:
            rows = dict(connection.execute(LEDGER, ([versions[path] for path in chosen],)).fetchall())
        recorded |= {path: rows.get(versions[path]) for path in chosen}
    return recorded


def _repair(server: Postgres, project: Path, versions: list[str]) -> None:
    address = conninfo_to_dict(server.url("postgres"))
    # On loopback and for this run alone, so the password may stand among the arguments.
    url = f"postgresql://{address['user']}:{address['password']}@{server.host}:{server.port}/postgres"
    command = [str(fetched()), "migration", "repair", "--status", "applied", *versions, "--yes", "--remote", url]
    environment = {**os.environ, "HOME": str(project), "PATH": node_path(), "DO_NOT_TRACK": "1", "CI": "1"}
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True, timeout=300)


def _outcome(text: str, recorded: list[str] | None) -> str:
    try:
        ours = [text[piece.start : piece.end] for piece in split(text)]
    except SqlTextError as error:
        return f"refused: {error.what}"
    if recorded is None:
        return "not recorded by the CLI"
    return "alike" if ours == recorded else "cut in other places"


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:2]))
