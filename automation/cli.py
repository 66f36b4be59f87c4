"""One isolated environment per client of the agency.

Exit code 0: done, or nothing to do. 1: preview or drift found changes. 2: failed, or refused.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from automation import ci_verbs, database_verbs, local_verbs
from automation.arguments import Json, Local, Verbs, client_argument, example
from automation.clients import ProvisioningJob, choose_clients, write_client
from automation.close_foreign import close_and_bring_up, list_foreign
from automation.drift import Drift, find_drift
from automation.dry_run import told, try_sql
from automation.engine import Engine, Outcome
from automation.fleet import CHANGES, DONE, FAILED, ClientResult
from automation.preflight.run import examine
from automation.provision import STEPS, count_by_step
from automation.recovery.departure import depart, outside
from automation.recovery.orphans import Orphans, find_orphans
from automation.report import markdown
from automation.rotation import Secret, begin_rotation, unfinished_rotation
from automation.runner import Session, session
from automation.workspace import Workspace
from common.errors import OperatorError
from components.urn import is_component, name_of

NOT_LOOKED = "live systems not looked at; add --refresh"

app = typer.Typer(cls=Verbs, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(database_verbs.app, name="db")
app.add_typer(local_verbs.app, name="local")
app.add_typer(ci_verbs.app, name="ci")

Clients = Annotated[list[str] | None, client_argument("Client ids.", metavar="[CLIENT]...", show_default=False)]
All = Annotated[bool, typer.Option("--all", help="Every client that has a file.")]
Shard = Annotated[str, typer.Option(metavar="I/N", help="Only the I-th of N parts of the clients.")]
Parallel = Annotated[int, typer.Option(min=1, max=64, help="Clients at the same time.")]


@app.command(epilog=example("clients demo"))
def demo(as_json: Json = False) -> None:
    """Bring one client up on this machine: no account, no cloud, no cost."""
    from automation import demo as tour  # HTTP client and database driver, which no other verb needs

    with session("demo", local=True, as_json=as_json) as run:
        tour.demo(run)


@app.command(epilog=example("clients new acme --name Acme --email owner@acme.example --tier growth"))
def new(
    client: Annotated[str, typer.Argument(help="Client id: a lower-case slug.")],
    name: Annotated[str, typer.Option(help="The client's name as people write it.")],
    email: Annotated[str, typer.Option(help="Address of the client's owner.")],
    tier: Annotated[str, typer.Option(help="A tier of Pulumi.prod.yaml.")],
    as_json: Json = False,
) -> None:
    """Write the file of a new client."""
    with session("new", local=False, as_json=as_json) as run:
        written = write_client(ProvisioningJob(client, name, email, tier), run.root)
        run.screen.say(f"Pulumi.{client}.yaml {'written' if written else 'says so already'}.")
        run.screen.say(f"Next: clients preview {client}")
        run.end([ClientResult(client, DONE, {"written": written})])


@app.command(epilog=example("clients up acme --refresh"))
def up(
    clients: Clients = None,
    every: All = False,
    shard: Shard = "1/1",
    parallel: Parallel = 4,
    local: Local = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look first, and undo what was changed by hand.")] = False,
    gone: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="With --refresh: a resource that is gone, though no token shows it."),
    ] = None,
    close: Annotated[
        bool,
        typer.Option(
            "--close-foreign",
            help="With --refresh: take from anon, authenticated and PUBLIC what objects of no migration let them do.",
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --close-foreign: do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Create or update clients."""
    with session("up", local=local, as_json=as_json) as run:
        if close and not refresh:
            raise OperatorError("needs --refresh", "up --close-foreign", "Nothing was changed.")
        chosen = choose_clients(run.root, clients or (), every=every, shard=shard)
        paused = {client for client in chosen if close and _is_paused(run, client)}
        awake = [client for client in chosen if client not in paused]
        opened = list_foreign(run, awake, parallel=parallel) if close and awake else {}
        if any(opened.values()) and not yes:
            named = [client for client in chosen if opened.get(client)]
            _confirm(named, "up --close-foreign", "close all of it", as_json=as_json)

        def act(client: str, engine: Engine) -> ClientResult:
            if not close or client in paused:
                return run.bring_up(client, refresh=refresh, gone=gone or ())
            return close_and_bring_up(run, client, engine, opened.get(client))

        results = run.run(chosen, act, parallel=parallel, writes=True)
        run.screen.steps_table(results)
        run.end(results)


