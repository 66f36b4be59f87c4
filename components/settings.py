"""The settings of one client: `Pulumi.<client>.yaml` over `Pulumi.<environment>.yaml` over the defaults here.

The only reader of both files, used by the program and by the command line alike. The environment's file is read at
every run, so one changed line in it shows in every client's preview. Rules that need no network are checked here.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.errors import OperatorError

PROJECT = "client-environments"
RESERVED = frozenset({"prod", "local"})
SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,38}")
EMAIL = re.compile(r"[^@\s\"<>(),;:\\\[\]]+@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
CLIENT_KEYS = frozenset(
    {
        "clientId",
        "clientName",
        "orgEmail",
        "tier",
        "environment",
        "adopt",
        "domain",
        "paused",
        "rotatePassword",
        "keyGeneration",
    }
)
ENVIRONMENT_KEYS = frozenset(
    {
        "region",
        "organization",
        "tiers",
        "projectName",
        "protect",
        "readyTimeout",
        "repositoryTemplate",
        "ruleset",
        "archiveOnDestroy",
        "vercelTeam",
    }
)
TIER_KEYS = frozenset({"instanceSize"})


@dataclass(frozen=True)
class ClientSettings:
    """Everything the program needs to know about one client.

    Attributes:
        client_id: lower-case slug, also the stack's name.
        client_name: the client's name as people write it.
        org_email: address of the client's owner.
        tier: a key of the environment's `tiers`.
        environment: `prod`, `local` or another environment with a file of its own.
        project_name: name of the Supabase project, the repository and the site.
        region: AWS region code of the database, checked against the live list at create.
        organization: slug of the Supabase organization.
        instance_size: compute size of the database, or None for the smallest there is.
        adopt: take over a project of that name although nothing proves it is ours.
        paused: whether the project is meant to be paused.
        password_generation: change it to rotate the database password.
        key_generation: change it to rotate the secret key.
        domain: the site's own domain, or None.
        protect: refuse to delete project, repository and site.
        ready_timeout: seconds to wait for a new project.
        repository_template: `owner/name` of a template repository, or None for the files in `starter/`.
        ruleset: protect the default branch by a ruleset (needs a paid GitHub plan on private repositories).
        archive_on_destroy: archive the repository instead of deleting it.
        vercel_team: id of the Vercel team (`team_...`), or None for the token's own account.
    """

    client_id: str
    client_name: str
    org_email: str
    tier: str
    environment: str
    project_name: str
    region: str
    organization: str
    instance_size: str | None
    adopt: bool
    paused: bool
    password_generation: int
    key_generation: int
    domain: str | None
    protect: bool
    ready_timeout: int
    repository_template: str | None
    ruleset: bool
    archive_on_destroy: bool
    vercel_team: str | None


def load_settings(
    client: str, root: Path, environment: str | None = None, variables: Mapping[str, str] = os.environ
) -> ClientSettings:
    """Read and check the settings of one client.

    Args:
        client: client id, the stack's name.
        root: the folder that holds the `Pulumi.*.yaml` files.
        environment: overrides the file's `environment` (local mode); the variable `CLIENT_ENVIRONMENT` does too.
        variables: the environment variables that settings fall back to.

    Raises:
        OperatorError: naming property, value and rule of the first setting that is wrong.
    """
    check_client_id(client)
    own = _Layer(root / f"Pulumi.{client}.yaml", CLIENT_KEYS)
    chosen = environment or variables.get("CLIENT_ENVIRONMENT") or own.text("environment", "prod")
    if not SLUG.fullmatch(chosen):
        raise own.refuse("environment", chosen, "must be a lower-case slug with a file Pulumi.<environment>.yaml")
    shared = _Layer(root / f"Pulumi.{chosen}.yaml", ENVIRONMENT_KEYS)
    if (client_id := own.text("clientId")) != client:
        raise own.refuse("clientId", client_id, f"must be the stack's name, {client}")
    client_name, org_email = own.text("clientName"), own.text("orgEmail")
    if len(client_name) > 100 or not client_name.isprintable():
        raise own.refuse("clientName", client_name, "must be one line of 1 to 100 characters")
    if not EMAIL.fullmatch(org_email) or len(org_email) > 254:
        raise own.refuse("orgEmail", org_email, "must be an e-mail address")
    tier = own.text("tier")
    tiers = shared.mapping("tiers")
    if tier not in tiers:
        raise own.refuse("tier", tier, f"must be one of {', '.join(sorted(tiers)) or '(no tiers)'} in {shared.name}")
    options = _Layer.of(shared, f"tiers.{tier}", tiers[tier], TIER_KEYS)
    region = shared.text("region", "eu-west-2")
    if not REGION.fullmatch(region):
        raise shared.refuse("region", region, "must be a region code such as eu-west-2")
    organization = (
        shared.text("organization", "") or variables.get("SUPABASE_ORG_SLUG") or variables.get("SUPABASE_ORG_ID", "")
    )
    if not re.fullmatch(r"[\w-]+", organization):
        raise shared.refuse(
            "organization", organization, "must be the organization's slug; set it there or in SUPABASE_ORG_SLUG"
        )
    template = shared.text("repositoryTemplate", "") or None
    if template and not re.fullmatch(r"[\w.-]+/[\w.-]+", template):
        raise shared.refuse("repositoryTemplate", template, "must be owner/name")
    return ClientSettings(
        client_id=client_id,
        client_name=client_name,
        org_email=org_email,
        tier=tier,
        environment=chosen,
        project_name=_project_name(shared, client_id, chosen),
        region=region,
        organization=organization,
        instance_size=options.text("instanceSize", "") or None,
        adopt=own.flag("adopt", default=False),
        paused=own.flag("paused", default=False),
        password_generation=own.count("rotatePassword", 1),
        key_generation=own.count("keyGeneration", 1),
        domain=_domain(own),
        protect=shared.flag("protect", default=True),
        ready_timeout=shared.count("readyTimeout", 600),
        repository_template=template,
        ruleset=shared.flag("ruleset", default=True),
        archive_on_destroy=shared.flag("archiveOnDestroy", default=True),
        vercel_team=_vercel_team(shared),
    )


def check_client_id(client: str) -> None:
    """Refuse what cannot be a client id.

    Raises:
        OperatorError: not a slug of 2 to 40 characters, or a name reserved for an environment.
    """
    if client in RESERVED:
        raise OperatorError(f"'{client}' is reserved for an environment", "clientId", "Choose another client id.")
    if not SLUG.fullmatch(client) or len(client) > 40:
        raise OperatorError(
            f"'{client}' must be a slug: 2 to 40 lower-case letters, digits and single hyphens, a letter first",
            "clientId",
        )


def _project_name(shared: "_Layer", client_id: str, environment: str) -> str:
    template = shared.text("projectName", "client-{clientId}-{environment}")
    name = template.replace("{clientId}", client_id).replace("{environment}", environment)
    if "{clientId}" not in template or not SLUG.match(name) or not re.fullmatch(r"[a-z0-9-]{3,100}", name):
        raise shared.refuse("projectName", template, "must contain {clientId} and give a lower-case slug")
    return name


def _vercel_team(shared: "_Layer") -> str | None:
    team = shared.text("vercelTeam", "")
    if team and not re.fullmatch(r"team_\w+", team):
        raise shared.refuse("vercelTeam", team, "must be the team's id, team_...; its slug is refused by the provider")
    return team or None


def _domain(own: "_Layer") -> str | None:
    domain = own.text("domain", "")
    if domain and not re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,63}", domain):
        raise own.refuse("domain", domain, "must be a host name such as www.example.com")
    return domain or None


class _Layer:
    """One settings file: its keys without the project's prefix, and refusals that name file, property and rule."""

    def __init__(self, path: Path, known: frozenset[str]) -> None:
        self.name = path.name
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except FileNotFoundError:
            raise OperatorError("no such file", self.name, "Make one: python -m automation new.") from None
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            line = getattr(getattr(error, "problem_mark", None), "line", None)
            where = self.name if line is None else f"{self.name}:{line + 1}"
            raise OperatorError("cannot be read as YAML", where) from None
        config = content.get("config") if isinstance(content, Mapping) else None
        if not isinstance(config, Mapping):
            raise OperatorError("must hold a mapping `config:`", self.name)
        prefix = f"{PROJECT}:"
        self._take(
            {str(key).removeprefix(prefix): value for key, value in config.items() if str(key).startswith(prefix)},
            known,
        )

    @classmethod
    def of(cls, parent: "_Layer", name: str, values: Any, known: frozenset[str]) -> "_Layer":
        layer = cls.__new__(cls)
        layer.name = f"{parent.name} {name}"
        if not isinstance(values, Mapping):
            raise parent.refuse(name, values, "must be a mapping")
        layer._take(dict(values), known)
        return layer

    def _take(self, values: dict[str, Any], known: frozenset[str]) -> None:
        if unknown := sorted(map(str, values.keys() - known)):
            raise self.refuse(unknown[0], values.get(unknown[0]), f"is unknown; known are {', '.join(sorted(known))}")
        self._values = values

    def refuse(self, key: str, value: Any, rule: str) -> OperatorError:
        shown = str(value) if len(str(value)) <= 80 else f"{str(value)[:77]}..."
        return OperatorError(f"{key} '{shown}' {rule}", self.name)

    def text(self, key: str, default: str | None = None) -> str:
        value = self._values.get(key, default)
        if value is None or (value == "" and default is None):
            raise OperatorError(f"{key} is missing or empty", self.name)
        if not isinstance(value, str):
            raise self.refuse(key, value, "must be text")
        return value.strip() or self._empty(key, default)

    def _empty(self, key: str, default: str | None) -> str:
        if default is None:
            raise OperatorError(f"{key} is missing or empty", self.name)
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._values.get(key, default)
        if not isinstance(value, bool):
            raise self.refuse(key, value, "must be true or false")
        return value

    def count(self, key: str, default: int) -> int:
        value = self._values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.refuse(key, value, "must be a whole number, 1 or more")
        return value

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self._values.get(key, {})
        if not isinstance(value, Mapping):
            raise self.refuse(key, value, "must be a mapping")
        return value
