"""What Vercel's refusals mean for an operator; of a build that failed, its own last lines."""

import re
import ssl
from collections.abc import Mapping

import httpx

from common.errors import OperatorError
from rest_clients.http_session import open_session

TYPE = "vercel:index/"
# The summary of an error stands behind it or, in plugins of newer bridges, before it.
ANSWER = re.compile(
    r"(?:\[ERROR\] )?(?:Error [\w ]+: )?(?:\[ERROR\] )?"
    r"(?:Could not|Error) (.+?), unexpected error: (.*?)(?:: Error [\w ]+)?$"
)
BUILD = re.compile(r"(BUILD_FAILED|\w+) - .* Visit https://vercel\.com/\S+/(\w+) for more information")
LINES = 8
# Regular expressions matched, ignoring case, against "<where>: <code> - <message>"; the first match wins.
REMEDIES = (
    (
        r"rate_limited|too many requests|internal_server_error|API request: 5\d\d"
        r"|error (?:reading|unmarshaling|doing)",
        "Run it again later. What is made stays, and it goes on from there.",
    ),
    (
        r"login connection",
        "The owner of VERCEL_API_TOKEN adds GitHub under Account Settings, Authentication, at Vercel; then run it"
        " again.",
    ),
    (
        r"(?:git|commit) author|author of the commit|team_access_required",
        "The author of the commit is no member of the Vercel team: add the account of GITHUB_TOKEN to it, then run it"
        " again.",
    ),
    (
        r"(?:connected|linked) to more than|more than \d+ projects",
        "The repository is linked to as many sites as the plan allows: unlink one at Vercel that is not needed.",
    ),
    (
        r"GitHub (?:integration|app)|install the|failed to link|repository.{0,60}(?:couldn't|could not|can't) be found"
        r"|repo_not_found",
        "Install Vercel's GitHub App for GITHUB_OWNER, with access to all of its repositories.",
    ),
    (
        r"(?:branch|\bref\b).{0,60}(?:not (?:be )?found|can't be found|couldn't be found|does not exist)|no such branch"
        r"|incorrect_git_source",
        "The repository has no branch main: make it the default branch on GitHub, then run it again.",
    ),
    (
        r"\bSAML\b|single sign-on|re-authenticate",
        "Log in to the team by its SSO with the owner of VERCEL_API_TOKEN, then run it again.",
    ),
    (
        r"blocked|suspended|\bpaused\b",
        "Vercel has blocked or paused the account or the project: see its billing and usage pages there, then run it"
        " again.",
    ),
    (
        r"payment|upgrade|billing|limit.{0,20}(?:reached|exceeded)|too_many|free-per-day|\bplan\b",
        "The account's plan does not allow it: change the plan at Vercel, or make room there.",
    ),
    (r"invalid_domain|domain.{0,40}(?:is not valid|is invalid)", "Correct `domain` in the client's file."),
    (
        r"domain_\w+|domain.{0,80}(?:already|in use|another|don't have)"
        r"|(?:access|permission|authorized|use).{0,40}domain",
        "Remove it from the other project or account, or prove there that it is yours.",
    ),
    (
        r"forbidden|not_authorized|unauthorized|invalid.?token|missing_team|don't have (?:access|permission)",
        "Set VERCEL_API_TOKEN to a token that is valid and may work in vercelTeam.",
    ),
    (
        r"ENV_(?:CONFLICT|ALREADY_EXISTS)|environment variable.*(?:already|same name)",
        "It was made by hand and is never taken over: copy its value, then delete it there.",
    ),
    (r"domain", "Remove it from the other project or account, or prove there that it is yours."),
    (
        r"already exists",
        "Nothing proves that it is this client's, so it is not taken over: rename it at Vercel, or choose another"
        " projectName.",
    ),
    (r"BUILD_FAILED", "Correct it in the client's repository, then run it again. The site before goes on."),
    (
        r"not_found",
        "It is gone, or the token may not see it: check vercelTeam and VERCEL_API_TOKEN, then `up --refresh`.",
    ),
    (r"bad_request|conflict", "Correct at Vercel what it refuses, then run it again."),
)


def explained(text: str, urn: str) -> str:
    """The message of a failed resource; of one of Vercel's, with what to do about it."""
    answer = ANSWER.search(text) if TYPE in urn else None
    return refusal(f"Vercel cannot {answer[1]}", answer[2]) if answer else text


def refusal(where: str, said: str) -> str:
    """A refusal of Vercel's in one line; of a page, what it says."""
    said = " ".join(re.sub(r"<[^>]*>", " ", said).split())
    tried = f"{where}: {said}"
    remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, tried, re.IGNORECASE)), "")
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
        with open_session(
            "https://api.vercel.com",
            headers=headers,
            proxy=environment.get("HTTPS_PROXY"),
            verify=ssl.create_default_context(cafile=bundle) if bundle else True,
        ) as http:
            query = {"limit": "-1", **({"teamId": team} if team else {})}
            answer = http.get(f"/v3/deployments/dpl_{deployment}/events", params=query)
            events = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return []
    # Both forms are documented: the text beside the event's time, or in its payload.
    texts = (event.get("text") or (event.get("payload") or {}).get("text") or "" for event in events)
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()][-LINES:]
