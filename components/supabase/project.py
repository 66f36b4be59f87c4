"""A client's Supabase project, allocated: it exists and has a ref, whether or not it answers yet."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import pulumi
from pulumi.dynamic import CheckFailure, CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, operation, require_engine, tell, whole
from components.project_settings import SIZE
from components.supabase.inputs import SECONDS, Rule, difference, failures

RULES: dict[str, Rule] = {
    "project_name": (r"\S(.{0,254}\S)?", "must be one line of 1 to 256 characters"),
    "organization": (r"[\w-]+", "must be an organization's slug"),
    "region": (r"[a-z]{2}(-[a-z]+)+-\d", "must be a region code such as eu-west-2"),
    "instance_size": (SIZE, "?must be a compute size such as micro, small or 2xlarge"),
    "db_password": (r"[A-Za-z0-9_.~-]{16,128}", "must be 16 to 128 URL-safe characters"),
    "client_id": (r"\S+", "must be the client's id"),
    "paused": (bool, "must be true or false"),
    "adopt": (bool, "must be true or false"),
    "timeout": SECONDS,
    "needed_variables": (list, "?must be a list of environment variables"),
    "unknown_schemas": (list, "?must be a list of schemas"),
}
STEERING = frozenset({"adopt", "timeout", "needed_variables", "unknown_schemas"})
IMMOVABLE = ("region", "organization")
NO_SCHEMA = "neither Supabase nor sql/migrations makes such a schema"


class ProjectProvider(Provider):
    """Finds, creates, changes and deletes one project. Inputs: the keys of `RULES`; computed output: `ref`."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse inputs that break a rule, and a move that would be a replacement."""
        found = failures(news, RULES, frozenset({"db_password"}))
        for name in IMMOVABLE:
            old, new = _olds.get(name), news.get(name)
            if isinstance(old, str) and isinstance(new, str) and old != new:
                rule = "cannot change: make a new client, move the data, destroy the old one"
                found.append(CheckFailure(name, f"{name} '{new}' (was '{old}') {rule}"))
        if "project_name" not in _olds and news.get("paused") is True:
            found.append(CheckFailure("paused", "paused 'True': must be false until the project exists"))
        if "project_name" not in _olds and (schemas := news.get("unknown_schemas")):
            found.append(CheckFailure("unknown_schemas", f"dataApiSchemas '{', '.join(schemas)}': {NO_SCHEMA}"))
        if news.get("instance_size") == "nano" and _olds.get("instance_size", "nano") != "nano":
            found.append(CheckFailure("instance_size", "instance_size 'nano': a project cannot shrink to nano"))
        return CheckResult(news, found)

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare offline; a project is never replaced."""
        return difference(_olds, _news, quiet=STEERING)

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take our project or create it; returns as soon as it has a ref.

        What later steps need of the environment is asked for first: nothing billed exists before it is there.
        """
        from supabase_management.client import Client
        from supabase_management.project_lifecycle import allocate, require_variables

        require_variables(props.get("needed_variables") or ())
        with Client.from_environment(require_engine) as client:
            ref = allocate(client, _wanted(props))
        return CreateResult(ref, _outputs(props, ref))

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Live values, as outputs and inputs."""
        from supabase_management.client import Client
        from supabase_management.project_lifecycle import live

        with Client.from_environment(require_engine) as client:
            values = live(client, id_, props)
        if values is None:
            return ReadResult("", {})
        inputs = {name: props[name] for name in RULES if name in props} | values
        return ReadResult(id_, _outputs(inputs, id_), inputs)

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Change name, password or size in place, and restore a project that is no longer meant to be paused."""
        from supabase_management.client import Client
        from supabase_management.project_lifecycle import change

        with Client.from_environment(require_engine) as client:
            change(client, _id, _olds.get("db_password", ""), _wanted(_news))
        return UpdateResult(_outputs(_news, _id))

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Delete the project with everything in it."""
        from supabase_management.client import Client
        from supabase_management.project_lifecycle import remove

        with Client.from_environment(require_engine) as client:
            remove(client, _id, float(_props.get("timeout", 600)), _props.get("organization"))


class Project(Resource, module="supabase", name="Project"):
    """A Supabase project.

    Args:
        project_name: its name, unique among the organization's projects that we look at.
        organization: slug of the organization; never changes.
        region: region code, checked against the organization's live list; never changes.
        instance_size: compute size, or None for the smallest there is.
        db_password: password of the database, at least 16 URL-safe characters.
        paused: whether it is meant to be paused, which `Pause` then does.
        adopt: take over a project of that name although nothing proves it is ours.
        client_id: the client that the ownership mark in the database must name.
        timeout: seconds to wait for the service, in each operation that waits.
        needed_variables: environment variables that must be set before a new project is made.
        unknown_schemas: schemas for its Data API that nothing makes; a new project is refused while there are any.
    """

    ref: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        project_name: pulumi.Input[str],
        organization: pulumi.Input[str],
        region: pulumi.Input[str],
        instance_size: pulumi.Input[str] | None,
        db_password: pulumi.Input[str],
        paused: pulumi.Input[bool],
        adopt: pulumi.Input[bool],
        client_id: pulumi.Input[str],
        timeout: pulumi.Input[int],
        needed_variables: Sequence[str] = (),
        unknown_schemas: Sequence[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {
            "project_name": project_name,
            "organization": organization,
            "region": region,
            "instance_size": instance_size,
            "db_password": pulumi.Output.secret(db_password),
            "paused": paused,
            "adopt": adopt,
            "client_id": client_id,
            "timeout": timeout,
            "needed_variables": list(needed_variables) or None,
            "unknown_schemas": list(unknown_schemas) or None,
            "ref": None,
        }
        super().__init__(ProjectProvider(), name, props, opts)


def _wanted(props: Mapping[str, Any]) -> Any:
    from supabase_management.adoption import Wanted

    known = {field.name for field in fields(Wanted)}
    return Wanted(**{name: whole(value) for name, value in props.items() if name in known}, warn=tell)


def _outputs(inputs: Mapping[str, Any], ref: str) -> dict[str, Any]:
    return {**{name: inputs[name] for name in RULES if inputs.get(name) is not None}, "ref": ref}
