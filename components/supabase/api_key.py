"""One secret API key of a project. A generation is a key: the next one is a new key, and the old one goes last."""

import re
from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from common.errors import OperatorError
from components.dynamic import Provider, operation, require_engine, whole
from components.supabase.inputs import REF, Rule, difference, failures

RULES: dict[str, Rule] = {
    "project_ref": REF,
    "key_name": (r"[a-z_][a-z0-9_]{1,50}", "must be 2 to 51 lower-case letters, digits and underscores"),
    "generation": (int, "must be a whole number, 1 or more"),
}


class ApiKeyProvider(Provider):
    """Makes, finds and revokes one key, named `<key_name>_g<generation>`. The id is the service's."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what cannot be a key's name."""
        return CheckResult(news, failures(news, RULES))

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Every input is the key's identity: create the new one, then delete the old."""
        return difference(_olds, _news, replaces=tuple(RULES))

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take the key of that name, which an interrupted run may have made, or make it."""
        from supabase_management.client import Client
        from supabase_management.errors import ApiError

        ref, name = props["project_ref"], key_name(props)
        with Client.from_environment(require_engine) as client:
            key = _find(client.keys(ref), name)
            if key is None:
                try:
                    key = client.create_key(ref, "secret", name)
                except ApiError as error:
                    key = _find(client.keys(ref), name) if error.ambiguous else None
                    if key is None:
                        raise
        return CreateResult(key.id, _outputs(props, _clear(key)))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The key as the project holds it now, or gone; that of a paused project as recorded."""
        from supabase_management.client import Client
        from supabase_management.models import PAUSED

        with Client.from_environment(require_engine) as client:
            project = client.existing_project(props["project_ref"])
            if project is None:
                return ReadResult("", {})
            if project.status in PAUSED:
                return ReadResult(id_, _outputs(props, props["value"]), {name: props[name] for name in RULES})
            keys = client.keys(props["project_ref"])
        for key in keys:
            if key.id == id_:
                live = {**props, **_parts(key.name)}
                return ReadResult(id_, _outputs(live, _clear(key)), {name: live[name] for name in RULES})
        return ReadResult("", {})

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Nothing about a key changes in place."""
        return UpdateResult(_outputs(_news, _olds["value"]))

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Revoke the key; gone already is as good."""
        from supabase_management.client import Client
        from supabase_management.errors import ApiError

        with Client.from_environment(require_engine) as client:
            try:
                client.delete_key(_props["project_ref"], _id)
            except ApiError as error:
                if not error.not_found:
                    raise


class ApiKey(Resource, module="supabase", name="ApiKey"):
    """A secret key for servers; `value` is secret.

    Args:
        project_ref: ref of a project whose API is ready.
        key_name: first part of the key's name.
        generation: change it to rotate: the new key exists before the old one is revoked.
    """

    value: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        key_name: pulumi.Input[str],
        generation: pulumi.Input[int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"project_ref": project_ref, "key_name": key_name, "generation": generation, "value": None}
        secret = pulumi.ResourceOptions(additional_secret_outputs=["value"])
        super().__init__(ApiKeyProvider(), name, props, pulumi.ResourceOptions.merge(opts, secret))


def key_name(props: dict[str, Any]) -> str:
    """The name of the key of this generation."""
    return f"{props['key_name']}_g{whole(props['generation'])}"


def _parts(name: str) -> dict[str, Any]:
    """The inputs that a key's name tells; one that we would not give is a name without a generation."""
    found = re.fullmatch(r"(.+)_g([1-9]\d*)", name)
    return {"key_name": found[1], "generation": int(found[2])} if found else {"key_name": name}


def _find(keys: list[Any], name: str) -> Any:
    return next((key for key in keys if key.type == "secret" and key.name == name), None)


def _clear(key: Any) -> str:
    if not key.api_key or "·" in key.api_key:
        raise OperatorError(
            f"the API does not reveal key {key.name}", "api key", "Give the access token api_gateway_keys_read."
        )
    return str(key.api_key)


def _outputs(inputs: dict[str, Any], value: str) -> dict[str, Any]:
    return {**{name: inputs[name] for name in RULES}, "value": value}
