"""What Vercel's refusals mean for an operator; of a build that failed, its own last lines."""

import re
import ssl
from collections.abc import Mapping

import httpx

from components.errors import OperatorError

TYPE = "vercel:index/"
ANSWER = re.compile(r"(?:\[ERROR\] )?(?:Could not|Error) (.+?), unexpected error: (.*?)(?:: Error [\w ]+)?$")
BUILD = re.compile(r"(BUILD_FAILED|\w+) - .* Visit https://vercel\.com/\S+/(\w+) for more information")
LINES = 8
# Found in `where: code - message`; the first that fits counts.
REMEDIES = (
    (
        r"(?i)rate_limited|internal_server_error|API request: 5\d\d|error (?:reading|unmarshaling|doing)",
        "Run it again later. What is made stays, and it goes on from there.",
    ),
    (r"forbidden|not_authorized", "Set VERCEL_API_TOKEN to a token that is valid and may work in vercelTeam."),
    (r"GitHub integration", "Install Vercel's GitHub App for GITHUB_OWNER, with access to all of its repositories."),
    (r"ENV_CONFLICT|nvironment variable.*already", "It was made by hand and is never taken over: delete it there."),
    (r"(?i)domain", "Remove it from the other project or account, or prove there that it is yours."),
    (r"already exists", "It is never taken over: rename or delete it, or choose another projectName."),
    (r"BUILD_FAILED", "Correct it in the client's repository, then run it again. The site before goes on."),
)


def explained(text: str, urn: str) -> str:
    """The message of a failed resource; of one of Vercel's, with what to do about it."""
    answer = ANSWER.search(text) if TYPE in urn else None
    return refusal(f"Vercel cannot {answer[1]}", answer[2]) if answer else text


def refusal(where: str, said: str) -> str:
    """A refusal of Vercel's in one line; of a page, what it says."""
    said = " ".join(re.sub(r"<[^>]*>", " ", said).split())
    remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, f"{where}: {said}")), "")
    return str(OperatorError(said.rstrip("."), where, remedy))


def with_build_log(text: str, team: str | None, environment: Mapping[str, str]) -> str:
    """The message of a deployment whose build failed, with the last lines of its log instead of where to find them.

    Args:
        team: the team's id; None for a person's own account.
        environment: of the provider; names the token, and how Vercel is reached.
    """
    found = BUILD.search(text)
    lines = _log(found[2], team, environment) if found else []
    return text.replace(found[0], " | ".join([found[1], *lines])) if found and lines else text


def _log(deployment: str, team: str | None, environment: Mapping[str, str]) -> list[str]:
    """The last lines of a build's log; none when Vercel does not tell them, since the message stands without."""
    bundle = environment.get("SSL_CERT_FILE")
    headers = {"Authorization": f"Bearer {environment.get('VERCEL_API_TOKEN', '')}"}
    try:
        answer = httpx.get(
            f"https://api.vercel.com/v3/deployments/dpl_{deployment}/events",
            params={"limit": -1, **({"teamId": team} if team else {})},
            headers=headers,
            proxy=environment.get("HTTPS_PROXY"),
            verify=ssl.create_default_context(cafile=bundle) if bundle else True,
            timeout=20,
        )
        events = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return []
    # Both forms are documented: the text beside the event's time, or in its payload.
    texts = (event.get("text") or (event.get("payload") or {}).get("text") or "" for event in events)
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()][-LINES:]
