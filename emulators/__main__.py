"""`python -m emulators`: start all emulators and print the variables that lead there; `stop`, `status`."""

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

STATE = Path(".local/emulators")
PATIENCE = 60.0  # seconds for a detached start, the first of which makes a database cluster


def main(arguments: list[str] | None = None) -> int:
    """Run one of `start`, `stop`, `status`."""
    parser = argparse.ArgumentParser(prog="python -m emulators", description=__doc__)
    parser.add_argument("verb", nargs="?", default="start", choices=["start", "stop", "status"])
    parser.add_argument("--state", type=Path, default=STATE, help="folder of what survives a restart")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds added to each request")
    parser.add_argument("--startup", type=float, default=2.0, help="seconds that a new project takes to come up")
    parser.add_argument("--volatile", action="store_true", help="do not wait for the disk; for tests")
    parser.add_argument("--detach", action="store_true", help="start in the background and return once all is up")
    options = parser.parse_args(arguments)
    if options.verb == "stop":
        return _stop(options.state)
    running = _running(options.state)
    if options.verb == "status":
        _say(f"pid {running['pid']}: {json.dumps(running['services'])}" if running else "not running")
        return 0 if running else 1
    if running:
        _print_exports(running["exports"])
        return 0
    return _detach(options) if options.detach else _serve(options)


def _serve(options: argparse.Namespace) -> int:
    # Imported here, so that stop and status answer at once.
    from emulators.server import Emulators

    emulators = Emulators(
        options.state, latency=options.latency, startup=options.startup, volatile=options.volatile
    )  # fmt: skip
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    emulators.start()
    _print_exports(emulators.exports)
    ended.wait()
    emulators.stop()
    return 0


def _detach(options: argparse.Namespace) -> int:
    options.state.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "emulators", "start", "--state", str(options.state)]
    command += ["--latency", str(options.latency), "--startup", str(options.startup)]
    log = options.state / "log"
    with log.open("ab") as output:
        extra = ["--volatile"] if options.volatile else []
        process = subprocess.Popen(
            [*command, *extra], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if running := _running(options.state):
            _print_exports(running["exports"])
            return 0
        time.sleep(0.05)
    process.kill()
    sys.stderr.write(f"emulators: did not start; see {log}\n")
    return 1


def _stop(state: Path) -> int:
    running = _running(state)
    if running is None:
        _say("not running")
        return 0
    os.kill(running["pid"], signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while _alive(running["pid"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    _say("stopped")
    return 0


def _running(state: Path) -> dict[str, Any] | None:
    """What the emulators that run on this state say of themselves, or None; a dead process's word is forgotten."""
    path = state / "ready.json"
    try:
        ready: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if _alive(ready["pid"]):
        return ready
    path.unlink(missing_ok=True)
    return None


def _alive(pid: int) -> bool:
    """Whether the process is an emulator of ours; a number may have been given to another one since."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    command = Path(f"/proc/{pid}/cmdline")
    if not command.parent.parent.exists() or not command.exists():
        return True
    words = command.read_bytes()
    return b"emulators" in words


def _print_exports(exports: dict[str, str]) -> None:
    _say("\n".join(f"export {name}={shlex.quote(value)}" for name, value in exports.items()))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
