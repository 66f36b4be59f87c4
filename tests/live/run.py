"""One client of a live run, through the command line as an operator would, and its end: destroyed whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self
from unittest import mock

from tests.automation.local_client import Client
from tests.live.accounts import SERVICES, Accounts
from tests.live.cost import LONGEST_HOURS
from tests.live.folder import prepare, runs
from tests.live.recorder import RECORDED, Recorder, save
from tests.live.redaction import redact
from tests.live.replay import ORGANIZATION, OWNER, settled
from tests.live.replay import RUN as MASK
from tests.live.sweep import OLD, RUN, find, remove

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class LiveClient(Client):
    """A client in accounts; a context manager that ends with nothing left, by error and by signal too.

    Args:
        accounts: where it lives.
        name: the run's id, and the name of everything that is made.
        fixtures: folder for what was recorded, once all went well.
    """

    def __init__(self, accounts: Accounts, name: str, fixtures: Path | None = None) -> None:
        # Only where no engine is and nothing is real may one be rehearsed.
        local = not accounts.real and shutil.which("pulumi") is None
        super().__init__(name, runs() / name, accounts, local)
        self.fixtures, self.ends = fixtures, time.monotonic() + LONGEST_HOURS / 2 * 3600
        self.recorders: dict[str, Recorder] = {}
        self.urls: dict[str, str] = {}

    @property
    def project_name(self) -> str:
        return self.name

    def __enter__(self) -> Self:
        with ExitStack() as ending:
            for number in SIGNALS:
                ending.callback(signal.signal, number, signal.signal(number, _interrupt))
            for service in RECORDED:
                self.recorders[service] = Recorder(service, self.emulators.url(service))
                self.urls[service] = ending.enter_context(self.recorders[service].serving())
            prepare(self.root, real=self.emulators.real)
            ending.enter_context(mock.patch.dict(os.environ, environment(self)))
            self.ending = ending.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        with self.ending:
            for number in SIGNALS:
                signal.signal(number, _later)
            try:
                known = [] if kind else [value for _, value in self.secrets()]
            finally:
                said = finish(self)
            if kind is None:
                assert not said, said
                write(self, known)

    def __call__(self, verb: str, *words: str) -> tuple[int, dict[str, Any]]:
        """Run a verb in a process of its own, in a session that a Ctrl-C does not reach."""
        flags = ["--local"] if self.local else []
        process = subprocess.Popen(
            [sys.executable, "-m", "automation", verb, self.name, "--json", *flags, *words],
            cwd=self.root,
            env={**os.environ, **environment(self)},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=None if verb == "destroy" else max(1.0, self.ends - time.monotonic()))
        except BaseException:
            # The engine ends what it does, and keeps its state.
            os.killpg(process.pid, signal.SIGINT)
            process.communicate()
            raise
        content = json.loads(said)
        return process.returncode, (content["clients"] or [{"error": content.get("error")}])[0]


def environment(client: LiveClient) -> dict[str, str]:
    """The variables of the run: its accounts through the recorders, its state in its folder."""
    accounts: Accounts = client.emulators
    recorded = {SERVICES[service][1]: url for service, url in client.urls.items()}
    if client.local:
        ready = client.root / ".local/emulators/ready.json"
        ready.parent.mkdir(parents=True, exist_ok=True)
        services = {service: accounts.url(service) for service in SERVICES}
        ready.write_text(json.dumps({"pid": os.getpid(), "exports": recorded, "services": services}))
    state = {
        "PULUMI_BACKEND_URL": (client.root / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": (client.root / "passphrase").read_text(),
    }
    return {**accounts.exports, **recorded, **state}


def finish(client: LiveClient) -> list[str]:
    """Destroy the stack, then what no stack knows; forget the run when nothing of it is left.

    Returns:
        why destroying the stack alone was not enough.

    Raises:
        AssertionError: naming what is left.
    """
    code, said = client("destroy", "--yes")
    mine = [one for one in find(client.emulators, older_than=timedelta(0)) if one.name == client.name]
    left = [fault for one in mine if (fault := remove(client.emulators, one))]
    assert not left, left
    shutil.rmtree(client.root)
    return [*([f"destroy failed: {said['error']}"] if code else []), *(f"{one} was left" for one in mine)]


def sweep(accounts: Accounts) -> list[str]:
    """Destroy what earlier runs left: by their stacks where there are any, then by name; a line for each."""
    done = []
    for folder in sorted(runs().glob("live-*")):
        if RUN.fullmatch(folder.name) and int(folder.name.split("-")[1], 16) < time.time() - OLD.total_seconds():
            prepare(folder, real=accounts.real)
            finish(LiveClient(accounts, folder.name))
            done.append(f"the stack of {folder.name}")
    for one in find(accounts):
        done.append(remove(accounts, one) or f"{one.service} {one.name}")
    return done


def write(client: LiveClient, known: list[str]) -> None:
    """Keep what was recorded, for the replay."""
    accounts: Accounts = client.emulators
    tokens = [accounts.exports[token] for token, _, _ in SERVICES.values()]
    names = {accounts.exports["GITHUB_OWNER"]: OWNER, accounts.exports["SUPABASE_ORG_SLUG"]: ORGANIZATION}
    for service, recorder in client.recorders.items():
        if client.fixtures and recorder.exchanges:
            told = redact(settled(recorder.exchanges), secrets=[*tokens, *known], names=names | {client.name: MASK})
            save(told, client.fixtures / f"{service}.json")


def _interrupt(number: int, frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, _later)
    raise KeyboardInterrupt


def _later(number: int, frame: FrameType | None) -> None:
    sys.stderr.write("\nStill destroying what this run has made. Killing it now would leave that behind.\n")
