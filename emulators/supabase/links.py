"""Links that let somebody in once: asked for by a server, or sent by mail as an invitation.

Mail is kept, not sent: `GET /_local/projects/{ref}/mail` shows it. Without an SMTP server of the project's own there is
none to an outsider, as Supabase's own mailer refuses all but the organization's team.
"""

import secrets
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.responses import RedirectResponse

from emulators.rest import RefusedError
from emulators.supabase.auth import ADMIN, Account, Handler, Visit, new_account, session, shown
from emulators.supabase.calls import Call
from emulators.supabase.configuration import auth_settings
from emulators.supabase.project import Project, find

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
    email, own = visit.text("email").lower(), auth_settings(visit.project)["smtp_host"]
    if not own and email not in TEAM:
        message = f'Email address "{email}" cannot be used as it is not authorized'
        raise RefusedError(400, message, "email_address_not_authorized")
    account = _invited(visit)
    link, token = _link(visit, account, "invite")
    visit.call.context.store.put(MAIL, token, {"ref": visit.project["ref"], "to": email, "link": link})
    return shown(account)


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
    ("POST", f"{ADMIN}/generate_link", _generate),
]
