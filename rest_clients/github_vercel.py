"""Sessions with GitHub's and Vercel's own APIs, by the tokens of the environment, for what no plugin does."""

import os

import httpx

from rest_clients.http_session import open_session


def github() -> httpx.Client:
    """GitHub's REST API, or the one of the server in `GITHUB_BASE_URL`."""
    base = (os.environ.get("GITHUB_BASE_URL") or "https://api.github.com").rstrip("/")
    # GitHub Enterprise answers below a path of its own, as the provider knows too.
    return _session(base if base.endswith("api.github.com") else f"{base}/api/v3", "GITHUB_TOKEN")


def vercel() -> httpx.Client:
    """Vercel's REST API."""
    return _session("https://api.vercel.com", "VERCEL_API_TOKEN")


def _session(base: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {os.environ.get(token, '')}"}
    return open_session(base, headers=headers)
