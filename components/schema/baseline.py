"""Take over a database whose tables another script made: `python -m components.schema.baseline`.

Without an option it tells how the database differs from ours, and reads only. `--try` takes it over and rolls back, so
that its report is exact; `--write` keeps the result. Old tables move as they are to the schema before_baseline, out of
the API's reach; our migrations make the tables anew; rows are copied. A row that our constraints refuse, and a
reference into another organization, stays there and is listed in before_baseline.left_behind; another `--write`, after
it was corrected there, copies it too. Nothing old is changed or deleted. The database is the one of DATABASE_URL.
"""

import argparse
import sys
from pathlib import Path

from common.errors import OperatorError
from components.schema.connection import connect_from_environment
from pgschema.baseline import differences, read_columns, take_over


def main() -> int:
    """Report or take over; failures are one line on standard error and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m components.schema.baseline", description=__doc__)
    parser.add_argument("--columns", type=Path, help='JSON: {"table": {"column": "expression over the old row"}}')
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument(
        "--try", dest="trial", action="store_true", help="take over, report and roll back; locks the tables"
    )
    mode.add_argument("--write", action="store_true", help="take over; again: what was left behind")
    arguments = parser.parse_args()
    try:
        columns = read_columns(arguments.columns)
        with connect_from_environment() as connection:
            if not (arguments.trial or arguments.write):
                lines = list(differences(connection))
            else:
                lines = take_over(connection, columns)
                (connection.commit if arguments.write else connection.rollback)()
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
