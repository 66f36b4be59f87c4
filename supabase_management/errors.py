"""What the Management API and a project's database can answer besides success.

OperatorError
├── ApiError            the API refused, failed or did not answer
└── WrongPasswordError       the database refused the password (SQLSTATE 28P01)
"""

from common.errors import OperatorError


class ApiError(OperatorError):
    """One request that did not succeed.

    Attributes:
        method, path: the request.
        status: HTTP status, or None when no answer came; 2xx when the answer cannot be read.
        reason: the service's own words, one line, free of secrets.
        missing_permissions: what a scoped token lacks, as the service lists it.
        retry_after: seconds the service asked to wait, or None.
    """

    def __init__(
        self,
        method: str,
        path: str,
        status: int | None,
        reason: str,
        *,
        missing_permissions: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        self.method, self.path, self.status, self.reason = method, path, status, reason
        self.missing_permissions, self.retry_after = missing_permissions, retry_after
        told = f"Supabase answered {status}: {reason}" if status else reason
        super().__init__(told.rstrip("."), f"{method} {path}", self._remedy())

    @property
    def not_found(self) -> bool:
        """Whether the thing is gone; the API answers 406 for settings of a deleted project."""
        return self.status in {404, 406}

    @property
    def unauthorized(self) -> bool:
        """Whether the token itself was refused."""
        return self.status == 401

    @property
    def forbidden(self) -> bool:
        """Whether the token is valid but may not do this."""
        return self.status == 403

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.status is None or self.status in {408, 429} or self.status >= 500

    @property
    def ambiguous(self) -> bool:
        """Whether a write may have taken effect although it failed: look before writing again."""
        unreadable = self.status is not None and self.status < 300
        return unreadable or (self.transient and self.status != 429)

    def _remedy(self) -> str:
        if self.unauthorized:
            return "Check SUPABASE_ACCESS_TOKEN: it is wrong, expired or revoked."
        if self.missing_permissions:
            return f"Give the access token: {', '.join(self.missing_permissions)}."
        if self.forbidden:
            return "The access token may not do this; check its scope and your role in the organization."
        if self.status == 402:
            return "The organization's plan does not include this; see its billing page in the Supabase dashboard."
        if self.status is None or self.status < 300:
            return "Check the network and SUPABASE_API_URL, then run again."
        return "Run again in a minute." if self.transient else ""


class WrongPasswordError(OperatorError):
    """The database refused the password, and waiting did not help."""
