"""Who takes part in the isolation check: three organizations of its own with their accounts, and the claims of each."""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MEMBER_ROLES = ("owner", "admin", "member")


@dataclass(frozen=True)
class Actor:
    """Who attacks: a database role, and the account in the token, when there is one.

    `posing_as` is the organization that the account names wherever a request lets it: metadata, headers, cookies.
    """

    role: str
    label: str
    account: str | None = None
    posing_as: str | None = None
    member: str = ""

    def settings(self, names: Iterable[str]) -> dict[str, str]:
        """The settings that the Data API makes from a request of this actor.

        Args:
            names: under which the actor claims to belong to the organization that it poses as.
        """
        posing = dict.fromkeys(names, self.posing_as) if self.posing_as else {}
        metadata = {**posing, "organization_id": self.posing_as, "role": "owner"}
        claims = {"role": self.role, "sub": self.account, "user_metadata": metadata}
        headers = json.dumps({name.lower(): value for name, value in posing.items()})
        return {
            "request.jwt.claims": json.dumps(claims),
            "request.headers": headers,
            "request.cookies": json.dumps(posing),
        }


NOBODY = Actor("anon", "not signed in")
SERVER = Actor("service_role", "server")


@dataclass(frozen=True)
class Organization:
    """An organization of the check, with its accounts by member role."""

    accounts: Mapping[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of(cls, *roles: str) -> "Organization":
        """An organization with one account per role."""
        return cls({role: str(uuid.uuid4()) for role in roles})

    def actor(self, role: str, label: str, posing_as: str | None = None) -> Actor:
        """The signed-in account of that member role."""
        return Actor("authenticated", label, self.accounts[role], posing_as, role)


@dataclass(frozen=True)
class Stage:
    """The organizations the check makes: a victim, a neighbour like it that is closed, and an outsider's, which has
    members and no rows.
    """

    victim: Organization
    neighbour: Organization
    outsider: Organization
    stranger: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def new(cls) -> "Stage":
        """Fresh ids, so that checks running at once do not meet."""
        full = (*MEMBER_ROLES, "disabled")
        return cls(
            Organization.of(*full),
            Organization.of(*full),
            Organization.of(*MEMBER_ROLES),
        )

    @property
    def organizations(self) -> tuple[Organization, ...]:
        """All three; the victim last, so that the others can be observed without it."""
        return self.outsider, self.neighbour, self.victim

    @property
    def foreigners(self) -> list[Actor]:
        """Accounts that the victim's rows do not belong to."""
        own, victim = self.outsider, self.victim.id
        members = [own.actor(role, f"{role} of another organization", victim) for role in reversed(MEMBER_ROLES)]
        return [*members, Actor("authenticated", "account without organization", self.stranger, victim)]
