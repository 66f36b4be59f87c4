"""Show the ledger beside the files, or correct it: `python -m components.schema.history [applied|reverted VERSION...]`.

`applied` records files whose objects the database has already, or whose applied text was edited on purpose; `reverted`
forgets versions whose objects are gone. Either changes the ledger alone: no table, no row. The database is the one of
DATABASE_URL.
"""

import sys
from collections.abc import Sequence

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.apply import read_live
from pgschema.history import correct, history
from pgschema.migrations import read_migrations

USAGE = "usage: python -m components.schema.history [applied|reverted VERSION...]"


def main(arguments: Sequence[str]) -> int:
    """Correct what is asked for and print the history; failures are one line on standard error and exit code 2."""
    verb, versions = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb not in {"", "applied", "reverted"} or bool(verb) != bool(versions):
        sys.stderr.write(f"{USAGE}\n")
        return 2
    try:
        migrations = read_migrations()
        with connect_from_environment() as connection:
            if verb:
                correct(connection, migrations, verb, versions)
            applied = read_live(connection).migrations
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{' '.join(line).rstrip()}\n" for line in history(migrations, applied))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
