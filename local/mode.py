"""What the command line finds of local mode, by its entry point."""

from collections.abc import Collection, Mapping
from pathlib import Path

from automation.engine import Engine
from local.rehearsal.engine import Rehearsal
from local.rehearsal.simulated import list_unheld
from local.rehearsal.state import stacks_in

STATE = Path(".local/rehearsal")


class Mode:
    """Implements `automation.local.LocalMode`."""

    def engine(self, root: Path, stack: str, environment: Mapping[str, str]) -> Engine:
        return Rehearsal(root, stack, environment, root / STATE)

    def stacks(self, root: Path) -> list[str]:
        return stacks_in(root / STATE)

    def unheld(self, environment: Mapping[str, str], held: Collection[str]) -> list[dict[str, str]]:
        return list_unheld(environment, held)
