"""A client's project, paused: a leaf, declared while `paused: true`, so that pausing comes after everything else.

Taking `paused` out deletes this resource, which does nothing: the project itself is restored first, by
`components.supabase.project`, because everything else needs it running.
"""

from typing import Any

import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, operation, require_engine, whole
from components.supabase.inputs import REF, SECONDS, Rule, difference, failures

RULES: dict[str, Rule] = {"project_ref": REF, "timeout": SECONDS}


class PauseProvider(Provider):
    """Pauses one project. Inputs: the keys of `RULES`; nothing is computed. It exists while the project is paused."""

    @operation
    def check(self, _olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse what cannot be a project."""
        return CheckResult(news, failures(news, RULES))

    @operation
    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Compare offline; another project is another resource."""
        return difference(_olds, _news, replaces=("project_ref",), quiet=frozenset({"timeout"}))

    @operation
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Pause the project; one that is paused already stays so."""
        from supabase_management.client import Client
        from supabase_management.pausing import pause

        with Client.from_environment(require_engine) as client:
            pause(client, props["project_ref"], timeout=float(whole(props["timeout"])))
        return CreateResult(props["project_ref"], {name: props[name] for name in RULES})

    @operation
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """As recorded while the project is paused; gone when somebody has restored or deleted it."""
        from supabase_management.client import Client
        from supabase_management.models import PAUSED

        with Client.from_environment(require_engine) as client:
            record = client.existing_project(id_)
        if record is None or record.status not in PAUSED:
            return ReadResult("", {})
        values = {name: props[name] for name in RULES if name in props}
        return ReadResult(id_, values, values)

    @operation
    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Nothing about a pause changes in place."""
        return UpdateResult({name: _news[name] for name in RULES})

    @operation
    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        """Nothing: the project has been restored before, or goes with its client."""


class Pause(Resource, module="supabase", name="Pause"):
    """The pause of one project.

    Args:
        project_ref: ref of the project.
        timeout: seconds to wait until it is paused.
    """

    def __init__(
        self,
        name: str,
        *,
        project_ref: pulumi.Input[str],
        timeout: int,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(PauseProvider(), name, {"project_ref": project_ref, "timeout": timeout}, opts)
