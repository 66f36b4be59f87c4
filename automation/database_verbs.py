"""Look after the database of a client, which its stack knows, or that of DATABASE_URL and PGPASSWORD."""

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import psycopg
import typer

from automation.arguments import Json, Local, Verbs, client_argument, example
from automation.database import open_database, schema_in_state
from automation.dry_run import told, try_sql
from automation.engine import Engine
from automation.fleet import CHANGES, DONE, ClientResult
from automation.runner import Session, session
from common.errors import OperatorError

app = typer.Typer(cls=Verbs, no_args_is_help=True, help=__doc__)

Client = Annotated[str, client_argument("Client id; DATABASE_URL's database without one.")]
Work = Callable[[psycopg.Connection[Any]], tuple[int, dict[str, Any]]]
NO_CLIENT = "DATABASE_URL"


class Status(StrEnum):
    """What the ledger is to say of a migration."""

    applied = "applied"
    reverted = "reverted"


@app.command(epilog=example("clients db history acme"))
def history(client: Client = "", local: Local = False, as_json: Json = False) -> None:
    """Show each migration: applied, pending, edited since, or without a file."""
    with session("db history", local=local, as_json=as_json) as run:
        _run(run, client, _history)


@app.command(epilog=example("clients db repair acme 20260101000000 --status applied"))
def repair(
    words: Annotated[
        list[str], client_argument("Client id, then versions as files are named.", metavar="[CLIENT] VERSION...")
    ],
    status: Annotated[Status, typer.Option(help="`applied` records versions, `reverted` forgets them.")],
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Correct the record of applied migrations, without running any: no table and no row changes."""

    def work(connection: psycopg.Connection[Any]) -> tuple[int, dict[str, Any]]:
        from pgschema.history import correct
        from pgschema.migrations import read_migrations

        correct(connection, read_migrations(), status, versions)
        return _history(connection)

    # A version is a number, and no client's id begins with one.
    client, versions = ("", words) if words[0].isdigit() else (words[0], words[1:])
    with session("db repair", local=local, as_json=as_json) as run:
        if not versions:
            raise OperatorError("names no version", "db repair", "Nothing was changed.")
        _run(run, client, work)


@app.command(epilog=example("clients db baseline acme --columns columns.json --try"))
def baseline(
    client: Client = "",
    columns: Annotated[
        Path | None, typer.Option(help='JSON: {"table": {"column": "expression over the old row"}}')
    ] = None,
    trial: Annotated[bool, typer.Option("--try", help="Take over, report and roll back; locks the tables.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Take over; again: what was left behind.")] = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Tell how a database that another script made differs, or take it over with its rows."""

    with session("db baseline", local=local, as_json=as_json) as run:
        from pgschema.baseline import differences, read_columns, take_over

        if trial and write:
            raise OperatorError("take one of --try and --write", "db baseline", "Nothing was changed.")
        given = read_columns(columns)

        def work(connection: psycopg.Connection[Any]) -> tuple[int, dict[str, Any]]:
            if not (trial or write):
                return DONE, {"lines": list(differences(connection))}
            lines = take_over(connection, given)
            (connection.commit if write else connection.rollback)()
            return DONE, {"lines": lines}

        _run(run, client, work)


@app.command(epilog=example("clients db check acme"))
def check(client: Client = "", local: Local = False, as_json: Json = False) -> None:
    """Attack the database as other tenants would, and roll everything back; exit code 1 on a leak."""

    def work(connection: psycopg.Connection[Any]) -> tuple[int, dict[str, Any]]:
        from pgschema.isolation import check as attack

        report = attack(connection)
        return DONE if report.passed else CHANGES, {"lines": str(report).splitlines(), "report": asdict(report)}

    with session("db check", local=local, as_json=as_json) as run:
        _run(run, client, work)


@app.command("dry-run", epilog=example("clients db dry-run acme"))
def dry_run(
    client: Annotated[str, client_argument("Client id.")],
    live: Annotated[bool, typer.Option("--on-live", help="On the database itself, rolled back.")] = False,
    local: Local = False,
    as_json: Json = False,
) -> None:
    """Try the pending migrations on a clone of the database's catalog."""
    with session("db dry-run", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            found = try_sql(run.workspace(writes=False), engine.resources(secrets=True), live=live)
            return ClientResult(client, CHANGES if found["refused"] else DONE, {"lines": told(found), "sql": found})

        _say(run, run.run([client], act, parallel=1))


def _history(connection: psycopg.Connection[Any]) -> tuple[int, dict[str, Any]]:
    from pgschema.apply import read_live
    from pgschema.history import history as compare
    from pgschema.migrations import read_migrations

    rows = compare(read_migrations(), read_live(connection).migrations)
    found = [{"version": version, "state": state, "name": name} for version, state, name in rows]
    return DONE, {"lines": [" ".join(row).rstrip() for row in rows], "migrations": found}


def _run(run: Session, client: str, work: Work) -> NoReturn:
    """Do the work on the client's database, say its lines, and leave with its exit code."""

    def act(client: str, engine: Engine) -> ClientResult:
        schema = schema_in_state(engine.resources(secrets=True))
        if schema is None:
            raise OperatorError("has no database yet", client, f"Run up first: clients up {client}")
        with open_database(run.workspace(writes=False).environment, schema) as connection:
            return ClientResult(client, *work(connection))

    if client:
        _say(run, run.run([client], act, parallel=1))
    if not os.environ.get("DATABASE_URL"):
        raise OperatorError("names no client, and DATABASE_URL is not set", run.verb, "Give one of the two.")
    with open_database(os.environ, None) as connection:
        result = ClientResult(NO_CLIENT, *work(connection))
    _say(run, [result])


def _say(run: Session, results: Sequence[ClientResult]) -> NoReturn:
    """Say the lines of the results, and leave with their exit code."""
    for result in results:
        for line in result.data.get("lines", ()):
            run.screen.say(line)
    run.end(results)
