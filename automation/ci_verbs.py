"""Answer what workflows ask."""

from pathlib import Path
from typing import Annotated

import typer

from automation.affected_clients import find_affected
from automation.arguments import Verbs, example
from automation.runner import session

app = typer.Typer(cls=Verbs, no_args_is_help=True, help=__doc__)


@app.callback()
def group() -> None:
    """Answer what workflows ask."""


@app.command(epilog=example("clients ci affected origin/main"))
def affected(base: Annotated[str, typer.Argument(help="The commit or branch to compare with.")]) -> None:
    """Print the clients that the commits since BASE affect, one a line; all of them where git cannot tell."""
    with session("ci affected", local=False, as_json=False):
        for client in find_affected(base, Path.cwd()):
            typer.echo(client)
