"""Write a new migration with one table in it: `python -m pgschema.new_migration NAME`, or `make migration NAME=...`.

The file holds the pattern that every table of ours follows, and passes the isolation check as it is.
"""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from common.errors import OperatorError
from pgschema.catalog import read_snapshot
from pgschema.migrations import FOLDER, read_migrations

TABLE_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
# Postgres cuts names at 63 bytes; the longest one made from it is `<table>_organization_id_created_at_idx`.
LONGEST = 63 - len("_organization_id_created_at_idx")
TIMESTAMP = "%Y%m%d%H%M%S"
USAGE = "usage: make migration NAME=invoices"
PATTERN = """\
-- What a row of {table} is, and who needs it.
create table public.{table} (
  id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references public.organizations (id) on delete cascade,
  name text not null check (length(name) between 1 and 200),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  -- What other tables point at, so that a reference cannot lead into another organization.
  unique (organization_id, id)
);
-- What the policy and the newest-first list ask for.
create index {table}_organization_id_created_at_idx on public.{table} (organization_id, created_at desc);
create trigger {table}_touch before update on public.{table}
  for each row execute function private.touch();
alter table public.{table} enable row level security;
create policy {table}_member on public.{table} for all to authenticated
  using (organization_id = (select private.current_organization()))
  with check (organization_id = (select private.current_organization()));
-- Rights: none, then those meant.
revoke all on public.{table} from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.{table} to authenticated, service_role;
"""


def write_migration(name: str, folder: Path = FOLDER, now: datetime | None = None) -> Path:
    """Write the file of a new table and return its path.

    Args:
        name: the table, in lower case.
        folder: the migrations.
        now: the time for the file's version.

    Raises:
        OperatorError: the name is no table's name, is taken, or a newer migration is there.
    """
    if not TABLE_NAME.fullmatch(name) or len(name) > LONGEST:
        wanted = f"Write at most {LONGEST} lower-case letters, digits and single underscores, a letter first."
        raise OperatorError(f"'{name}' is no name for a table", "NAME", wanted)
    migrations = read_migrations(folder)
    if f"table public.{name}" in read_snapshot():
        raise OperatorError(f"table public.{name} is there already", "sql/snapshot.json", "Choose another name.")
    if taken := next((each for each in migrations if each.name == name), None):
        raise OperatorError("has this name already", taken.file, "Choose another name.")
    version = (now or datetime.now(UTC)).strftime(TIMESTAMP)
    newest = migrations[-1]
    if version <= newest.version:
        wanted = "Set this machine's clock right, or wait: files are applied in the order of their timestamps."
        raise OperatorError(f"is newer than the time now, {version}", newest.file, wanted)
    path = folder / f"{version}_{name}.sql"
    path.write_text(PATTERN.format(table=name), encoding="utf-8")
    read_migrations.cache_clear()  # it remembers the folder
    return path


def main(arguments: Sequence[str]) -> int:
    """Write the file and say what comes next; failures are one line on standard error and exit code 2."""
    if len(arguments) != 1 or not arguments[0]:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        path = write_migration(arguments[0])
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"wrote sql/migrations/{path.name}: edit it, then make snapshot (docs/migrations.md)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
