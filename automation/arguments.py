"""The command line's own group of verbs: no argument with control characters gets far enough to be shown."""

import typer
from typer.core import TyperGroup

from automation.fleet import FAILED
from automation.runner import fail
from common.errors import printable


class Verbs(TyperGroup):
    """Refuses such arguments before anything else looks at them, as refusals quote what they refuse."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        for word in args:
            if not word.isprintable():
                text = f"argument '{printable(word)}' must be one line without control characters"
                fail(printable(args[0]), text, as_json="--json" in args)
                raise typer.Exit(FAILED)
        return super().parse_args(ctx, args)