@app.command(epilog=example("clients preview acme --try-sql"))
def preview(
    clients: Clients = None,
    every: All = False,
    shard: Shard = "1/1",
    parallel: Parallel = 4,
    local: Local = False,
    sql: Annotated[bool, typer.Option("--try-sql", help="Try pending migrations on a clone of the catalog.")] = False,
    live: Annotated[bool, typer.Option("--on-live", help="With --try-sql: on the database, rolled back.")] = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Look at the live systems first.")] = False,
    as_json: Json = False,
) -> None:
    """Show what `up` would do, from state; with --refresh against what the live systems hold now."""
    with session("preview", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            outcome = engine.preview(refresh=refresh, on_step=run.screen.on_step(client))
            planned = _planned(client, outcome, refreshed=refresh)
            if not sql or planned.error or _is_paused(run, client):
                return planned
            found = try_sql(run.workspace(writes=False), engine.resources(secrets=True), live=live)
            for line in told(found):
                run.screen.say(f"{client}  {line}")
            return replace(planned, data={**planned.data, "sql": found})

        chosen = choose_clients(run.root, clients or (), every=every, shard=shard)
        results = run.run(chosen, act, parallel=parallel)
        rows = [(result.client, str(len(result.data.get("changes", ()))), result.error or "") for result in results]
        run.screen.table("", ("client", "changes", "error"), rows)
        if not refresh:
            run.screen.say(NOT_LOOKED)
        run.end(results)


@app.command(epilog=example("clients drift --all --markdown drift.md"))
def drift(
    clients: Clients = None,
    every: All = False,
    shard: Shard = "1/1",
    parallel: Parallel = 4,
    local: Local = False,
    as_json: Json = False,
    report: Annotated[Path | None, typer.Option("--markdown", help="Also write the report to this file.")] = None,
) -> None:
    """Tell changes by this program and changes by hand apart; changes nothing.

    With --all also what belongs to no client, as `status --all` does; of several shards the first one looks for it.
    """
    with session("drift", local=local, as_json=as_json) as run:
        found: dict[str, Drift] = {}
        if report:
            with report.open("a", encoding="utf-8"):
                pass  # where it cannot be written, that is said before clients are looked at

        def act(client: str, engine: Engine) -> ClientResult:
            finding = found[client] = find_drift(client, engine)
            code = FAILED if finding.error else CHANGES if finding.program or finding.hand else DONE
            return ClientResult(client, code, finding.as_json(), finding.error)

        chosen = choose_clients(run.root, clients or (), every=every, shard=shard)
        results = run.run(chosen, act, parallel=parallel, writes=True)
        findings = [
            Drift(result.client, error=run.screen.redact(result.error)) if result.error else found[result.client]
            for result in results
        ]
        _show_drift(run, findings)
        looks = every and shard.startswith("1/")
        orphans = _orphans(run, writes=True) if looks else Orphans()
        if report:
            try:
                report.write_text(markdown(findings, run.engine_name, orphans.lines), encoding="utf-8")
            except OSError as error:
                run.lose(error)
        run.end(results, orphans.as_json() if looks else None, least=CHANGES if orphans.lines else DONE)


@app.command(epilog=example("clients status --all"))
def status(clients: Clients = None, every: All = False, local: Local = False, as_json: Json = False) -> None:
    """Show the five steps of clients, from state; with --all also what belongs to no client, with exit code 1.

    That is a stack without a client's file, and a project, repository or site that no stack holds. It is looked for in
    the accounts, with the tokens; what these do not show is said, with exit code 1 too.
    """
    with session("status", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            return ClientResult(client, DONE, {"steps": count_by_step(engine.resources())})

        results = run.run(choose_clients(run.root, clients or (), every=every), act, parallel=4)
        counts = {result.client: result.data.get("steps", {}) for result in results}
        steps = list(dict.fromkeys([*STEPS, *(step for found in counts.values() for step in found)]))
        rows = [(name, *(str(found.get(step) or "-") for step in steps)) for name, found in counts.items()]
        run.screen.table("resources in state", ("client", *steps), rows)
        orphans = _orphans(run, writes=False) if every else Orphans()
        run.end(results, orphans.as_json() if every else None, least=CHANGES if orphans.lines else DONE)


@app.command(epilog=example("clients outputs acme"))
def outputs(clients: Clients = None, every: All = False, local: Local = False, as_json: Json = False) -> None:
    """Show the outputs of clients, secrets masked."""
    with session("outputs", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            outcome = engine.outputs()
            shown = {key: "[secret]" if key in outcome.secret_outputs else v for key, v in outcome.outputs.items()}
            return ClientResult(client, FAILED if outcome.error else DONE, {"outputs": shown}, outcome.error)

        results = run.run(choose_clients(run.root, clients or (), every=every), act, parallel=4)
        for result in results:
            rows = [(key, str(value)) for key, value in sorted(result.data.get("outputs", {}).items())]
            run.screen.table(result.client, ("output", "value"), rows)
        run.end(results)


@app.command(epilog=example("clients rotate acme --only key"))
def rotate(
    clients: Clients = None,
    every: All = False,
    shard: Shard = "1/1",
    parallel: Parallel = 4,
    local: Local = False,
    only: Annotated[Secret | None, typer.Option(help="Rotate one of the two.")] = None,
    as_json: Json = False,
) -> None:
    """Renew the secret key and the database password; the old key goes when nothing uses it any more."""
    with session("rotate", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            workspace, secrets = run.workspace(writes=True), [only] if only else list(Secret)
            written = begin_rotation(workspace.settings(client), run.root, engine, secrets)
            begun = f"Pulumi.{client}.yaml now says {', '.join(written)}" if written else "finishing what was begun"
            run.screen.say(f"{client}  {begun}")
            done = run.bring_up(client)
            left = unfinished_rotation(workspace.settings(client), engine, secrets) if not done.error else None
            return done.failed(left) if left else done

        chosen = choose_clients(run.root, clients or (), every=every, shard=shard)
        results = run.run(chosen, act, parallel=parallel, writes=True)
        run.screen.steps_table(results)
        run.end(results)


@app.command(epilog=example("clients doctor acme"))
def doctor(clients: Clients = None, every: All = False, local: Local = False, as_json: Json = False) -> None:
    """Look at accounts, tokens, plans and tools before anything is created; changes nothing."""
    with session("doctor", local=local, as_json=as_json) as run:

        def act(client: str, engine: Engine) -> ClientResult:
            return examine(client, run.workspace(writes=False), engine.resources())

        # The accounts are the same for all: without a name any client's settings tell which ones.
        chosen = choose_clients(run.root, clients or (), every=every or not clients)
        results = run.run(chosen if clients or every else chosen[:1], act, parallel=4)
        for result in results:
            rows = [(f["name"], f["state"], f["says"], f["remedy"]) for f in result.data.get("findings", ())]
            run.screen.table(result.client, ("looked at", "", "found", "what to do"), rows)
        run.end(results)


@app.command(epilog=example("clients destroy acme"))
def destroy(
    clients: Clients = None,
    every: All = False,
    parallel: Parallel = 4,
    local: Local = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Delete everything that clients have, after showing it; stops on anything protected.

    What interrupted runs have made is deleted too when it is proved to be the client's. Whatever else carries its name
    is listed and left alone, with exit code 1. The file of a client that is gone is moved to retired/.
    """
    with session("destroy", local=local, as_json=as_json) as run:
        chosen = choose_clients(run.root, clients or (), every=every)

        def plan(client: str, engine: Engine) -> ClientResult:
            return _doomed(client, engine, run.workspace(writes=True))

        plans = run.run(chosen, plan, parallel=parallel, writes=True, leaving=True)
        for found in plans:
            for line in _plan_lines(found):
                run.screen.say(line)
        if any(found.error for found in plans):
            run.end(plans)
        if any(found.data["delete"] or found.data["outside"] for found in plans) and not yes:
            _confirm(chosen, "destroy", "delete all of it", as_json=as_json)

        def act(client: str, engine: Engine) -> ClientResult:
            return depart(client, engine, run.workspace(writes=True), run.screen.on_step(client))

        results = run.run(chosen, act, parallel=parallel, writes=True, leaving=True)
        for result in results:
            for line in result.data.get("left", ()):
                run.screen.say(f"{result.client}: not deleted: {line}", "yellow")
            if retired := result.data.get("retired"):
                run.screen.say(f"{result.client}: its file is now {retired}; it holds the salt of its secrets.")
        run.end(results)


def _orphans(run: Session, *, writes: bool) -> Orphans:
    """Find what belongs to no client, and say it."""
    found = find_orphans(run.workspace(writes=writes))
    for line in found.lines:
        run.screen.say(line, "yellow")
    return found


def _is_paused(run: Session, client: str) -> bool:
    """Whether a client is meant to be paused, so that its database cannot be looked at; says so."""
    try:
        paused = run.workspace(writes=False).settings(client).paused
    except OperatorError:
        return False  # its refusal is told where the client is opened
    if paused:
        run.screen.say(f"{client}  paused: its database is not looked at")
    return paused


def _planned(client: str, outcome: Outcome, *, refreshed: bool) -> ClientResult:
    changes = [
        {"name": step.name, "type": step.type, "operation": step.operation, "properties": step.changed}
        | {"unknown_only": step.unknown_only, "simulated": step.simulated}
        for step in outcome.changes
        if not is_component(step.type)
    ]
    code = FAILED if outcome.error else CHANGES if changes else DONE
    data = {"changes": changes, "seconds": round(outcome.seconds, 2), "live_systems_looked_at": refreshed}
    return ClientResult(client, code, data, outcome.error)


def _plan_lines(plan: ClientResult) -> list[str]:
    """Return what would be deleted of a client, in lines."""
    doomed = plan.data.get("delete", ())
    # Of a stack that cannot be opened nobody knows what is in its state.
    if plan.error and not doomed:
        return []
    lines = [f"{plan.client}: {', '.join(doomed) or 'nothing in its state'} to delete"]
    beside = "not in its state; deleted only if it is proved to be this client's"
    return lines + [f"{plan.client}: {line}: {beside}" for line in plan.data.get("outside", ())]


def _doomed(client: str, engine: Engine, workspace: Workspace) -> ClientResult:
    found = [(name_of(r["urn"]), r) for r in engine.resources() if not is_component(r["type"])]
    data: dict[str, Any] = {"delete": [name for name, _ in reversed(found)]}
    if protected := [name for name, resource in found if resource.get("protect")]:
        remedy = "Nothing was deleted. Set protect: false in the environment's file, run up, then destroy."
        return ClientResult(client, FAILED, data, f"{', '.join(protected)}: protected. {remedy}")
    return ClientResult(client, DONE, {**data, "outside": outside(client, engine, workspace)})


def _confirm(clients: list[str], verb: str, what: str, *, as_json: bool) -> None:
    if as_json or not sys.stdin.isatty():
        raise OperatorError("needs --yes where nobody can answer", verb, "Nothing was changed.")
    try:
        answer = typer.prompt(f"Type {' '.join(clients)} to {what}")
    except typer.Abort:  # Ctrl-C, or the end of the input
        answer = ""
    if answer != " ".join(clients):
        raise OperatorError("not confirmed", verb, "Nothing was changed.")


def _show_drift(run: Session, findings: list[Drift]) -> None:
    rows = [
        (finding.client, origin, change.operation, change.resource, path)
        for finding in findings
        for origin, changes in (("this program", finding.program), ("by hand", finding.hand))
        for change in changes
        for path in change.properties or ("",)
    ]
    if rows:
        run.screen.table("", ("client", "origin", "operation", "resource", "property"), rows)
    for finding in findings:
        for note in finding.notes:
            run.screen.say(f"{finding.client}: {note}", "yellow")
    clean = [finding.client for finding in findings if not (finding.error or finding.program or finding.hand)]
    if clean:
        run.screen.say(f"No drift: {', '.join(clean)}", "green")
