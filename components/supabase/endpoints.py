"""A project's API, ready: its URL, keys and connection strings, as the service tells them."""

from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, operation, require_engine
from components.supabase.inputs import REF, SECONDS, Rule, difference, failures

RULES: dict[str, Rule] = {"project_ref": REF, "timeout": SECONDS}
SECRETS = ["legacy_anon_key", "legacy_service_role_key"]


class EndpointsProvider(Provider):
    """Waits for one project's API and tells its endpoints. It owns nothing, so it deletes nothing."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what cannot be a project."""
        return CheckResult(news, failures(news, RULES))

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Another project is another resource."""
        return difference(_olds, _news, replaces=("project_ref",), quiet=frozenset({"timeout"}))

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Wait until the API is ready."""
        return CreateResult(props["project_ref"], self._ready(props))

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Wait again and tell the endpoints anew."""
        return UpdateResult(self._ready(_news))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The endpoints as they are now; a paused project keeps those it had."""
        from supabase_management.client import Client
        from supabase_management.readiness import current_endpoints

        with Client.from_environment(require_engine) as client:
            found = current_endpoints(client, id_)
        if found is None:
            return ReadResult("", {})
        inputs = {name: props[name] for name in RULES if name in props}
        return ReadResult(id_, {**props, **found}, inputs)

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: the endpoints go with the project."""

    @staticmethod
    def _ready(props: dict[str, Any]) -> dict[str, Any]:
        from supabase_management.client import Client
        from supabase_management.readiness import wait_for_endpoints

        with Client.from_environment(require_engine) as client:
            found = wait_for_endpoints(client, props["project_ref"], timeout=float(props["timeout"]))
        return {**{name: props[name] for name in RULES}, **found}


class Endpoints(Resource, module="supabase", name="Endpoints"):
    """Where a project answers, once it does.

    Args:
        project_ref: ref of the project.
        timeout: seconds to wait for its services.

    Attributes:
        session_dsn, transaction_dsn: pooler addresses without a password.
        legacy_anon_key, legacy_service_role_key: secret; empty where the project has none.
        plan: the organization's plan.
    """

    api_url: pulumi.Output[str]
    publishable_key: pulumi.Output[str]
    session_dsn: pulumi.Output[str]
    transaction_dsn: pulumi.Output[str]
    legacy_anon_key: pulumi.Output[str]
    legacy_service_role_key: pulumi.Output[str]
    plan: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        timeout: pulumi.Input[int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        outputs = ["api_url", "publishable_key", "session_dsn", "transaction_dsn", *SECRETS, "plan"]
        props = {"project_ref": project_ref, "timeout": timeout, **dict.fromkeys(outputs)}
        secret = pulumi.ResourceOptions(additional_secret_outputs=SECRETS)
        super().__init__(EndpointsProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
