"""One client from its first `up` to its end, with everything kept that was said, asked and written on the way."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from automation.cli import app as command_line
from local.emulators.context import Context
from local.emulators.store import Store
from local.emulators.supabase.app import app, exports, token
from tests.automation.local_client import Client
from tests.emulators.recording import Answer, Recorder
from tests.emulators.serving import serve

CARRIERS = {"authorization", "apikey"}  # headers that have to carry a secret
SECRETS = (
    ("db-password", "result"),
    ("endpoints", "legacy_service_role_key"),
    ("secret-key", "value"),
    ("owner", "link"),
)
SAMPLE = 0.2  # seconds


@dataclass
class Life:
    """A client and what is known of it.

    Attributes:
        secrets: each with a name.
        said: what verbs printed.
        arguments: of every process that was seen.
    """

    client: Client
    recorder: Recorder
    exports: dict[str, str]
    secrets: dict[str, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    arguments: set[str] = field(default_factory=set)

    def __call__(self, *words: str, code: int = 0) -> None:
        """Run a verb, whose exit code is known."""
        verb, *more = words
        result = CliRunner().invoke(command_line, [verb, self.client.name, "--local", *more])
        self.said.append(result.output + result.stderr)
        assert result.exit_code == code, result.output + result.stderr
        self._learn()

    def _learn(self) -> None:
        state = self.state()
        for name, key in SECRETS:
            self._keep(f"{name} {key}", state.get(name, {"outputs": {}})["outputs"].get(key))

    def _keep(self, name: str, value: Any) -> None:
        if value and value not in self.secrets.values():
            self.secrets[f"{name} {len(self.secrets)}"] = value

    def state(self) -> dict[str, Any]:
        """What the client's stack holds, by name."""
        return self.client.state()

    def supabase(self, method: str, path: str, body: Any) -> None:
        """Change something by hand."""
        headers = {"Authorization": f"Bearer {self.exports['SUPABASE_ACCESS_TOKEN']}"}
        url = f"{self.exports['SUPABASE_API_URL']}{path}"
        self.client.emulators.http.request(method, url, json=body, headers=headers).raise_for_status()

    def exchanges(self) -> list[Answer]:
        """What the Management API was asked; the secrets in its answers are known from now on."""
        found = [one for one in self.recorder.answers if one.path.startswith("/v1/")]
        for one in found:
            if one.path.endswith("/cli/login-role"):
                self._keep("temporary login", one.body["password"])
            if one.path.endswith("/api-keys") and one.method == "GET" and one.status == 200:
                for key in one.body:
                    if key["type"] == "secret" and "·" not in key["api_key"]:
                        self._keep(f"key {key['name']}", key["api_key"])
        return found

    def written(self) -> dict[str, str]:
        """Everything that a run wrote down or showed, by where it is; the emulators' own memory is the service's."""
        files = (file for file in (self.client.root / ".local").rglob("*") if file.is_file())
        texts = {str(file): file.read_text(errors="replace") for file in files if "emulators" not in file.parts}
        for number, one in enumerate(self.recorder.answers):
            shown = {name: value for name, value in one.headers.items() if name not in CARRIERS}
            texts[f"request {number}"] = f"{one.path}?{one.query} {shown}"
        for service in ("github", "vercel"):
            texts[f"requests to {service}"] = json.dumps(self.client.emulators.requests(service))
        said = {f"output {number}": text for number, text in enumerate(self.said)}
        return texts | said | {"arguments": "\n".join(self.arguments)}


@contextmanager
def lived(client: Client, folder: Path) -> Iterator[Life]:
    """A client whose Supabase is recorded; the other services are those that all tests share."""
    context = Context(store=Store(folder / "store.sqlite"), postgres=client.emulators.postgres)
    recorder = Recorder(app(context))
    with serve(lambda _: recorder, context) as url:
        ready = client.root / ".local/emulators/ready.json"
        told = json.loads(ready.read_text())
        told["exports"] |= {**exports(url), "SUPABASE_ACCESS_TOKEN": token(context.store)}
        ready.write_text(json.dumps(told))
        life = Life(client, recorder, told["exports"])
        for name, value in told["exports"].items():
            if name.endswith("_TOKEN"):
                life.secrets[name] = value
        with _watched(life.arguments):
            yield life
    context.store.close()


@contextmanager
def _watched(seen: set[str]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLE):
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    seen.add((folder / "cmdline").read_text(errors="replace"))
                except OSError:
                    continue  # it has ended

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
