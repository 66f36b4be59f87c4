"""The isolation check as a command: `python -m components.schema.isolation [--json]`, which Pulumi runs after a deploy.

The database is the one of DATABASE_URL; see `pgschema.isolation`. This module's name is part of every stack's state.
"""

import json
import sys
from dataclasses import asdict

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.isolation import check
from supabase_management.pooler import cut_off

CHECK_SECONDS = 900.0  # all attacks, each of which has a limit of its own


def main() -> None:
    """Print the report; exit code 1 on a leak, 2 when the check could not be carried out."""
    try:
        with connect_from_environment() as connection, cut_off(connection, CHECK_SECONDS, "isolation check"):
            report = check(connection)
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    sys.stdout.write((json.dumps(asdict(report)) if "--json" in sys.argv[1:] else str(report)) + "\n")
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
