"""The client's organization in its database, and its owner: the first who can sign in.

The rows are written through the database, as the schema is: one transaction for both, whether or not the Data API is
switched on, and without a secret key in the stack's state. Accounts belong to the Auth API alone, which a secret key
opens; it is read from the Management API when it is needed. With a mailer the owner is invited by mail. Without one
Supabase writes to its own team only, so there is a link, for the operator to hand over, that works once.
"""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, operation, require_engine, whole
from components.project_settings import PLANS
from components.supabase.inputs import REF, SECONDS, Rule, difference, failures

RULES: dict[str, Rule] = {
    "project_ref": REF,
    "timeout": SECONDS,
    "db_password": (r"\S+", "must be the password of the database"),
    "name": (r"\S(.{0,198}\S)?", "must be one line of 1 to 200 characters"),
    "slug": (r"[a-z0-9]+(-[a-z0-9]+)*", "must be lower-case letters and digits with single hyphens"),
    "plan": ("|".join(PLANS), f"must be one of {', '.join(PLANS)}: the schema knows no other tier"),
    "contact": (r"[^\s@]+@[^\s@]+", "must be an e-mail address"),
    "email": (r"[^\s@A-Z]+@[^\s@A-Z]+", "must be an e-mail address in lower case"),
    "role": ("owner", "must be owner"),
    "status": ("active", "must be active"),
    "by_mail": (bool, "must be true or false"),
    "invitation": (int, "must be a whole number, 1 or more"),
}
STEERING = frozenset({"timeout", "by_mail"})


class OwnerProvider(Provider):
    """Finds or makes one organization and its owner. The id is the organization's; computed output: `link`."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what breaks a rule, before anybody is invited."""
        return CheckResult(news, failures(news, RULES, frozenset({"db_password"})))

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare offline; in another project it is another organization."""
        return difference(_olds, _news, replaces=("project_ref",), quiet=STEERING)

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take what there is, bring in who is not there yet, write the rows."""
        from components.supabase.owner_onboarding import enrol

        # A link that an interrupted run made is lost; a mail that it sent is not.
        organization, link = enrol(_wanted(props), str(uuid4()), require_engine, again=not props["by_mail"])
        return CreateResult(organization, _outputs(props, link))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """What the rows hold now: a refused login shows as a changed password, a paused project as recorded."""
        from components.supabase.owner_onboarding import read_owner

        found = read_owner(id_, _wanted(props))
        if found is None:
            return ReadResult("", {})
        inputs = {name: props[name] for name in RULES if name in props} | found
        return ReadResult(id_, _outputs(inputs, props.get("link", "")), inputs)

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change the rows in place; another address, or another invitation, brings somebody in."""
        from components.supabase.owner_onboarding import enrol

        renewed = whole(_olds.get("invitation")) != whole(_news["invitation"])
        moved = not _news["by_mail"] and _olds.get("email") != _news["email"]
        _, link = enrol(_wanted(_news), _id, require_engine, again=renewed or moved)
        return UpdateResult(_outputs(_news, link or _olds.get("link", "")))

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: organization and owner stay, and go with the project."""


class Owner(Resource, module="supabase", name="Owner"):
    """The client's organization and its first user.

    Args:
        project_ref: ref of a project whose API is ready and whose schema is applied.
        db_password: password of the role `postgres`.
        client_name, slug, tier, email: the organization, and the address of both its contact and its owner.
        by_mail: whether the project has a mailer of ours.
        invitation: change it to invite again an owner who has not come yet.
        timeout: seconds to wait for the database.

    Attributes:
        link: secret; lets the owner in once, and within an hour of being made. Empty when the owner was invited by
            mail, or had signed in before.
    """

    link: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        db_password: pulumi.Input[str],
        client_name: str,
        slug: str,
        tier: str,
        email: str,
        by_mail: bool,
        invitation: int,
        timeout: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "project_ref": project_ref,
            "timeout": timeout,
            "db_password": pulumi.Output.secret(db_password),
            "name": client_name,
            "slug": slug,
            "plan": tier,
            "contact": email,
            "email": email.lower(),
            "role": "owner",
            "status": "active",
            "by_mail": by_mail,
            "invitation": invitation,
            "link": None,
        }
        secret = pulumi.ResourceOptions(additional_secret_outputs=["link"])
        super().__init__(OwnerProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def _wanted(props: Mapping[str, Any]) -> dict[str, Any]:
    return {name: whole(props[name]) for name in RULES if name in props}


def _outputs(inputs: Mapping[str, Any], link: str) -> dict[str, Any]:
    return {**{name: inputs[name] for name in RULES if name in inputs}, "link": link}
