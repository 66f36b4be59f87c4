"""The pooler's own words when it refuses a login: what they mean, and whether waiting helps. Knows no Pulumi.

The texts are those of Supavisor and PgBouncer, in Supavisor's older form and in the newer one that begins with a code
in parentheses. libpq hands out no SQLSTATE for a failed connection, so the words have to do.
"""

import ipaddress
import re
from dataclasses import dataclass

LONGEST = 240  # characters of the pooler's words that are told


@dataclass(frozen=True)
class Refusal:
    """A login that the pooler or the database refused for another reason than its password.

    Attributes:
        words: the pooler's own, one line. They hold no address but the caller's own, as the pooler sees it.
        remedy: what the operator can do, empty for words that are not known here.
        passes: whether the same login may succeed later without anybody's help.
    """

    words: str
    remedy: str
    passes: bool


@dataclass(frozen=True)
class _Kind:
    """One reason: a pattern of its words, the remedy, and whether it passes by itself."""

    pattern: str
    remedy: str
    passes: bool


KINDS = (
    _Kind(
        r"not in tenant allow_list|EADDRNOTALLOWED",
        "Add this machine's address to `operatorAddresses` and `allowedAddresses` in Pulumi.<environment>.yaml, or run"
        " from an address that the project's network restrictions allow.",
        passes=False,
    ),
    _Kind(
        r"exceed_\w*quota|restricted due to the following violations",
        "The organization has used up its quota: upgrade its plan or remove the spend cap, on its billing page in the"
        " Supabase dashboard.",
        passes=False,
    ),
    _Kind(
        r"tenant is banned|EBANNED",
        "Supabase has banned the project from its pooler: ask its support.",
        passes=False,
    ),
    _Kind(
        r"SSL connection is required|ESSLREQUIRED|SSL required",
        "The project takes encrypted connections only: set PGSSLMODE=require.",
        passes=False,
    ),
    _Kind(
        r"no tenant identifier|ENOIDENTIFIER|EINVALIDUSERINFO|Invalid format for user",
        "The pooler knows each role as `<role>.<project ref>`: correct the user's name.",
        passes=False,
    ),
    _Kind(
        r"circuit ?breaker|too many authentication failures",
        "A wrong password was tried too often, and the pooler lets nobody in for some minutes: find the program that"
        " still uses an old password, then run `up` again.",
        passes=True,
    ),
    _Kind(
        r"tenant or user not found|tenant/user .*not found|ENOTFOUND",
        "The pooler does not know the project, which is usual for some minutes after its creation: run `up` again"
        " later, and see the project's status in the Supabase dashboard.",
        passes=True,
    ),
    _Kind(
        r"max clients|max client connections|max proxy connections|EMAXCONN|max pools|EMAXPOOLS"
        r"|too many (?:clients|connections)|remaining connection slots|no more connections allowed",
        "All connections are taken: close sessions that idle, or raise the pool size in the project's database"
        " settings.",
        passes=True,
    ),
    _Kind(
        r"DbHandler exited|EDBHANDLEREXITED|connection to database (?:closed|not available)|ECHECKOUT|check out"
        r"|EPOOLTERMINATING|ESUBSCRIBERETRIES|server_login_retry|server login has been failing",
        "The pooler loses its connections to the database: see the project's status in the Supabase dashboard.",
        passes=True,
    ),
)
FATAL = re.compile(r"FATAL:\s*(?P<words>[^\n]*)")
TUPLE = re.compile(r"\{(?P<numbers>\d{1,5}(?:\s*,\s*\d{1,5}){3,7})\}")
IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")
COLONS = re.compile(r"(?<![\w:])[0-9a-fA-F:]{3,}(?![\w:])")  # an IPv6 address or a time of day
EMAIL = re.compile(r"[^\s@\"']+@[^\s@\"']+\.\w+")


def explain(error: Exception) -> Refusal | None:
    """Read a failed login's reason from its words; None where nobody answered.

    Args:
        error: as psycopg raised it; one that is about the password is not for here.
    """
    text = str(error)
    found = FATAL.search(text)
    if found is None and "not found" not in text:
        return None
    words = found["words"] if found else text.splitlines()[0]
    kind = next((each for each in KINDS if re.search(each.pattern, words, re.IGNORECASE)), None)
    # Whoever is not on the list is the caller, so that address is the caller's own.
    told = _clean(words, keep_address=kind is KINDS[0])
    return Refusal(told, kind.remedy if kind else "", kind.passes if kind else True)


def _clean(words: str, *, keep_address: bool) -> str:
    """One printable line without e-mail addresses, and without network addresses unless they are kept."""
    line = "".join(character for character in " ".join(words.split()) if character.isprintable())
    line = TUPLE.sub(lambda found: _address(found["numbers"]), line)
    if not keep_address:
        line = COLONS.sub(_masked, IPV4.sub("(address)", line))
    return EMAIL.sub("(e-mail address)", line)[:LONGEST].rstrip(". ")


def _masked(found: re.Match[str]) -> str:
    try:
        ipaddress.IPv6Address(found[0])
    except ValueError:
        return found[0]
    return "(address)"


def _address(numbers: str) -> str:
    """An address as Erlang writes it, `203, 0, 113, 7`, in its usual form."""
    parts = [int(number) for number in numbers.split(",")]
    size = {4: 1, 8: 2}.get(len(parts), 0)
    try:
        return str(ipaddress.ip_address(b"".join(part.to_bytes(size, "big") for part in parts)))
    except (ValueError, OverflowError):
        return "(address)"
