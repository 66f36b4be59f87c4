"""Accounts of a project's people: rows of `auth.users`, and sessions as signed tokens.

A refresh token is handed out as Supabase does, and not exchanged: a session here ends after an hour.
"""

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from psycopg.types.json import Jsonb

from local.emulators.rest import RefusedError
from local.emulators.supabase import tokens
from local.emulators.supabase.calls import Call
from local.emulators.supabase.project import Project

HOUR = 3600  # seconds that a session is good for
HIDDEN = ("password", "token", "raw_")  # parts of the names of columns that are not answered
PROVIDER = {"provider": "email", "providers": ["email"]}

Account = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """One request to a project: who asks, by a token, and under which URL the project answers."""

    call: Call
    project: Project
    token: str
    url: str

    @property
    def claims(self) -> tokens.Claims:
        """What the token says; refused unless the project signed it."""
        claims = tokens.verify(self.token, self.project["jwt_secret"], self.call.context.clock().timestamp())
        if claims is None:
            raise RefusedError(403, "invalid JWT: unable to parse or verify signature", "bad_jwt")
        return claims

    def text(self, name: str) -> str:
        """A text of the body, empty where there is none."""
        return str(self.call.body.get(name) or "")

    def accounts(self, text: str, *values: Any) -> list[Account]:
        """Run SQL as the auth service; each row is one account."""
        with self.call.context.postgres.admin(self.project["ref"], options="-c role=supabase_auth_admin") as database:
            return [row[0] for row in database.execute(text.encode(), values)]

    def by_email(self) -> list[Account]:
        """The account of the address in the body, if there is one."""
        return self.accounts("select to_jsonb(u) from auth.users u where email = %s", self.text("email").lower())

    def by_id(self, key: Any, status: int = 404) -> Account:
        """The account of that id; refused with this status where there is none."""
        found = self.accounts("select to_jsonb(u) from auth.users u where id::text = %s", str(key))
        if not found:
            raise RefusedError(status, "User not found", "user_not_found")
        return found[0]


Handler = Callable[[Visit], Any]


def _health(visit: Visit) -> Any:
    return {"name": "GoTrue", "version": "emulated", "description": "GoTrue is a user registration and auth API"}


def _login(visit: Visit) -> Any:
    if visit.call.query.get("grant_type") != "password":
        raise RefusedError(400, "unsupported_grant_type", "validation_failed")
    found = visit.by_email()
    if not found or not _matches(visit.text("password"), found[0]["encrypted_password"]):
        raise RefusedError(400, "Invalid login credentials", "invalid_credentials")
    if not found[0]["email_confirmed_at"]:
        raise RefusedError(400, "Email not confirmed", "email_not_confirmed")
    seen = "update auth.users u set last_sign_in_at = now() where id = %s returning to_jsonb(u)"
    account = visit.accounts(seen, found[0]["id"])[0]
    return session(visit, account) | {"user": shown(account)}


def session(visit: Visit, account: Account) -> dict[str, Any]:
    """What lets an account in for an hour."""
    now = int(visit.call.context.clock().timestamp())
    claims = {name: account[name] for name in ("aud", "role", "email")} | _metadata(account)
    claims |= {"sub": account["id"], "session_id": str(uuid.uuid4()), "aal": "aal1", "is_anonymous": False}
    claims |= {"iss": f"{visit.url}/auth/v1", "iat": now, "exp": now + HOUR}
    signed = {"access_token": tokens.sign(claims, visit.project["jwt_secret"]), "token_type": "bearer"}
    return {**signed, "refresh_token": secrets.token_urlsafe(12), "expires_in": HOUR, "expires_at": now + HOUR}


def _user(visit: Visit) -> Any:
    return shown(visit.by_id(visit.claims.get("sub"), 403))


def _change(visit: Visit) -> Any:
    """Set one's own password."""
    account = visit.by_id(visit.claims.get("sub"), 403)
    change = "update auth.users u set encrypted_password = %s, updated_at = now() where id = %s returning to_jsonb(u)"
    return shown(visit.accounts(change, chosen(visit.text("password")), account["id"])[0])


def _list(visit: Visit) -> Any:
    accounts = visit.accounts("select to_jsonb(u) from auth.users u order by created_at, id")
    return {"users": [shown(account) for account in accounts], "aud": "authenticated"}


def _create(visit: Visit) -> Any:
    return shown(
        new_account(visit, chosen(visit.text("password")) if visit.text("password") else None, "user_metadata")
    )


def new_account(visit: Visit, password: str | None, metadata: str, *, trusted: bool = True) -> Account:
    """Make the account of the address in the body.

    Args:
        metadata: the field of the body that says more about it.
        trusted: a server asks, which may also say that the address is confirmed and what the application knows.
    """
    server = visit.call.body if trusted else {}
    email = visit.text("email").lower()
    if "@" not in email:
        raise RefusedError(400, "Unable to validate email address: invalid format", "validation_failed")
    if visit.by_email():
        raise RefusedError(422, "A user with this email address has already been registered", "email_exists")
    about = (Jsonb(PROVIDER | (server.get("app_metadata") or {})), Jsonb(visit.call.body.get(metadata) or {}))
    return visit.accounts(
        "insert into auth.users as u (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,"
        " email_confirmed_at, created_at, updated_at) values (%s, 'authenticated', 'authenticated', %s, %s, %s, %s,"
        " case when %s then now() end, now(), now()) returning to_jsonb(u)",
        uuid.uuid4(), email, password, *about, server.get("email_confirm") is True,
    )[0]  # fmt: skip


def _read(visit: Visit) -> Any:
    return shown(visit.by_id(visit.call.path["id"]))


def _delete(visit: Visit) -> Any:
    account = visit.by_id(visit.call.path["id"])
    visit.accounts("delete from auth.users u where id = %s returning to_jsonb(u)", account["id"])
    return {}


def shown(account: Account) -> dict[str, Any]:
    """What is answered of an account."""
    kept = {name: value for name, value in account.items() if not any(part in name for part in HIDDEN)}
    return kept | _metadata(account) | {"identities": []}


def _metadata(account: Account) -> dict[str, Any]:
    return {"app_metadata": account["raw_app_meta_data"], "user_metadata": account["raw_user_meta_data"]}


def chosen(password: str) -> str:
    """What is kept of a new password."""
    if len(password) < 6:
        raise RefusedError(422, "Password should be at least 6 characters.", "weak_password")
    return _hashed(password, secrets.token_hex(16))


def _hashed(password: str, salt: str) -> str:
    return f"scrypt${salt}${hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1).hex()}"


def _matches(password: str, kept: str | None) -> bool:
    return bool(kept) and hmac.compare_digest(_hashed(password, str(kept).split("$")[1]), str(kept))


ADMIN = "/admin"  # for secret and service_role keys only
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/health", _health),
    ("POST", "/token", _login),
    ("GET", "/user", _user),
    ("PUT", "/user", _change),
    ("GET", f"{ADMIN}/users", _list),
    ("POST", f"{ADMIN}/users", _create),
    ("GET", f"{ADMIN}/users/{{id}}", _read),
    ("DELETE", f"{ADMIN}/users/{{id}}", _delete),
]
