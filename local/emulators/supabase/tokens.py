"""Signed tokens (JWT, HS256): legacy keys, sessions of people, and what the gateway vouches for."""

import base64
import hmac
import json
from typing import Any

Claims = dict[str, Any]


def sign(claims: Claims, secret: str) -> str:
    """A token with these claims."""
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{_signature(signed, secret)}"


def verify(token: str, secret: str, now: float) -> Claims | None:
    """The claims of a token, or None when it was not signed with this secret or has expired."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(signed, secret).encode()):
        return None
    body = signed.partition(".")[2]
    claims: Claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return claims if claims["exp"] > now else None


def encode(value: bytes) -> str:
    """Base64 as URLs and tokens have it."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _signature(signed: str, secret: str) -> str:
    return encode(hmac.digest(secret.encode(), signed.encode(), "sha256"))
