"""Find clients that lay claim to the same thing: a domain, a client id, a project, repository or site name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from automation.clients import ANY_ORGANIZATION, list_clients
from common.errors import OperatorError
from components.settings import PROJECT, load_settings
from components.settings_file import SUFFIX, read_settings_file

LABELS = {
    "clientId": "clientId",
    "domain": "domain",
    "project_name": "name of project, repository and site",
}


@dataclass(frozen=True)
class Claims:
    """What every client's file claims.

    Attributes:
        by_client: client -> kind of claim, a key of `LABELS` -> value in the form that is compared.
        unread: the clients of which a file says too little to compare it.
    """

    by_client: Mapping[str, Mapping[str, str]]
    unread: tuple[str, ...]


def read_claims(root: Path, *, local: bool) -> Claims:
    """Read what all clients claim, also from files that are refused for another reason."""
    by_client, unread = {}, []
    for client in list_clients(root):
        try:
            by_client[client] = _claims(client, root, local=local)
        except OperatorError:
            unread.append(client)
    return Claims(by_client, tuple(unread))


def refuse_rivals(client: str, claims: Claims) -> None:
    """Refuse a client that shares a claim with another, before either costs anything.

    Raises:
        OperatorError: naming the claim and the file of the other client.
    """
    for kind, value in claims.by_client.get(client, {}).items():
        for other, theirs in claims.by_client.items():
            if other != client and theirs.get(kind) == value:
                raise OperatorError(
                    f"{LABELS[kind]} '{value}' is claimed by Pulumi.{other}{SUFFIX} too",
                    f"Pulumi.{client}{SUFFIX}",
                    "Change it in one of the two.",
                )


def same_domain(domain: str) -> str:
    """A domain in the form that is compared: lower case, in ASCII, without the dot at its end."""
    name = domain.strip().rstrip(".").lower()
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _claims(client: str, root: Path, *, local: bool) -> dict[str, str]:
    config = read_settings_file(root / f"Pulumi.{client}{SUFFIX}").get("config")
    if not isinstance(config, dict):
        raise OperatorError("must hold a mapping `config:`", client)
    claims = dict(_texts(config, ("clientId", "domain")))
    if "domain" in claims:
        claims["domain"] = same_domain(claims["domain"])
    try:
        settings = load_settings(client, root, "local" if local else None, ANY_ORGANIZATION)
    except OperatorError:
        return claims
    return claims | {"project_name": settings.project_name}


def _texts(config: Mapping[str, object], keys: Iterable[str]) -> Iterable[tuple[str, str]]:
    for key in keys:
        value = config.get(f"{PROJECT}:{key}")
        if isinstance(value, str) and value.strip():
            yield key, value.strip()
