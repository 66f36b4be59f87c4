"""What a bare `pulumi up` does about repositories and sites that exist, and that the stack's state does not hold.

A state loses a repository when a refresh runs under a token that may not see it, and a site in the same way; a lost
state has lost all. The GitHub and Vercel plugins then answer "already exists" for ever. `clients up` puts
such resources back into the state. A program cannot, but it can import them: here, with the same proof as
`components.find_existing`. What exists and proves nothing is refused before anything is created.
"""

import os
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pulumi
from pulumi.runtime import register_stack_transformation

from common.errors import OperatorError
from components.find_existing import REPOSITORY, RULESET, SEARCHES, SITE, Lookup
from components.settings import STACK_MARK, ClientSettings
from components.urn import name_of

TOKENS = ("GITHUB_TOKEN", "GITHUB_OWNER", "VERCEL_API_TOKEN")
# Any resource is younger.
EVER = "1970-01-01T00:00:00+00:00"
SERVICES = {REPOSITORY: "GitHub", SITE: "Vercel"}


@dataclass
class TakeUp:
    """A transformation that imports what exists of a client.

    Attributes:
        settings: the client's settings.
        state: outputs of the resources that the state holds, by name.
        taken: names of the resources that are imported.
    """

    settings: ClientSettings
    state: Mapping[str, Mapping[str, Any]]
    taken: list[str] = field(default_factory=list)

    def __call__(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        """Add the import of one resource to its options when it exists and the state does not hold it.

        Raises:
            OperatorError: a repository or site of that name exists, and nothing proves that it is the client's; or
                GitHub or Vercel cannot be asked.
        """
        if args.name in self.state or args.type_ not in SEARCHES:
            return None
        inputs = self._inputs(args.type_, args.props)
        found = self._lookup.find(args.type_, inputs, None) if self._provable else None
        if found is None:
            self._refuse_foreign(args.type_, inputs)
            return None
        self.taken.append(args.name)
        # An import fails where inputs differ from what is there; the next `up` brings those in line.
        props = dict(args.props)
        if props.get("sensitive"):
            # Vercel shows no sensitive value to an import, so it has nothing to keep; written only, it needs nothing.
            props["value_wo"], props["value"] = props["value"], None
        declared = [_camel(name) for name, value in props.items() if value is not None and name != "value_wo"]
        more = pulumi.ResourceOptions(import_=self._import_id(args.type_, found, inputs), ignore_changes=declared)
        return pulumi.ResourceTransformationResult(props, pulumi.ResourceOptions.merge(args.opts, more))

    def end(self) -> None:
        """Say what was taken up and close the connections, once every resource has been declared."""
        if self.taken:
            names = ", ".join(self.taken)
            pulumi.log.warn(f"Taken up again, as it is there: {names}. The next `pulumi up` brings it in line.")
        if "_lookup" in vars(self):
            self._lookup.close()

    @cached_property
    def _lookup(self) -> Lookup:
        return Lookup(self._api_url)

    @property
    def _api_url(self) -> str | None:
        return self.state.get("endpoints", {}).get("api_url")

    @property
    def _provable(self) -> bool:
        """Whether anything can prove that a repository is the client's; see `components.find_existing`."""
        return not self.state or self._api_url is not None or "repository" in self.state

    def _inputs(self, kind: str, props: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs that need no other resource, under the engine's names."""
        plain = {_camel(name): value for name, value in props.items() if isinstance(value, str | list | tuple)}
        if kind.startswith("github:") and kind != REPOSITORY:
            plain["repository"] = self.settings.project_name
        if kind.startswith("vercel:") and "site" in self.state:
            plain["projectId"] = self.state["site"]["id"]
        return plain

    def _import_id(self, kind: str, found: str, inputs: Mapping[str, Any]) -> str:
        """Return the id as the plugin's import takes it."""
        if kind == RULESET:
            return f"{inputs['repository']}:{found}"
        if not kind.startswith("vercel:"):
            return found
        inside = () if kind == SITE else (inputs.get("projectId") or self._lookup.site_id,)
        return "/".join(filter(None, (self.settings.vercel_team, *inside, found)))

    def _refuse_foreign(self, kind: str, inputs: Mapping[str, Any]) -> None:
        service = SERVICES.get(kind)
        if service is None:
            return
        with closing(Lookup()) as anybody:
            exists = anybody.find(kind, inputs, EVER) is not None
        if exists:
            remedy = (
                f"Nothing proves that it is this client's, so it is not taken over: rename it at {service}, or choose"
                f" another projectName. What an interrupted run has made is found by: clients up"
                f" {self.settings.client_id}."
            )
            raise OperatorError(f"{inputs['name']} exists already at {service}", self.settings.client_id, remedy)


def take_up(settings: ClientSettings, environment: Mapping[str, str] = os.environ) -> TakeUp | None:
    """Look up, for the program that is about to be declared, what exists and is not in the state.

    Returns:
        The registered transformation; None without tokens, or where the command line has settled the state.
    """
    if STACK_MARK in environment or not all(environment.get(name) for name in TOKENS):
        return None
    wanted = TakeUp(settings, _state())
    register_stack_transformation(wanted)
    return wanted


def _state() -> dict[str, Mapping[str, Any]]:
    """Return the outputs of the client's resources as the last operation left them, by name."""
    # Pulumi Cloud takes a bare name for a stack of the account's default organization.
    name = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
    found = pulumi.runtime.invoke("pulumi:pulumi:readStackResourceOutputs", {"stackName": name}).value
    resources: Mapping[str, Any] = (found or {}).get("outputs") or {}
    return {
        name_of(urn): resource.get("outputs") or {}
        for urn, resource in resources.items()
        # The stack itself and its plugins are in every state, also one that has lost the rest.
        if not resource["type"].startswith("pulumi:")
    }


def _camel(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)
