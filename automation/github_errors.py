"""What GitHub's refusals mean for an operator: the plugin's long message becomes what, where and what to do."""

import re

from common.errors import OperatorError

TYPE = "github:index/"
ANSWER = re.compile(r"([A-Z]+) https?://[^/ ]+/(?:api/v3/)?(\S+): (\d{3}) (.*?) *\[(.*?)\](?:: provider=\S+| |$)")
NO_ANSWER = re.compile(
    r'(?:(?P<method>[A-Z][a-z]+) "https?://[^/ ]+/(?:api/v3(?=/))?(?P<path>[^"?]*)[^"]*": (?P<why>.+?)'
    r"|(?P<cut>(?:unexpected )?EOF|unexpected end of JSON input))(?:: provider=\S+|\s*$)"
)
LATER = "What is made stays, and the next run goes on from there"
# Regular expressions matched, ignoring case, against "<where>: <status> <reason>"; the first match wins. A reason goes
# before a status: one status has many reasons, and most of them do not end by running again.
REMEDIES = (
    (r": 401 ", "Set GITHUB_TOKEN to a token that is valid and has not expired."),
    (
        r"SAML|single sign-on",
        "Authorize GITHUB_TOKEN for the organization's SSO: on GitHub, in the token's settings, Configure SSO.",
    ),
    (
        r"IP allow list|IP address is not permitted",
        "Run from a network on the organization's IP allow list, or let an owner add this one.",
    ),
    (
        r"OAuth App access restrictions|forbids access via a (?:personal|fine-grained)|token.{0,40}lifetime"
        r"|enterprise managed user",
        "The organization's policy refuses this kind of token: use one that it allows, or let an owner approve this"
        " one.",
    ),
    (
        r"two.factor",
        "The organization requires two-factor authentication: turn it on for the account of GITHUB_TOKEN.",
    ),
    (
        r"not accessible by (?:personal access token|integration)",
        "The token lacks a permission: a fine-grained one needs read and write on Administration, Contents, Variables"
        " and Workflows of all of the owner's repositories.",
    ),
    (
        r"secret.{0,20}(?:detected|scanning)|push protection|cannot contain secrets",
        "Remove the secret from that file of starter/ and revoke it. Running again does not help.",
    ),
    (
        r"(?:/orgs/[^/ ]+/repos|/user/repos|/generate): (?:403|422) .*"
        r"(?:\brules?\b|polic|must (?:not )?(?:match|start|end))",
        "The organization's rules refuse a repository of this name or kind: let an owner make an exception, or choose"
        " another projectName. Running again does not help.",
    ),
    (
        r"rule violations|must be made through (?:a pull request|the merge queue)|merge queue|approving review"
        r"|protected (?:branch|ref|tag)|required (?:status check|workflow|deployment|signature)|being restricted"
        r"|(?:verified|signed) (?:signatures|commits)|commits? (?:must|message|author)|must not contain merge"
        r"|(?:file (?:path|extension|size)|path length).{0,60}(?:restrict|exceed|not allowed)",
        "A rule on the default branch refuses direct commits: let an owner add this token's account to the rule's"
        " bypass list. Running again does not help.",
    ),
    (r"ruleset.*: 403 upgrade", "Set ruleset: false, or take a plan with rulesets on private repositories."),
    (r"upgrade to GitHub", "The owner's plan does not have it: take one that does."),
    (
        r": 429 |rate limit|abuse detection|too quickly",
        f"Wait some minutes and run it again, with fewer clients at once. {LATER}.",
    ),
    (
        r"suspended|flagged|billing|spending limit|payment",
        "Settle it in the GitHub account's billing pages or with its support, then run it again.",
    ),
    (
        r": 451 |access blocked|repository.{0,20}(?:disabled|locked)",
        "GitHub has blocked or locked it: see it there, or ask GitHub's support. Running again does not help.",
    ),
    (
        r"private repositor|visibility|admin access to the organization|cannot create repositor",
        "The organization does not let this account make private repositories: an owner changes that under Member"
        " privileges, or gives the token of an account that may.",
    ),
    (r": 403 .*archived", "Unarchive it on GitHub, or rename it there so that a new one is made."),
    (r": 403 ", "The token may not do this: give it the scopes repo, workflow and (to delete) delete_repo."),
    (
        r"/contents/\.github/workflows/\S+: 404 ",
        "GitHub says no more to a token without the scope workflow: add it.",
    ),
    (
        r"/generate: 404 ",
        "The token does not see the template repository: correct repositoryTemplate, or give the token access to it.",
    ),
    (
        r": 404 (?:no such )?branch|branch \S+ (?:was )?not found|no commit found for the ref"
        r"|(?:branch|reference).{0,40}does not exist",
        "Make the branch main on GitHub, then run it again.",
    ),
    (
        r" (?:PATCH /repos/[^/ ]+/[^/ ]+|POST /orgs/[^/ ]+/repos): 404 ",
        "The token sees no such organization or repository: correct GITHUB_OWNER, or give the token access to it."
        " Nothing is concluded from this answer.",
    ),
    (
        r": 404 ",
        "It is gone, or the token may not see it: check GITHUB_OWNER and the scope repo, then `up --refresh`.",
    ),
    (
        r": 422 .*name already exists",
        "Nothing proves that it is this client's, so it is not taken over: rename it on GitHub, or choose another"
        " projectName.",
    ),
    (
        r": 409 .*already exists",
        "It was made by hand and is never taken over: copy its value, delete it there and run it again.",
    ),
    (r"/rename: 422 ", "Make main the default branch again on GitHub, then run it again."),
    (r": 409 .*(?:does not match|but expected|is empty|sha)|: 5\d\d ", f"Run it again. {LATER}."),
    (r": (?:409|422) ", "Correct on GitHub what it refuses, then run it again."),
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
    tried = f"{where}: {status} {said}"
    remedy = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, tried, re.IGNORECASE)), "")
    return str(OperatorError(what, where, remedy))
