"""Looks at all that an `up` needs: `python -m automation.preflight CLIENT [--state none|password|project] [--pooler
HOST:PORT]` prints findings as one JSON list. Asks with the tokens of the environment and changes nothing.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from automation.preflight import declared, github, supabase, vercel
from automation.preflight.finding import Finding
from common.errors import OperatorError
from components.settings import ClientSettings, declared_settings, load_settings
from supabase_management.client import Client

# What of the client is in state -> what `supabase.examine` calls fresh.
STATES = {"none": True, "password": False, "project": None}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the findings."""
    parser = argparse.ArgumentParser(prog="python -m automation.preflight")
    parser.add_argument("client")
    parser.add_argument("--state", choices=STATES, default="none")
    parser.add_argument("--pooler", metavar="HOST:PORT")
    chosen = parser.parse_args(arguments)
    try:
        settings, fresh = load_settings(chosen.client, Path.cwd()), STATES[chosen.state]
        findings = examine(settings, fresh, chosen.pooler)
        findings += declared.examine(settings, fresh, declared_settings(settings, Path.cwd()), findings)
    except OperatorError as refusal:
        findings = [Finding("settings", str(refusal), "failed")]
    print(json.dumps([finding.as_json() for finding in findings]))  # noqa: T201


def examine(settings: ClientSettings, fresh: bool | None, pooler: str | None) -> list[Finding]:
    """All findings; the services are asked at the same time."""
    looks: list[Callable[[], list[Finding]]] = [
        lambda: _supabase(settings, fresh),
        lambda: github.examine(settings),
        lambda: vercel.examine(settings),
        lambda: [supabase.pooler(pooler)] if pooler else [],
    ]
    with ThreadPoolExecutor(len(looks)) as pool:
        return [finding for found in pool.map(lambda look: look(), looks) for finding in found]


def _supabase(settings: ClientSettings, fresh: bool | None) -> list[Finding]:
    try:
        with Client.from_environment() as client:
            return supabase.examine(client, settings, fresh=fresh)
    except OperatorError as refusal:
        return [Finding("Supabase token", str(refusal), "failed")]


if __name__ == "__main__":
    main()
