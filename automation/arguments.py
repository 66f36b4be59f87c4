"""What the groups of verbs share: their options, their examples, and the refusal of control characters."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from automation.fleet import FAILED
from automation.runner import fail
from common.errors import printable

Local = Annotated[bool, typer.Option("--local", help="Use the emulators of this machine.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output, progress on the other.")]


class Verbs(TyperGroup):
    """Refuses arguments with control characters before anything else looks at them: refusals quote what they refuse."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        for word in args:
            if not word.isprintable():
                text = f"argument '{printable(word)}' must be one line without control characters"
                fail(printable(args[0]), text, as_json="--json" in args)
                raise typer.Exit(FAILED)
        return super().parse_args(ctx, args)


def client_argument(text: str, **more: Any) -> Any:
    """An argument that names clients, and completes their names in the shell."""
    return typer.Argument(metavar=more.pop("metavar", "CLIENT"), help=text, autocompletion=_clients, **more)


def example(command: str) -> str:
    """The last line of a verb's help."""
    return f"Example: {command}"


def _clients(incomplete: str) -> list[str]:
    from pathlib import Path

    from automation.clients import list_clients

    return [client for client in list_clients(Path.cwd()) if client.startswith(incomplete)]
