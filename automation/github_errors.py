"""What GitHub's refusals mean for an operator: the plugin's long message becomes what, where and what to do."""

import re

from components.errors import OperatorError

TYPE = "github:index/"
ANSWER = re.compile(r"([A-Z]+) https?://[^/ ]+/(?:api/v3/)?(\S+): (\d{3}) (.*?) *\[(.*?)\](?:: provider=\S+| |$)")
NO_ANSWER = re.compile(
    r'(?:(?P<method>[A-Z][a-z]+) "https?://[^/ ]+/(?:api/v3(?=/))?(?P<path>[^"?]*)[^"]*": (?P<why>.+?)'
    r"|(?P<cut>(?:unexpected )?EOF|unexpected end of JSON input))(?:: provider=\S+|\s*$)"
)
LATER = "What is made stays, and the next run goes on from there"
# Found in `place: status message`; the first that fits counts.
REMEDIES = (
    (r": 401 ", "Set GITHUB_TOKEN to a token that is valid and has not expired."),
    (r"(?i)ruleset.*: 403 upgrade", "Set ruleset: false, or take a plan with rulesets on private repositories."),
    (r"(?i): 429 |rate limit", f"Wait some minutes and run it again, with fewer clients at once. {LATER}."),
    (r": 403 .*archived", "Unarchive it on GitHub, or rename it there so that a new one is made."),
    (r": 403 ", "The token may not do this: give it the scopes repo, workflow and (to delete) delete_repo."),
    (r"/contents/\.github/workflows/\S+: 404 ", "GitHub says no more to a token without the scope workflow: add it."),
    (
        r" PATCH /repos/[^/ ]+/[^/ ]+: 404 ",
        "The token sees no such organization or repository: correct GITHUB_OWNER, delete what was made in the token's"
        " own account instead, then run `up --refresh`.",
    ),
    (r": 404 ", "It is gone, or the token may not see it: check GITHUB_OWNER and the scope repo, then `up --refresh`."),
    (r": 422 .*name already exists", "It is never taken over: rename or delete it, or choose another projectName."),
    (r"(?i): 409 .*already exists", "It was made by hand and is never taken over: delete it there and run it again."),
    (r"/rename: 422 ", "Make main the default branch again on GitHub, then run it again."),
    (r": (409|5\d\d) ", f"Run it again. {LATER}."),
)


def explained(text: str, urn: str) -> str:
    """The message of a failed resource; of one of GitHub's, with what to do about it."""
    answer = ANSWER.search(text) if TYPE in urn else None
    if answer is None:
        lost = NO_ANSWER.search(text) if TYPE in urn else None
        if lost is None:
            return text
        where = f"GitHub {(lost['method'] or '').upper()} {lost['path'] or ''}".rstrip()
        what = f"no whole answer ({(lost['why'] or lost['cut']).rstrip('.')})"
        return str(OperatorError(what, where, f"Run it again. {LATER}."))
    method, path, status, said, details = answer.groups()
    named = re.findall(r"Message:([^}]*)}", details)
    return refusal(f"GitHub {method} /{path}", int(status), ", ".join(named) or said)


def refusal(where: str, status: int, said: str) -> str:
    """An answer of GitHub's that is an error, in one line."""
    what = f"{status} {said}".rstrip(". ")
    remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, f"{where}: {status} {said}")), "")
    return str(OperatorError(what, where, remedy))
