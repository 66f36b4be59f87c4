"""One client in rehearsal: a cold create against its steps in sequence, and what an unchanged client costs.

GitHub and Vercel resources are simulated in rehearsal, so their share of the time is the latency configured here.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import httpx

from automation.engine import Outcome, Step
from components.settings import STACK_MARK
from local.emulators.server import Emulators
from local.rehearsal.engine import Rehearsal
from tests.layout import PROGRAM

ROOT = Path(__file__).parent.parent
LATENCY = 0.15  # seconds a request, about what a public API takes
STARTUP = 12.0  # seconds until a project is up, and until a deployment is ready; both take longer in the real services
FILES = (*PROGRAM, "Pulumi.local.yaml", "Pulumi.acme.yaml", ".venv")


def main() -> None:
    """Create, look again, look for drift; print seconds, ratios and requests."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)  # the database server's user has to get in
        for name in FILES:
            (root / name).symlink_to(ROOT / name)
        emulators = Emulators(root / "emulators", latency=LATENCY, startup=STARTUP, volatile=True)
        emulators.start()
        try:
            _measure(root, emulators)
        finally:
            emulators.stop()
            shutil.rmtree(root / ".local", ignore_errors=True)


def _measure(root: Path, emulators: Emulators) -> None:
    environment = {**os.environ, **emulators.exports}
    environment |= {"CLIENT_ENVIRONMENT": "local", "PULUMI_CONFIG_PASSPHRASE": "local"}
    # Without it the program asks the engine for its state, which rehearsal does not answer.
    environment[STACK_MARK] = str(root)
    engine = Rehearsal(root, "acme", environment, root / "state")
    print(f"client: {LATENCY:g} s a request, a project up after {STARTUP:g} s, rehearsal engine")
    answers: list[float] = []
    began = time.monotonic()

    def see(step: Step) -> None:
        if step.name == "probe" and step.status == "done":
            answers.append(time.monotonic() - began)

    seconds, created = _timed(lambda: engine.up(on_step=see))
    in_sequence = sum(step.seconds for step in created.steps if step.operation == "create")
    print(f"  cold create        {seconds:6.2f} s   {_requests(emulators)}")
    print(f"  the same steps in sequence {in_sequence:.2f} s: {in_sequence / seconds:.2f} times as long")
    waits = 2 * STARTUP
    print(
        f"  the site answers after {answers[0]:.2f} s: {answers[0] - waits:.2f} s beyond what the services themselves"
    )
    print(f"  take one after the other on the longest chain, project and deployment: {waits:g} s (goal: 10 s)")
    for name, run in (
        ("unchanged up", engine.up),
        ("preview", engine.preview),
        ("preview with refresh", lambda: engine.preview(refresh=True)),
    ):
        seconds, outcome = _timed(run)
        assert not outcome.changes
        print(f"  {name:<22}{seconds:6.2f} s   {_requests(emulators)}")


def _timed(run: object) -> tuple[float, Outcome]:
    assert callable(run)
    began = time.monotonic()
    outcome: Outcome = run()
    if outcome.error:
        raise SystemExit(f"client: {outcome.error}")
    return time.monotonic() - began, outcome


def _requests(emulators: Emulators) -> str:
    """What each service was asked since the last time, reads and writes apart."""
    told = []
    for name, url in emulators.services.items():
        log = httpx.delete(f"{url}/_emulator/requests", trust_env=False).json()
        writes = sum(entry["method"] != "GET" for entry in log)
        told.append(f"{name} {len(log) - writes} reads {writes} writes")
    return ", ".join(told)
