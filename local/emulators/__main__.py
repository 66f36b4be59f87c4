"""`python -m local.emulators`: start all emulators and print the variables that lead there; `stop`, `status`."""

import argparse
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STATE = Path(".local/emulators")
PATIENCE = 60.0  # seconds for a start, the first of which makes a database cluster, and for a stop


def main(arguments: list[str]) -> int:
    """Run one of `start`, `stop`, `status`."""
    parser = argparse.ArgumentParser(prog="python -m local.emulators", description=__doc__, allow_abbrev=False)
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
        _say(_exports(running))
        return 0
    options.state.mkdir(parents=True, exist_ok=True)
    return _detach(options.state, arguments) if options.detach else _serve(options)


def _serve(options: argparse.Namespace) -> int:
    # Imported here, so that stop and status answer at once.
    import psycopg

    from local.emulators.server import Emulators

    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    # Whoever holds the lock serves the state; it goes with the process, however that ends.
    with (options.state / "lock").open("w") as lock:
        for _ in _patiently():
            if _locked(lock.fileno(), fcntl.LOCK_EX):
                break
            if running := _running(options.state):
                _say(_exports(running))
                return 0
        else:
            sys.stderr.write(f"emulators: others hold {options.state / 'lock'} and are not ready: end them first\n")
            return 1
        (options.state / "ready.json").unlink(missing_ok=True)
        emulators = Emulators(
            options.state, latency=options.latency, startup=options.startup, volatile=options.volatile
        )  # fmt: skip
        try:
            emulators.start()
        except (RuntimeError, OSError, psycopg.Error) as error:
            sys.stderr.write(f"emulators: {' '.join(str(error).split())}\n")
            return 1
        _say(_exports({"exports": emulators.exports}))
        ended.wait()
        emulators.stop()
    return 0


def _detach(state: Path, arguments: list[str]) -> int:
    command = [sys.executable, "-m", "local.emulators", *(word for word in arguments if word != "--detach")]
    log = state / "log"
    with log.open("ab") as errors:
        # Of its output nothing is kept: it holds tokens.
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
        )
    for _ in _patiently():
        ended = process.poll() is not None
        if running := _running(state):
            _say(_exports(running))
            return 0
        if ended:
            break
    process.terminate()
    said = log.read_text(errors="replace").strip().splitlines()
    sys.stderr.write(f"{said[-1] if said else 'emulators: did not start'} (see {log})\n")
    return 1


def _stop(state: Path) -> int:
    running = _running(state)
    if running is None:
        _say("not running")
        return 0
    os.kill(running["pid"], signal.SIGTERM)
    with (state / "lock").open() as lock:
        if not any(_locked(lock.fileno(), fcntl.LOCK_SH) for _ in _patiently()):
            sys.stderr.write(f"emulators: pid {running['pid']} does not stop\n")
            return 1
    _say("stopped")
    return 0


def _running(state: Path) -> dict[str, Any] | None:
    """What the emulators that serve this state say of themselves; None when none do, or are not ready."""
    try:
        with (state / "lock").open() as lock:
            if _locked(lock.fileno(), fcntl.LOCK_SH):
                return None
        ready: dict[str, Any] = json.loads((state / "ready.json").read_text())
        return ready if {"pid", "exports", "services"} <= ready.keys() else None
    except (FileNotFoundError, ValueError, AttributeError):  # not ready, or damaged
        return None


def _locked(file: int, kind: int) -> bool:
    """Take a lock, unless somebody else has it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _patiently() -> Iterator[None]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
        time.sleep(0.05)


def _exports(running: dict[str, Any]) -> str:
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in running["exports"].items())


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
