"""A bench that runs tiny programs under the rehearsal and, where there is one, under Pulumi's own engine."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from automation.engine import Engine, Outcome
from local.rehearsal.engine import Rehearsal

REPOSITORY = Path(__file__).parent.parent.parent
STACK = "bench"
PROJECT = """
name: tiny
runtime: {name: python, options: {toolchain: pip, virtualenv: .venv}}
config:
  answer: {type: integer, default: 42}
"""
PRELUDE = "import pulumi\nfrom things import Thing\nfrom pulumi import ResourceOptions as Options\n"
# Nothing listens there: no test of tiny programs reaches a service.
NOWHERE = "http://127.0.0.1:1"


class Bench:
    """A project in a folder of its own and an engine; each operation gives its steps as sorted `operation name`."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.things = root, root / "things"
        self.things.mkdir()
        (root / "Pulumi.yaml").write_text(PROJECT)
        (root / f"Pulumi.{STACK}.yaml").write_text("config:\n  tiny:flag: true\n")
        (root / ".venv").symlink_to(REPOSITORY / ".venv")
        shutil.copy(Path(__file__).with_name("things.py"), root)
        self.environment = {
            **os.environ,
            "THINGS": str(self.things),
            "PULUMI_CONFIG_PASSPHRASE": "made up",
            "SUPABASE_API_URL": NOWHERE,
            "GITHUB_BASE_URL": NOWHERE,
            "VERCEL_EMULATOR_URL": NOWHERE,
        }
        self.outcome = Outcome()
        self.engine = self.open(kind)

    def open(self, kind: str = "rehearsal") -> Engine:
        """The stack, as another process would open it."""
        if kind == "rehearsal":
            return Rehearsal(self.root, STACK, self.environment, self.root / ".local/rehearsal")
        from pulumi import automation as auto

        from automation.pulumi_engine import PulumiEngine

        self.environment["PULUMI_SKIP_UPDATE_CHECK"] = "true"
        return PulumiEngine(self.root, STACK, self.environment, auto.PulumiCommand(), local=True)

    def program(self, text: str) -> None:
        """Make this the program, after the usual imports."""
        (self.root / "__main__.py").write_text(PRELUDE + text)

    def run(self, verb: str, *, fails: bool = False, **options: Any) -> list[str]:
        """The steps of one operation."""
        self.outcome = getattr(self.engine, verb)(**options)
        assert bool(self.outcome.error) == fails, self.outcome
        # Pulumi tells of a planned component twice: once for its inputs, once for its outputs.
        return sorted({f"{step.operation} {step.name}" for step in self.outcome.steps})

    def up(self, text: str | None = None, **options: Any) -> list[str]:
        if text is not None:
            self.program(text)
        return self.run("up", **options)

    def preview(self, text: str | None = None, **options: Any) -> list[str]:
        if text is not None:
            self.program(text)
        return self.run("preview", **options)

    def changes(self, verb: str) -> list[str]:
        """The changes of an operation for which Pulumi runs the program too, and tells of that what it likes."""
        self.run(verb)
        steps = [step for step in self.outcome.changes if verb == "destroy" or "things:Thing" in step.type]
        return sorted(f"{step.operation} {step.name}" for step in steps)

    def calls(self) -> list[str]:
        """What the provider was asked since the last time somebody asked this, in order."""
        log = self.things / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    def live(self) -> dict[str, Any]:
        """Id -> value of the things there are."""
        return {path.stem: json.loads(path.read_text()) for path in self.things.glob("*.json")}

    def state(self) -> str:
        """The state file of the rehearsal."""
        return (self.root / f".local/rehearsal/{STACK}.json").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """The rehearsal."""
    return Bench(tmp_path, "rehearsal")


@pytest.fixture(params=["rehearsal", pytest.param("pulumi", marks=pytest.mark.engine)])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Each of the two engines: what a test claims of one, it claims of the other."""
    if request.param == "pulumi" and shutil.which("pulumi") is None:
        pytest.skip("the pulumi command is not on PATH")
    return Bench(tmp_path, request.param)
