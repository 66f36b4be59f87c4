"""What an operator sees: a line for each resource as it ends, a summary table, errors in one line."""

import errno
import json
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Any

from rich.console import Console, RenderableType
from rich.status import Status
from rich.table import Table
from rich.text import Text

from automation.engine import OnStep, Step
from automation.failures import explain
from automation.fleet import ClientResult
from common.errors import printable
from components.urn import is_component

SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "replace": ("±", "yellow"), "delete": ("-", "red")}
STYLES = {"created": "green", "updated": "yellow", "unchanged": "dim", "failed": "bold red", "skipped": "dim"}
SIMULATED = "(simulated)"
CREDENTIAL = re.compile(r"TOKEN|PASSWORD|PASSPHRASE|SECRET|(?:^|_)KEY$", re.IGNORECASE)
SHORTEST_CREDENTIAL = 8


class _Console(Console):
    def on_broken_pipe(self) -> None:
        # Rich would leave the process here, in the middle of an operation.
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


class Screen:
    """Progress and summary; with `as_json` they go to the error stream, and standard output holds one JSON object.

    A stream that takes nothing more (a full disk, a reader that left) never ends an operation: `lost` says so after.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._out = _Console(stderr=as_json, highlight=False, soft_wrap=True)
        if not self._out.is_terminal:
            self._out.width = 200  # nothing to fit into, so no table breaks a name
        self._err = _Console(stderr=True, highlight=False, soft_wrap=True)
        self._lock = threading.Lock()
        self._hidden: list[str] = []
        self._running: dict[tuple[str, str], str] = {}
        self._status: Status | None = None
        self._lost: OSError | None = None

    @property
    def lost(self) -> str | None:
        """Why output was lost; None when all of it was written, or a reader of the progress left on purpose."""
        if self._lost is None or (self._lost.errno == errno.EPIPE and not self._as_json):
            return None
        return explain(OSError(self._lost.errno, self._lost.strerror, "standard output"))

    def hide(self, environment: Mapping[str, str]) -> None:
        """From now on, the values of variables that hold a credential are shown as `[secret]`."""
        found = {value for name, value in environment.items() if CREDENTIAL.search(name)}
        self._hidden = sorted((v for v in found if len(v) >= SHORTEST_CREDENTIAL), key=len, reverse=True)

    def redact(self, text: str) -> str:
        """Text without the hidden values, the longest first: one may begin with another."""
        for value in self._hidden:
            text = text.replace(value, "[secret]")
        return text

    def clean(self, text: str) -> str:
        """Text without hidden values and without characters that a terminal would obey."""
        return "\n".join(printable(line) for line in self.redact(text).split("\n"))

    def say(self, text: str = "", style: str = "") -> None:
        """One line, taken literally."""
        self._print(Text(self.clean(text), style=style))

    def _print(self, what: RenderableType) -> None:
        try:
            self._out.print(what)
        except OSError as error:
            self._lose(error)

    def _lose(self, error: OSError) -> None:
        self._lost = self._lost or error
        self._out.quiet = True
        # What is left in the buffer would fail once more when the interpreter ends.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def working(self, text: str) -> AbstractContextManager[object]:
        """Shows what runs while the block lasts, on a terminal."""
        if not self._out.is_terminal:
            return nullcontext()
        self._status = Status(text, console=self._out)
        return self._status

    def on_step(self, client: str) -> OnStep:
        """A callback that prints what ends and shows what runs."""

        def see(step: Step) -> None:
            with self._lock:
                self._see(client, step)

        return see

    def _see(self, client: str, step: Step) -> None:
        if step.status == "running":
            self._running[client, step.urn] = step.name
        else:
            self._running.pop((client, step.urn), None)
            if step.operation not in {"same", "read", "refresh"} or step.status == "failed":
                changed = tuple(map(self.clean, step.changed))
                self._print(_line(client, replace(step, changed=changed, error=self.clean(step.error or ""))))
        if self._status:
            self._status.update(Text(", ".join(dict.fromkeys(self._running.values())) or "working"))

    def steps_table(self, results: Sequence[ClientResult]) -> None:
        """The five steps: a row each for one client, a column each for several; warnings below."""
        told = [(result.client, result.data["steps"]) for result in results if "steps" in result.data]
        if len(told) == 1:
            client, steps = told[0]
            table = Table("step", "status", "seconds", "", title=client, title_justify="left")
            for step in steps:
                note = SIMULATED if step["simulated"] else ""
                table.add_row(step["name"], _status(step["status"]), f"{step['seconds']:.1f}", note)
        elif told:
            names = list(dict.fromkeys(step["name"] for _, steps in told for step in steps))
            table = Table("client", *names)
            for client, steps in told:
                cells = {step["name"]: _status(step["status"], step["simulated"]) for step in steps}
                table.add_row(client, *(cells.get(name, "") for name in names))
        else:
            return
        self._print(table)
        for result in results:
            for warning in result.data.get("warnings", ()):
                self.say(f"{result.client}: {warning}", "yellow")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A plain table of texts."""
        table = Table(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*(Text(self.clean(cell)) for cell in row))
        self._print(table)

    def error(self, text: str) -> None:
        """One line on the error stream."""
        with suppress(OSError):  # where it cannot be said, the exit code says it
            self._err.print(Text(self.clean(text), style="bold red"))

    def emit(self, content: Mapping[str, Any]) -> None:
        """The one JSON object, when it was asked for."""
        if self._as_json:
            try:
                sys.stdout.write(self.redact(json.dumps(content, indent=2, default=str)) + "\n")
                sys.stdout.flush()
            except OSError as error:
                self._lose(error)


def _status(status: str, simulated: bool = False) -> Text:
    return Text(f"{status} {SIMULATED}" if simulated else status, STYLES.get(status, ""))


def _line(client: str, step: Step) -> Text:
    sign, style = SIGNS.get(step.operation, (" ", ""))
    failed = step.status == "failed"
    text = Text(f"{client}  ", "dim")
    text.append("! " if failed else f"{sign} ", "bold red" if failed else style)
    text.append(step.name, "dim" if is_component(step.type) else "")
    text.append(f"  {step.operation} {step.status}", "bold red" if failed else style)
    if step.changed and step.operation != "create":
        text.append(f"  {', '.join(step.changed)}")
    if step.unknown_only:
        text.append("  (may change: depends on the above)", "dim")
    if step.status == "done":
        text.append(f"  {step.seconds:.1f} s", "dim")
    if step.simulated:
        text.append(f"  {SIMULATED}", "magenta")
    if step.error:
        # Its list is told once, at the end.
        text.append(f"  {step.error.splitlines()[0]}", "red")
    return text
