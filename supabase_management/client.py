"""The Supabase Management API, one typed method per endpoint. Knows no Pulumi.

Reads are retried, writes are sent once: after a write whose effect is unknown (`ApiError.ambiguous`), look first.
"""

import functools
import os
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

import httpx

from common.errors import OperatorError
from supabase_management.errors import ApiError
from supabase_management.models import (
    GONE,
    EntitlementRecord,
    HealthRecord,
    KeyRecord,
    MalformedError,
    OrganizationRecord,
    OwnershipMark,
    PoolerRecord,
    ProfileRecord,
    ProjectRecord,
    RegionRecord,
    TemporaryLogin,
    entitlement,
    parse,
)
from supabase_management.transport import Transport

T = TypeVar("T")

DEFAULT_URL = "https://api.supabase.com"
PAGE = 100
MARK = "select client_id, project_name from private.environment_mark"
NO_SUCH_RELATION = re.compile(r"\b(42P01|3F000)\b")


class Client(AbstractContextManager["Client"]):
    """A session with the Management API; use it as a context manager.

    Args:
        base_url: scheme and host of the API.
        token: access token.
        before_write: called before each write; a provider asks there whether its engine is still alive.
        http: replaces the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        before_write: Callable[[], None] = lambda: None,
        http: httpx.BaseTransport | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._http = Transport(self.base_url, token, before_write, http)

    @classmethod
    def from_environment(
        cls, before_write: Callable[[], None] = lambda: None, environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Open a session with `SUPABASE_ACCESS_TOKEN` (or the older `SUPABASE_MANAGEMENT_TOKEN`).

        Args:
            before_write: see `Client`.
            environment: where the token is; that of this process by default.

        Raises:
            OperatorError: no token, or `SUPABASE_API_URL` is no URL.
        """
        token = environment.get("SUPABASE_ACCESS_TOKEN") or environment.get("SUPABASE_MANAGEMENT_TOKEN")
        if not token or not re.fullmatch(r"[!-~]+", token):
            raise OperatorError(
                "is not valid: it holds spaces or control characters" if token else "is not set",
                "SUPABASE_ACCESS_TOKEN",
                "Make an access token at supabase.com/dashboard/account/tokens and put it into the environment.",
            )
        url = environment.get("SUPABASE_API_URL") or DEFAULT_URL
        if not re.fullmatch(r"https?://[^\s/?#@]+/?", url):
            raise OperatorError(f"'{url}' must be a scheme and a host", "SUPABASE_API_URL", f"Such as {DEFAULT_URL}.")
        return cls(url, token, before_write=before_write)

    @property
    def transport(self) -> Transport:
        """The session's HTTP, for endpoints that have a module of their own."""
        return self._http

    def __exit__(self, *_: object) -> None:
        self._http.close()

    # Organizations

    def profile(self) -> ProfileRecord:
        """The person whose token it is."""
        return self._one(ProfileRecord, "/v1/profile")

    def organizations(self) -> list[OrganizationRecord]:
        """The organizations that the token sees."""
        return self._list(OrganizationRecord, "/v1/organizations")

    def organization(self, slug: str) -> OrganizationRecord:
        """One organization with its plan."""
        return self._one(OrganizationRecord, f"/v1/organizations/{slug}")

    def entitlements(self, organization: str) -> list[EntitlementRecord]:
        """What the organization's plan allows."""
        path = f"/v1/organizations/{organization}/entitlements"
        answer = self._http.get(path)
        return self._decoded(path, lambda: [entitlement(item) for item in answer["entitlements"]])

    def projects(self, organization: str, search: str) -> list[ProjectRecord]:
        """All projects of an organization whose name or ref contains `search`, branches excluded."""
        path = f"/v1/organizations/{organization}/projects"
        found: list[ProjectRecord] = []
        while True:
            answer = self._http.get(path, {"offset": len(found), "limit": PAGE, "search": search})
            page = self._decoded(path, functools.partial(_projects, answer))
            found += page
            if len(page) < PAGE:
                return [project for project in found if not project.is_branch]

    def regions(self, organization: str, instance_size: str | None = None) -> list[RegionRecord]:
        """The regions where the organization may create a project of this size now."""
        path = "/v1/projects/available-regions"
        size = {"desired_instance_size": instance_size} if instance_size else {}
        answer = self._http.get(path, {"organization_slug": organization, **size})
        return self._decoded(path, lambda: [parse(RegionRecord, item) for item in answer["all"]["specific"]])

    # Projects

    def create_project(
        self, *, name: str, organization: str, region: str, password: str, instance_size: str | None
    ) -> ProjectRecord:
        """Create a billed project; it answers before the project is up."""
        body = {
            "name": name,
            "organization_slug": organization,
            "db_pass": password,
            "region_selection": {"type": "specific", "code": region},
        }
        if instance_size:
            body["desired_instance_size"] = instance_size
        answer = self._http.write("POST", "/v1/projects", body)
        return self._decoded("/v1/projects", lambda: parse(ProjectRecord, answer), "POST")

    def project(self, ref: str) -> ProjectRecord:
        """One project as it is now."""
        path = f"/v1/projects/{ref}"
        answer = self._http.get(path)
        host = (answer.get("database") or {}).get("host") if isinstance(answer, dict) else None
        return self._decoded(path, lambda: parse(ProjectRecord, {**answer, "database_host": host}))

    def existing_project(self, ref: str) -> ProjectRecord | None:
        """The same, or None when it is deleted or on its way out."""
        try:
            record = self.project(ref)
        except ApiError as error:
            if error.not_found:
                return None
            raise
        return None if record.status in GONE else record

    def rename_project(self, ref: str, name: str) -> None:
        """Change a project's name."""
        self._http.write("PATCH", f"/v1/projects/{ref}", {"name": name})

    def delete_project(self, ref: str) -> None:
        """Delete a project with its backups; 400 while it is still coming up."""
        self._http.write("DELETE", f"/v1/projects/{ref}")

    def pause_project(self, ref: str) -> None:
        """Begin to pause a project."""
        self._http.write("POST", f"/v1/projects/{ref}/pause")

    def restore_project(self, ref: str) -> None:
        """Begin to bring a paused project back."""
        self._http.write("POST", f"/v1/projects/{ref}/restore")

    def set_password(self, ref: str, password: str) -> None:
        """Change the database password; the pooler goes on accepting the old one for a moment."""
        self._http.write("PATCH", f"/v1/projects/{ref}/database/password", {"password": password})

    def health(self, ref: str, services: tuple[str, ...]) -> list[HealthRecord]:
        """The state of these services of a project."""
        return self._list(HealthRecord, f"/v1/projects/{ref}/health", {"services": list(services)})

    def instance_size(self, ref: str) -> str:
        """The project's compute size; without an add-on it is `nano`."""
        path = f"/v1/projects/{ref}/billing/addons"
        answer = self._http.get(path)
        chosen = self._decoded(
            path,
            lambda: [item["variant"]["id"] for item in answer["selected_addons"] if item["type"] == "compute_instance"],
        )
        return str(chosen[0]).removeprefix("ci_") if chosen else "nano"

    def set_instance_size(self, ref: str, size: str) -> None:
        """Begin to move a project to another compute size; its database restarts."""
        body = {"addon_type": "compute_instance", "addon_variant": f"ci_{size}"}
        self._http.write("PATCH", f"/v1/projects/{ref}/billing/addons", body)

    def data_api_enabled(self, ref: str) -> bool:
        """Whether the project's Data API exposes any schema. The answer's JWT secret is not kept."""
        path = f"/v1/projects/{ref}/postgrest"
        answer = self._http.get(path)
        return self._decoded(path, lambda: bool(answer["db_schema"]))

    # Keys

    def keys(self, ref: str) -> list[KeyRecord]:
        """All API keys of a project, in clear."""
        return self._list(KeyRecord, f"/v1/projects/{ref}/api-keys", {"reveal": "true"})

    def create_key(self, ref: str, kind: str, name: str) -> KeyRecord:
        """Make a `publishable` or `secret` key and get it in clear."""
        path, body = f"/v1/projects/{ref}/api-keys", {"type": kind, "name": name}
        template = {"secret_jwt_template": {"role": "service_role"}} if kind == "secret" else {}
        answer = self._http.write("POST", path, {**body, **template}, {"reveal": "true"})
        return self._decoded(path, lambda: parse(KeyRecord, answer), "POST")

    def delete_key(self, ref: str, key_id: str) -> None:
        """Revoke a key."""
        self._http.write("DELETE", f"/v1/projects/{ref}/api-keys/{key_id}")

    # Database

    def poolers(self, ref: str) -> list[PoolerRecord]:
        """Where to log in; the direct host answers on IPv6 only."""
        return self._list(PoolerRecord, f"/v1/projects/{ref}/config/database/pooler")

    def temporary_login(self, ref: str) -> TemporaryLogin:
        """A login of the project's database for some minutes; its one predecessor no longer works."""
        path = f"/v1/projects/{ref}/cli/login-role"
        answer = self._http.write("POST", path, {"read_only": False})
        return self._decoded(path, lambda: parse(TemporaryLogin, answer), "POST")

    def ownership_mark(self, ref: str) -> OwnershipMark | None:
        """The mark in the project's database, or None when it has none.

        Raises:
            ApiError: the database could not be asked; that says nothing about the mark.
        """
        path = f"/v1/projects/{ref}/database/query"
        try:
            rows = self._http.write("POST", path, {"query": MARK})
        except ApiError as error:
            if error.status == 400 and NO_SUCH_RELATION.search(error.reason):
                return None
            raise
        return self._decoded(path, lambda: parse(OwnershipMark, rows[0]) if rows else None, "POST")

    def _one(self, kind: type[T], path: str) -> T:
        answer = self._http.get(path)
        return self._decoded(path, lambda: parse(kind, answer))

    def _list(self, kind: type[T], path: str, params: dict[str, Any] | None = None) -> list[T]:
        answer = self._http.get(path, params)
        return self._decoded(path, lambda: [parse(kind, item) for item in answer])

    @staticmethod
    def _decoded(path: str, decode: Callable[[], T], method: str = "GET") -> T:
        try:
            return decode()
        except (MalformedError, KeyError, TypeError, IndexError) as error:
            reason = str(error) if isinstance(error, MalformedError) else f"lacks {error}"
            raise ApiError(method, path, 200, f"the answer has an unexpected shape: {reason}") from error


def _projects(answer: Any) -> list[ProjectRecord]:
    return [parse(ProjectRecord, item) for item in answer["projects"]]
