"""Start, stop and use the emulators of this machine."""

import shlex
from pathlib import Path

import typer

from automation.arguments import Verbs, example
from automation.local import LOCAL_PASSPHRASE, LOCAL_STATE, start_emulators, stop_emulators
from automation.runner import session

app = typer.Typer(cls=Verbs, no_args_is_help=True, help=__doc__)


@app.command(epilog=example("clients local start"))
def start() -> None:
    """Start the emulators, or find the ones that run; they go on after this command."""
    with session("local start", local=True, as_json=False) as run:
        for name, url in sorted(start_emulators(run.root).services.items()):
            run.screen.say(f"{name}  {url}")


@app.command(epilog=example("clients local stop"))
def stop() -> None:
    """Stop the emulators; what they hold stays for the next start."""
    with session("local stop", local=True, as_json=False) as run:
        run.screen.say(stop_emulators(run.root))


@app.command(epilog=example('eval "$(clients local env)"; pulumi up --stack acme'))
def env() -> None:
    """Print what Pulumi's own command needs for the emulators, as `export` lines; starts them when they do not run."""
    with session("local env", local=True, as_json=False) as run:
        found = {
            **start_emulators(run.root).exports,
            "CLIENT_ENVIRONMENT": "local",
            "PULUMI_BACKEND_URL": f"file://{_folder(run.root)}",
            "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE,
        }
        for name, value in found.items():
            typer.echo(f"export {name}={shlex.quote(value)}")


def _folder(root: Path) -> Path:
    """The folder of local mode's state; Pulumi does not make it."""
    folder = root / LOCAL_STATE
    folder.mkdir(parents=True, exist_ok=True)
    return folder
