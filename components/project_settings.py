"""What is set on a client's Supabase project: mailer, network, encryption, Data API, add-ons, legacy keys.

What the files do not mention is None here, and left alone at Supabase.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from components.config_file import Layer

SERVICE_KEYS = frozenset(
    {"mailer", "allowedAddresses", "operatorAddresses", "sslEnforcement", "dataApiSchemas", "legacyKeys"}
)
TIER_SERVICE_KEYS = frozenset({"pointInTimeRecovery", "ipv4"})
MAILER_KEYS = frozenset({"host", "port", "user", "sender", "passwordGeneration"})
RECOVERY_DAYS = (0, 7, 14, 28)
SIZE = r"(nano|micro|small|medium|\d*x?large)(_optimized_(memory|cpu)|_high_memory)?"
PLANS = ("growth", "scale", "starter")  # what the schema knows as tiers
TOO_SMALL_FOR_RECOVERY = (None, "nano", "micro")


@dataclass(frozen=True)
class Mailer:
    """An SMTP server; its password is the environment variable `SMTP_PASSWORD`, and nowhere else.

    Attributes:
        sender: address that mail comes from.
        password_generation: change it to send the password to Supabase again.
    """

    host: str
    port: int
    user: str
    sender: str
    password_generation: int


@dataclass(frozen=True)
class ServiceSettings:
    """What is set on a project; None leaves a thing as it is.

    Attributes:
        allowed_addresses: networks, in CIDR form, that may reach the database; nobody else may.
        operator_addresses: networks that the agency works from, which must be among them.
        data_api_schemas: schemas that the Data API exposes; empty switches it off.
        point_in_time_recovery: days that can be gone back; 0 switches it off.
        ipv4: whether the database has an IPv4 address of its own.
        legacy_keys: whether the keys `anon` and `service_role` work.
    """

    mailer: Mailer | None = None
    allowed_addresses: tuple[str, ...] | None = None
    operator_addresses: tuple[str, ...] = ()
    ssl_enforcement: bool | None = None
    data_api_schemas: tuple[str, ...] | None = None
    point_in_time_recovery: int | None = None
    ipv4: bool | None = None
    legacy_keys: bool | None = None


def read_service(own: Layer, shared: Layer, tier: Layer, instance_size: str | None) -> ServiceSettings:
    """Read and check them; the client's `legacyKeys` goes before the environment's.

    Raises:
        OperatorError: naming property, value and rule of the first setting that is wrong.
    """
    allowed = _networks(shared, "allowedAddresses") if "allowedAddresses" in shared else None
    operators = _networks(shared, "operatorAddresses")
    legacy_keys = _flag(shared, "legacyKeys")  # read also where the client's counts: a wrong value is refused
    if allowed is not None and (not operators or (left := locked_out(allowed, operators))):
        rule = f"must contain {left[0]} of operatorAddresses" if operators else "needs operatorAddresses too"
        raise shared.refuse("allowedAddresses", ", ".join(allowed), f"{rule}, or the next `up` is locked out")
    return ServiceSettings(
        mailer=_mailer(shared),
        allowed_addresses=allowed,
        operator_addresses=operators,
        ssl_enforcement=_flag(shared, "sslEnforcement"),
        data_api_schemas=shared.texts("dataApiSchemas") if "dataApiSchemas" in shared else None,
        point_in_time_recovery=_recovery(tier, instance_size),
        ipv4=_flag(tier, "ipv4"),
        legacy_keys=_flag(own, "legacyKeys") if "legacyKeys" in own else legacy_keys,
    )


def locked_out(allowed: Iterable[str], operators: Iterable[str]) -> list[str]:
    """The operators' networks that no allowed one contains.

    Raises:
        ValueError: a text is no network.
    """
    networks: list[Any] = [ipaddress.ip_network(text) for text in allowed]
    return [
        str(operator)
        for operator in map(ipaddress.ip_network, operators)
        if not any(operator.version == each.version and operator.subnet_of(each) for each in networks)
    ]


def _mailer(shared: Layer) -> Mailer | None:
    if "mailer" not in shared:
        return None
    given = Layer.of(shared, "mailer", shared.mapping("mailer"), MAILER_KEYS)
    if (port := given.count("port", 587)) > 65535:
        raise given.refuse("port", port, "must be a port, 1 to 65535")
    generation = given.count("passwordGeneration", 1)
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", host := given.text("host")):
        raise given.refuse("host", host, "must be a host name")
    if not (user := given.text("user")).isprintable():
        raise given.refuse("user", user, "must be one line")
    return Mailer(host, port, user, given.email("sender"), generation)


def _flag(layer: Layer, key: str) -> bool | None:
    return layer.flag(key, default=False) if key in layer else None


def _networks(shared: Layer, key: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(text)) for text in shared.texts(key))
    except ValueError as error:
        raise shared.refuse(
            key, ", ".join(shared.texts(key)), f"must be networks such as 203.0.113.0/24: {error}"
        ) from None


def _recovery(tier: Layer, instance_size: str | None) -> int | None:
    if "pointInTimeRecovery" not in tier:
        return None
    days = tier.number("pointInTimeRecovery", RECOVERY_DAYS)
    if days and instance_size in TOO_SMALL_FOR_RECOVERY:
        raise tier.refuse("pointInTimeRecovery", days, "needs instanceSize small or larger")
    return days
