"""The GitHub half of a client under Pulumi's own engine and the real plugin, with the emulator beside it."""

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from local.emulators.context import Context
from local.emulators.fault_injection import Harness
from local.emulators.github.app import ORGANIZATION, TOKEN, app, exports
from tests.emulators.native import NativeStack
from tests.emulators.recording import Answer, Recorder
from tests.emulators.serving import context_in, serve

NAME = "client-acme-prod"
REPOSITORY = f"/repos/{ORGANIZATION}/{NAME}"
PROGRAM = """
import os
from dataclasses import replace
import pulumi
from components import repository
from tests.wiring import SETTINGS

options = {key.removeprefix("SET_"): value for key, value in os.environ.items() if key.startswith("SET_")}
api_url = options.pop("api_url", "https://x.example")
archive = options.pop("archive_on_destroy", "") == "yes"
settings = replace(SETTINGS, protect=False, archive_on_destroy=archive, **options)
parent = pulumi.ComponentResource("test:index:Client", "client")
repository.GitHub(parent, settings, api_url=api_url, publishable_key="p")
"""


@dataclass
class Trial:
    """A stack, and the account that it is in."""

    url: str
    stack: NativeStack
    recorder: Recorder
    context: Context
    judged: list[Answer] = field(default_factory=list)

    def api(self, method: str, path: str, **body: Any) -> Any:
        """Look, or meddle by hand: the content of an answer that has to be good."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers, json=body or None, trust_env=False)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def missing(self, path: str) -> bool:
        """Whether something is gone."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        return httpx.get(f"{self.url}{path}", headers=headers, trust_env=False).status_code == 404

    def fault(self, **fault: Any) -> None:
        """Make a request go wrong."""
        httpx.post(f"{self.url}/_emulator/faults", json=fault, trust_env=False).raise_for_status()

    def clear(self) -> None:
        """Let everything go right again."""
        httpx.delete(f"{self.url}/_emulator/faults", trust_env=False).raise_for_status()

    def account(self, **switches: Any) -> None:
        """Change what the plan offers or what the token may do."""
        httpx.patch(f"{self.url}/_account/", json=switches, trust_env=False).raise_for_status()

    def writes(self) -> list[str]:
        """What was written since the last time somebody asked."""
        taken = self.recorder.take()
        self.judged += taken
        return [f"{one.method} {one.path.removeprefix(REPOSITORY)}" for one in taken if one.method != "GET"]

    def secret_is(self, name: str, value: str) -> bool:
        """Whether the value came out of the sealed box as it went in; only its digest is kept."""
        (found,) = self.context.store.all("github.repository").values()
        digest: str = found["secrets"][name]["digest"]
        return digest == hashlib.sha256(value.encode()).hexdigest()


@contextmanager
def trial(folder: Path, program: str = PROGRAM, more: Mapping[str, str] = {}) -> Iterator[Trial]:
    """A trial in an empty folder; `more` replaces variables of the environment."""
    for name in ("store", "stack"):
        (folder / name).mkdir()
    seconds = itertools.count()
    began = datetime(2026, 1, 1, tzinfo=UTC)
    # Every look at the clock is a second later, so that what is written twice shows.
    context = replace(context_in(folder / "store"), clock=lambda: began + timedelta(seconds=next(seconds)))
    recorder = Recorder(Harness(app(context)))
    with serve(lambda _: recorder, context) as url:
        stack = NativeStack(folder / "stack", program, {**exports(url), **more})
        yield Trial(url, stack, recorder, context)
