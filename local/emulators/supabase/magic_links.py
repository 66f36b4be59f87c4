"""Links that let somebody in once: asked for by a server, or sent by mail as an invitation.

Mail is kept, not sent: `GET /_local/projects/{ref}/mail` shows it. Without an SMTP server of the project's own there is
none to an outsider, as Supabase's own mailer refuses all but the organization's team.
"""

import secrets
import uuid
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse

from local.emulators.rest import RefusedError
from local.emulators.supabase.auth import ADMIN, Account, Handler, Visit, chosen, new_account, session, shown
from local.emulators.supabase.calls import Call
from local.emulators.supabase.configuration import auth_settings
from local.emulators.supabase.project import Project, find

MAIL = "supabase:mail"
TEAM = {"team@local-agency.example"}
KINDS = ("invite", "signup", "magiclink", "recovery")


def mail(call: Call) -> Any:
    """What a project has sent, oldest first."""
    ref = find(call)["ref"]
    return [sent for sent in call.context.store.all(MAIL).values() if sent["ref"] == ref]


def _generate(visit: Visit) -> Any:
    kind = visit.text("type")
    if kind not in KINDS:
        raise RefusedError(400, "Invalid email action link type requested", "validation_failed")
    found = visit.by_email()
    if not found and kind == "recovery":
        raise RefusedError(404, "User with this email not found", "user_not_found")
    account = _invited(visit) if kind in ("invite", "signup") or not found else found[0]
    link, token = _link(visit, account, kind)
    return shown(account) | {"action_link": link, "hashed_token": token, "verification_type": kind}


def _invite(visit: Visit) -> Any:
    _require_mail(visit)
    account = _invited(visit)
    _send(visit, account, "invite")
    return shown(account)


def _sign_up(visit: Visit) -> Any:
    """An account that its owner asks for: with a session at once where addresses need no confirmation, else by mail."""
    settings = auth_settings(visit.project)
    if settings["disable_signup"]:
        raise RefusedError(422, "Signups not allowed for this instance", "signup_disabled")
    if visit.text("phone"):
        raise RefusedError(400, "Phone signups are disabled", "phone_provider_disabled")
    if not visit.text("email"):
        raise RefusedError(422, "Anonymous sign-ins are disabled", "anonymous_provider_disabled")
    if settings["external_email_enabled"] is False:
        raise RefusedError(400, "Email signups are disabled", "email_provider_disabled")
    password, found = chosen(visit.text("password")), visit.by_email()
    if found and found[0]["email_confirmed_at"]:
        if settings["mailer_autoconfirm"]:
            raise RefusedError(422, "User already registered", "user_already_exists")
        return shown(found[0] | {"id": str(uuid.uuid4()), "raw_user_meta_data": {}})  # tells nobody who has an account
    if settings["mailer_autoconfirm"]:
        account = found[0] if found else new_account(visit, password, "data", trusted=False)
        confirm = "update auth.users u set email_confirmed_at = now() where id = %s returning to_jsonb(u)"
        account = visit.accounts(confirm, account["id"])[0]
        return session(visit, account) | {"user": shown(account)}
    _require_mail(visit)
    account = found[0] if found else new_account(visit, password, "data", trusted=False)
    _send(visit, account, "signup")
    return shown(account)


def _require_mail(visit: Visit) -> None:
    """Refuse an outsider's address where the project has no mail server of its own."""
    email = visit.text("email").lower()
    if not auth_settings(visit.project)["smtp_host"] and email not in TEAM:
        message = f'Email address "{email}" cannot be used as it is not authorized'
        raise RefusedError(400, message, "email_address_not_authorized")


def _send(visit: Visit, account: Account, kind: str) -> None:
    link, token = _link(visit, account, kind)
    sent = {"ref": visit.project["ref"], "to": account["email"], "link": link}
    visit.call.context.store.put(MAIL, token, sent)


def _invited(visit: Visit) -> Account:
    """The account of the address in the body, made if need be; refused once somebody has come in by it."""
    found = visit.by_email()
    if found and found[0]["email_confirmed_at"]:
        raise RefusedError(422, "A user with this email address has already been registered", "email_exists")
    return found[0] if found else new_account(visit, None, "data")


def _link(visit: Visit, account: Account, kind: str) -> tuple[str, str]:
    token, site = secrets.token_hex(28), _redirect(visit.project, visit.text("redirect_to"))
    keep = "update auth.users u set recovery_token = %s, recovery_sent_at = now() where id = %s returning to_jsonb(u)"
    visit.accounts(keep, token, account["id"])
    query = urlencode({"token": token, "type": kind, "redirect_to": site})
    return f"{visit.url}/auth/v1{OPEN}?{query}", token


def _redirect(project: Project, wanted: str) -> str:
    """Where a link may lead: to the site, to what is on the list beside it, or to this machine."""
    settings = auth_settings(project)
    site, asked = urlsplit(settings["site_url"] or ""), urlsplit(wanted)
    patterns = [each.strip() for each in (settings["uri_allow_list"] or "").split(",") if each.strip()]
    if (site.scheme, site.netloc) == (asked.scheme, asked.netloc) or asked.hostname in ("127.0.0.1", "::1"):
        return wanted
    return wanted if any(fnmatchcase(wanted, each) for each in patterns) else str(settings["site_url"])


def _follow(visit: Visit) -> Any:
    """A link that is followed, once and within the hour: on to its site with a session in the fragment."""
    found = visit.accounts(
        "update auth.users u set recovery_token = null, last_sign_in_at = now(),"
        " email_confirmed_at = coalesce(email_confirmed_at, now())"
        " where recovery_token = %s and recovery_sent_at > now() - interval '1 hour' returning to_jsonb(u)",
        visit.call.query.get("token"),
    )  # fmt: skip
    expired = {"error": "access_denied", "error_code": "otp_expired"}
    fragment = urlencode(session(visit, found[0]) if found else expired)
    site = _redirect(visit.project, visit.call.query.get("redirect_to", ""))
    return RedirectResponse(f"{site}#{fragment}", 303)


OPEN = "/verify"  # a browser that follows a link has no key
INVITE = "/invite"  # for secret and service_role keys only, like what is under `ADMIN`
ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", OPEN, _follow),
    ("POST", INVITE, _invite),
    ("POST", "/signup", _sign_up),
    ("POST", f"{ADMIN}/generate_link", _generate),
]
