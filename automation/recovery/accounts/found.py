"""One thing that no stack holds, and what is asked about all of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PROJECT, REPOSITORY, SITE = "Supabase project", "GitHub repository", "Vercel project"


@dataclass(frozen=True)
class Found:
    """A thing that no stack holds.

    Attributes:
        kind: `PROJECT`, `REPOSITORY` or `SITE`.
        name: its name, for people.
        client: the client that it belongs to, or would by its name; empty when neither tells.
        proof: why it is that client's; empty when nothing proves it.
        doubt: why nothing does; empty when something does.
    """

    kind: str
    name: str
    client: str
    proof: str = ""
    doubt: str = ""


@dataclass
class Report:
    """What was found, and what could not be looked at: a line each, never counted as nothing there."""

    found: list[Found] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The report in JSON's types."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What the command line knows, and the accounts to look at.

    Attributes:
        organizations: slugs of Supabase organizations.
        teams: ids of Vercel teams; None stands for the token's own account.
        names: patterns of the names that clients' things have, with a group `client`.
        projects, repositories, sites: ids that stacks hold; repositories by name in lower case, or by number.
        clients: API URL of a project in a stack, or the name of a repository in one, in lower case -> its stack.
        described: repository name -> (client, description) as the clients' files say.
    """

    organizations: Sequence[str]
    teams: Sequence[str | None]
    names: Sequence[str]
    projects: frozenset[str]
    repositories: frozenset[str]
    sites: frozenset[str]
    clients: Mapping[str, str]
    described: Mapping[str, tuple[str, str]]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Asked":
        """Read what the command line wrote as JSON."""
        return cls(
            organizations=content["organizations"],
            teams=content["teams"],
            names=content["names"],
            projects=frozenset(content["projects"]),
            repositories=frozenset(content["repositories"]),
            sites=frozenset(content["sites"]),
            clients=content["clients"],
            described={name: (client, text) for name, (client, text) in content["described"].items()},
        )

    def client_by_name(self, name: str) -> str:
        """The client whose thing would be called so, or an empty text."""
        fits = (re.fullmatch(pattern, name) for pattern in self.names)
        return next((found["client"] for found in fits if found), "")
