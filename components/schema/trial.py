"""Try the pending migrations and roll them back: `python -m components.schema.trial`.

Tells what fails, what the gate would refuse to commit, which tables would be rewritten, and which would be locked
against their users. The database is the one of DATABASE_URL, of which only the catalog and the ledger are read. Its
clone is made in the empty server that CLONE_URL names, as superuser, with the programs of that server on PATH. `--live`
tries on the database itself instead, and gives up after half a second on a table that is in use. Prints
`{files, rewritten, locks, refused, notes}` as JSON.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.catalog import read_snapshot
from pgschema.clone import clone
from pgschema.dry_run import attempt
from pgschema.migrations import read_migrations


def main() -> int:
    """Try and tell; failures are one line, with a caret where a statement failed, and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m components.schema.trial", description=__doc__)
    parser.add_argument("--live", action="store_true", help="on the database itself, rolled back")
    arguments = parser.parse_args()
    try:
        with connect_from_environment() as live:
            if arguments.live:
                found = attempt(live, read_migrations(), snapshot=read_snapshot(), live=True)
            else:
                with clone(live, os.environ.get("CLONE_URL", "")) as copy:
                    found = attempt(copy, read_migrations(), snapshot=read_snapshot())
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
