"""What the program asks a resource to be: one `RegisterResource` request, decoded."""

from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime.proto import resource_pb2

from components.urn import Urn, parse
from local.rehearsal.provider import ProviderError
from local.rehearsal.state import Resource
from local.rehearsal.values import decode

STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass(frozen=True)
class Goal:
    """A resource as declared, and the options that are not part of state.

    Attributes:
        resource: the resource to be, without id and outputs; its inputs are the program's.
        delete_before_replace: the program's choice, or None for the provider's.
        ignore_changes: property paths whose changes do not count.
        replace_on_changes: property paths whose changes replace.
        secret_outputs: output names that are secret whatever the provider says.
        aliases: URNs that this resource had before.
    """

    resource: Resource
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    secret_outputs: tuple[str, ...] = ()
    aliases: tuple[str, ...] = field(default_factory=tuple)


def goal_of(request: Any, project: str, stack: str) -> Goal:
    """Decode a request.

    Raises:
        ProviderError: it asks for something that rehearsal does not do.
    """
    _refuse_unsupported(request)
    trigger = resource_pb2.RegisterResourceRequest().object
    if request.HasField("replacement_trigger"):
        trigger.fields["trigger"].CopyFrom(request.replacement_trigger)
    resource = Resource(
        urn=_urn(request, project, stack),
        type=request.type,
        custom=request.custom,
        inputs=decode(request.object),
        parent=request.parent,
        dependencies=sorted(set(request.dependencies)),
        property_dependencies={key: sorted(value.urns) for key, value in request.propertyDependencies.items()},
        replacement_trigger=decode(trigger).get("trigger"),
        protect=request.protect,
        retain=request.retainOnDelete,
        deleted_with=request.deletedWith,
    )
    return Goal(
        resource,
        request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
        tuple(request.ignoreChanges),
        tuple(request.replaceOnChanges),
        tuple(request.additionalSecretOutputs),
        tuple(request.aliasURNs),
    )


def _urn(request: Any, project: str, stack: str) -> str:
    parents = parse(request.parent).types if request.parent else ()
    chain = () if parents == (STACK_TYPE,) else parents
    return str(Urn(stack, project, (*chain, request.type), request.name))


def _refuse_unsupported(request: Any) -> None:
    hooks = request.hooks
    asked = {
        "a remote component": request.remote,
        "import": bool(request.importId),
        "an explicit provider": bool(request.provider) or request.type.startswith("pulumi:providers:"),
        "a transform": bool(request.transforms),
        "a hook": any(getattr(hooks, each.name) for each in hooks.DESCRIPTOR.fields),
        "replace_with": bool(request.replace_with),
    }
    for what, present in asked.items():
        if present:
            raise ProviderError(f"{what} is not supported in rehearsal: it needs the pulumi command")
