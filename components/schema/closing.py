"""Close foreign objects to the API: `python -m components.schema.closing [--write]`.

Foreign is what `sql/snapshot.json` does not hold. What such an object lets anon, authenticated and PUBLIC do is listed;
`--write` takes away what was shown before, each right in a savepoint of its own. Nothing else changes: no row-level
security, no other role, no object of ours, nothing that `sql/checks/allowed.yaml` names. The database is the one of
DATABASE_URL. Standard input is JSON: `recorded`, the objects that the stack's state knows, which an older migration may
have made, and `shown`, the lines of an earlier list. Prints `{open, closed, undo, left}` as JSON.
"""

import argparse
import json
import sys
from dataclasses import asdict

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.close_foreign import close


def main() -> int:
    """List or close; failures are one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m components.schema.closing", description=__doc__)
    parser.add_argument("--write", action="store_true", help="take the rights away")
    arguments = parser.parse_args()
    given = json.loads(sys.stdin.read() or "{}")
    try:
        with connect_from_environment() as connection:
            result = close(connection, given.get("recorded", ()), given["shown"] if arguments.write else None)
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(asdict(result)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
