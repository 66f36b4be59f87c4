"""A repository and a site under Pulumi's own engine and the real plugins, against the emulators."""

from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Local
from tests.emulators.native import ROOT, NativeStack

NAME = "client-native-local"
PROGRAM = """
import os
from dataclasses import replace
from pathlib import Path
import pulumi
from components import repository, site
from tests.wiring import SETTINGS

# Two files stand for all: the repository has tests of its own.
repository.STARTER = Path("starter")
options = {key.removeprefix("SET_"): value for key, value in os.environ.items() if key.startswith("SET_")}
named = {"project_name": "client-native-local", **options}
settings = replace(SETTINGS, protect=False, archive_on_destroy=False, **named)
parent = pulumi.ComponentResource("test:index:Client", "client")
made = repository.GitHub(parent, settings, api_url="https://x.example", publishable_key="p")
site.Vercel(
    parent, settings, repository_full_name=made.full_name, repository_content=made.content, commits=made.commits,
    api_url="https://x.example", publishable_key="p", secret_key=pulumi.Output.secret("made-up-secret"),
    secret_key_id="key-1",
)
"""


class Stack(NativeStack):
    """The trial stack, and both services' APIs to look and to meddle."""

    def __init__(self, folder: Path, local: Local) -> None:
        super().__init__(folder, PROGRAM, local.exports)
        self.local = local
        (folder / ".venv").symlink_to(ROOT / ".venv")  # the probe's
        (folder / "starter").mkdir()
        (folder / "starter/README.md").write_text("# Site\n")
        (folder / "starter/vercel.json").write_text("{}\n")

    def api(self, service: str, method: str, path: str, **body: Any) -> httpx.Response:
        token = self.local.exports["GITHUB_TOKEN" if service == "github" else "VERCEL_API_TOKEN"]
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{self.local.urls[service]}{path}"
        return httpx.request(method, url, headers=headers, json=body or None, trust_env=False)
