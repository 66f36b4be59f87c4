"""Declares a client, or a part of one, under Pulumi's mocks and gives what the engine would have been asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
from pulumi.runtime.rpc import _special_secret_sig, _special_sig_key

from components.settings import ClientSettings
from components.urn import name_of

SETTINGS = ClientSettings(
    client_id="acme",
    client_name="Acme Outdoor",
    org_email="owner@acme.example",
    tier="starter",
    environment="prod",
    project_name="client-acme-prod",
    region="eu-west-2",
    organization="agency",
    instance_size=None,
    adopt=False,
    paused=False,
    password_generation=1,
    key_generation=1,
    domain=None,
    protect=True,
    ready_timeout=60,
    repository_template=None,
    ruleset=True,
    archive_on_destroy=True,
    vercel_team=None,
)


@dataclass
class Declared:
    """One declared resource: its type without package, its inputs with secrets unwrapped, which of them are secret."""

    type: str
    request: Any
    inputs: dict[str, Any] = field(default_factory=dict)
    secret: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, value in MessageToDict(self.request.object).items():
            hidden = isinstance(value, dict) and value.get(_special_sig_key) == _special_secret_sig
            self.inputs[name] = value["value"] if hidden else value
            if hidden:
                self.secret.add(name)

    @property
    def dependencies(self) -> set[str]:
        return {name_of(urn) for urn in self.request.dependencies}


COMPUTED: dict[str, dict[str, Any]] = {
    "db-password": {"result": "made-up-password"},
    "project": {"ref": "abcdefghijklmnopqrst"},
    "endpoints": {"api_url": "https://abcdefghijklmnopqrst.supabase.co", "publishable_key": "sb_publishable_made_up"},
    "secret-key": {"value": "made-up-key"},
    "owner": {"link": "https://abcdefghijklmnopqrst.supabase.co/auth/v1/verify?token=made-up"},
    "schema": {"version": "20260101000000", "dsn": "postgresql://u@h:5432/d", "applied_at": "2026-01-01T00:00:00"},
    "repository": {"fullName": "agency/client-acme-prod", "htmlUrl": "https://github.com/agency/client-acme-prod"},
    "deployment": {"domains": ["client-acme-prod-git-main-agency.vercel.app", "client-acme-prod.vercel.app"]},
}
COMMITTED = {"commitSha": "0" * 40}


class Answers(mocks.Mocks):
    """Answers each registration with its inputs, and with something made up where a provider would compute."""

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        committed = COMMITTED if args.typ.endswith(":RepositoryFile") else {}
        computed = COMPUTED.get(args.name, {})
        # A project's id is its ref, and its dependents check that it is one.
        return computed.get("ref", f"{args.name}-id"), {**args.inputs, **committed, **computed}

    def call(self, args: mocks.MockCallArgs) -> Any:
        raise AssertionError(f"the program asks a provider while declaring: {args.token}")


class Recorder(mocks.MockMonitor):
    """Pulumi's mock monitor, keeping every request as the engine would get it."""

    def __init__(self) -> None:
        super().__init__(Answers())
        self.declared: dict[str, Declared] = {}
        self.outputs: dict[str, Any] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (the protocol's name)
        # The first run of a process registers the stack itself as well; no program declares it.
        if request.type != "pulumi:pulumi:Stack":
            self.declared[request.name] = Declared(request.type.rpartition(":")[2], request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        self.outputs[name_of(request.urn)] = request.outputs
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


def run(program: Callable[[], Any], stack: str = "acme") -> Recorder:
    """Run a program as the stack of a client."""
    recorder = Recorder()
    mocks.set_mocks(recorder.mocks, project="client-environments", stack=stack, preview=False, monitor=recorder)
    mocks.test(program)()  # type: ignore[no-untyped-call]
    return recorder


def declare(program: Callable[[pulumi.Resource], Any]) -> dict[str, Declared]:
    """Run a program that is given a parent; returns the resources that it declared, components left out, by name."""
    recorder = run(lambda: program(pulumi.ComponentResource("test:index:Client", "client")))
    return {name: one for name, one in recorder.declared.items() if one.request.custom}
