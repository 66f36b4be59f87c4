"""Asks a deployed site for its page, and its health route for the database: `python -m components.probe`.

Takes the address from `SITE_URL`. Prints one line; exits with 1 when the site does not answer well in time. A new
address needs a moment until every edge of the network knows it, so it is asked again until the deadline.
"""

import os
import sys
import time
from typing import Any

import httpx

from common.errors import OperatorError
from rest_clients.http_session import open_session

DEADLINE = 90.0  # seconds
REQUEST_SECONDS = 15.0
PAUSE = 1.0
HEALTH = "/api/health"


def probe(url: str, *, deadline: float = DEADLINE, pause: float = PAUSE) -> str:
    """Ask until both answer well.

    Args:
        url: the site's address.
        deadline: seconds after which it has failed.
        pause: seconds between two attempts.

    Returns:
        what the site said, in one line.

    Raises:
        OperatorError: with what was wrong last.
    """
    ends = time.monotonic() + deadline
    trust = not url.startswith("http:")
    with open_session(url, seconds=REQUEST_SECONDS, follow_redirects=True, trust_env=trust) as http:
        while isinstance(health := _look(http), str):
            if time.monotonic() + pause > ends:
                raise OperatorError(health, url, "Look at the deployment's log at Vercel, and at the project's API.")
            time.sleep(pause)
    if health["status"] == "simulated":
        return f"{url} (simulated): {health['error']}"
    return f"{url} answers, its database in {health['milliseconds']} ms"


def _look(http: httpx.Client) -> str | dict[str, Any]:
    """What the health route says, or what is wrong."""
    for path in ("/", HEALTH):
        try:
            answer = http.get(path)
        except httpx.HTTPError as error:
            return f"{path} cannot be reached ({type(error).__name__})"
        if answer.status_code != httpx.codes.OK:
            return f"{path} answers {answer.status_code}{_reason(answer)}"
    try:
        health: dict[str, Any] = answer.json()
    except ValueError:
        return f"{HEALTH} answers no JSON"
    return health


def _reason(answer: httpx.Response) -> str:
    try:
        return f": {answer.json()['error']}"
    except (ValueError, KeyError, TypeError):
        return ""


if __name__ == "__main__":
    try:
        print(probe(os.environ["SITE_URL"]))  # noqa: T201
    except OperatorError as error:
        sys.exit(str(error))
