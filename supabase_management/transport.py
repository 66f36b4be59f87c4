"""HTTP to the Management API: authentication, time-outs, retries of what is safe to retry, one kind of error."""

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import stamina
import stamina.instrumentation

from rest_clients.http_session import open_session
from supabase_management.errors import ApiError

LOG = logging.getLogger("client_environments")
USER_AGENT = "client-environments/1.0"
ATTEMPTS = 5
LONGEST_PAUSE = 60.0  # the rate limit's window
SECRET = re.compile(r"sbp?_[A-Za-z0-9_]{8,}|eyJ[\w-]{8,}\.[\w.-]+|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)")

# Retries are logged here; stamina's own hook would print each one on the operator's screen.
stamina.instrumentation.set_on_retry_hooks([])


class Transport:
    """Requests that answer decoded JSON or raise `ApiError`.

    Args:
        base_url: scheme and host, without a trailing slash.
        token: access token, sent as bearer and kept out of every message.
        apikey: send the token as `apikey` instead; a project's own API takes its keys there and nowhere else.
        before_write: called before each attempt to write; what it raises stops the write.
        http: replaces the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        before_write: Callable[[], None],
        http: httpx.BaseTransport | None = None,
        *,
        apikey: bool = False,
    ) -> None:
        self._token, self._before_write = token, before_write
        identity = {"apikey": token} if apikey else {"Authorization": f"Bearer {token}"}
        self._http = open_session(base_url, headers={**identity, "User-Agent": USER_AGENT}, transport=http)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read; repeated with jitter on 408, 429, 5xx and transport errors, at the pace the service asks for."""
        return self._retried("GET", path, params, None, _pause_of_read)

    def write(self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        """Write once. Only 429 is repeated: it says that nothing was done."""
        return self._retried(method, path, params, body, _pause_of_write)

    def _retried(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any, pause: Any) -> Any:
        retries = stamina.retry_context(
            on=pause, attempts=ATTEMPTS, timeout=2 * LONGEST_PAUSE, wait_initial=0.3, wait_jitter=0.7
        )
        for attempt in retries:
            with attempt:
                return self._send(method, path, params, body)
        raise AssertionError("stamina lets the last error through")

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> Any:
        if method != "GET":
            self._before_write()
        try:
            answer = self._http.request(method, path, params=params, json=body)
        except httpx.HTTPError as error:
            reason = f"no answer from {self._http.base_url.host} ({type(error).__name__})"
            raise ApiError(method, path, None, reason) from error
        if answer.is_success:
            return self._decode(method, path, answer)
        raise ApiError(
            method,
            path,
            answer.status_code,
            self._reason(answer, body),
            missing_permissions=_permissions(answer),
            retry_after=_retry_after(answer),
        )

    def _decode(self, method: str, path: str, answer: httpx.Response) -> Any:
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError:
            reason = "the answer is not JSON"
            raise ApiError(method, path, answer.status_code, reason) from None

    def _reason(self, answer: httpx.Response, body: Any) -> str:
        message = next(filter(None, map(_mapping(answer).get, ("message", "msg", "error"))), None)
        if isinstance(message, list):
            message = "; ".join(map(str, message))
        if not message:
            page = answer.text.lstrip().startswith("<")
            message = answer.reason_phrase if page or not answer.text.strip() else answer.text
        text = " ".join(str(message).split())
        sent = body if isinstance(body, Mapping) else {}
        for secret in (self._token, *(sent.get(name) for name in ("db_pass", "password", "smtp_pass"))):
            text = text.replace(secret, "[secret]") if secret else text
        text = SECRET.sub("[secret]", text)
        return text if len(text) <= 300 else f"{text[:299]}…"


def _mapping(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, Mapping) else {}


def _permissions(answer: httpx.Response) -> tuple[str, ...]:
    listed = _mapping(answer).get("missing_permissions")
    return tuple(map(str, listed)) if isinstance(listed, list) else ()


def _retry_after(answer: httpx.Response) -> float | None:
    header = answer.headers.get("Retry-After")
    if header is None and answer.status_code == 429:
        header = answer.headers.get("X-RateLimit-Reset")  # seconds left, not an epoch
    try:
        return min(max(float(header), 0.0), LONGEST_PAUSE) if header else None
    except ValueError:
        return None  # a date; the usual pauses do


def _pause_of_read(error: Exception) -> bool | float:
    if not isinstance(error, ApiError) or not error.transient:
        return False
    LOG.info("will read again: %s", error)
    return True if error.retry_after is None else error.retry_after


def _pause_of_write(error: Exception) -> bool | float:
    return _pause_of_read(error) if isinstance(error, ApiError) and error.status == 429 else False
