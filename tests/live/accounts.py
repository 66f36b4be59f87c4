"""The accounts that a live run works in, as the environment names them, and their APIs to look and to clean up.

Where an endpoint is set the account is an emulator's: nothing else differs.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
NEEDED = ("SUPABASE_ACCESS_TOKEN", "SUPABASE_ORG_SLUG", "GITHUB_TOKEN", "GITHUB_OWNER", "VERCEL_API_TOKEN")
# Service -> the variable that holds its token, the one that may name another endpoint, and the endpoint.
SERVICES = {
    "supabase": ("SUPABASE_ACCESS_TOKEN", "SUPABASE_API_URL", "https://api.supabase.com"),
    "github": ("GITHUB_TOKEN", "GITHUB_BASE_URL", "https://api.github.com"),
    "vercel": ("VERCEL_API_TOKEN", "VERCEL_EMULATOR_URL", "https://api.vercel.com"),
}


def why_not(environment: Mapping[str, str], *, asked_for: bool) -> str | None:
    """Why no live run may begin; None when one may."""
    if absent := [name for name in NEEDED if not environment.get(name)]:
        return f"works in real accounts: make test-live, with {', '.join(absent)} set"
    return None if asked_for else "works in real accounts and costs money: make test-live"


@dataclass(frozen=True)
class Accounts:
    """One organization at Supabase, one owner at GitHub, one team or account at Vercel.

    Attributes:
        exports: the variables that name them.
        team: id of the Vercel team, or None for the token's own account.
    """

    exports: Mapping[str, str]
    team: str | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Accounts":
        """The accounts of an environment; the Vercel team is the production environment's."""
        config = yaml.safe_load((ROOT / "Pulumi.prod.yaml").read_text())["config"]
        return cls(environment, config.get("client-environments:vercelTeam"))

    @property
    def real(self) -> bool:
        """Whether anything outside this machine is reached."""
        return any(self.url(service).startswith("https:") for service in SERVICES)

    def url(self, service: str) -> str:
        """Base URL of a service's API."""
        _, variable, default = SERVICES[service]
        return (self.exports.get(variable) or default).rstrip("/")

    def ask(self, service: str, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """One request with the account's token; at Vercel, in the team."""
        url = f"{self.url(service)}{path}"
        if service == "vercel" and self.team:
            kwargs["params"] = {**kwargs.get("params", {}), "teamId": self.team}
        headers = {"Authorization": f"Bearer {self.exports[SERVICES[service][0]]}"}
        return _http(url.startswith("https:")).request(method, url, headers=headers, **kwargs)

    def supabase(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """Ask the Management API."""
        return self.ask("supabase", method, path, **kwargs)


@functools.cache
def _http(outside: bool) -> httpx.Client:
    """One for all, since making one costs more than a request; only what is outside knows the environment's proxy."""
    return httpx.Client(timeout=30, trust_env=outside)
