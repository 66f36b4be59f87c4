"""What belongs to no client that can be named: stacks without a file, and things in the accounts without a stack.

Something counts as a client's by the proof that adoption takes, never by its name alone: a name without proof is
listed as "cannot tell", and nothing is ever deleted from here. What a token does not show is said, and is not counted
as nothing there.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from automation.clients import ANY_ORGANIZATION, list_clients, list_environments
from automation.engine import outputs_by_name
from automation.failures import explain
from automation.rivals import LABELS, read_claims, same_domain
from automation.workspace import Workspace
from common.errors import OperatorError
from components.settings import ClientSettings, Place, load_settings, read_place
from components.urn import name_of

PARALLEL = 4
UNPROVED = "Nothing proves whose it is, so nothing takes or deletes it: look at it there"
Resources = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Orphan:
    """One thing that no client answers for.

    Attributes:
        kind: `stack`, `client`, or one of the kinds of `automation.recovery.accounts.found`.
        name: its name.
        client: the client that it belongs to, as far as anything tells.
        says: what is the matter.
        remedy: what the operator can do.
        proved: whether it is certain that it is that client's.
    """

    kind: str
    name: str
    client: str
    says: str
    remedy: str
    proved: bool = True

    @property
    def line(self) -> str:
        """The orphan in one line."""
        named = self.name if self.kind in {"stack", "client"} else f"{self.kind} {self.name}"
        return f"{named}: {'' if self.proved else 'cannot tell whose it is: '}{self.says}. {self.remedy}."


@dataclass
class Orphans:
    """What was found, and what could not be looked at."""

    found: list[Orphan] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """Everything in lines; empty only when all was looked at and nothing found."""
        return [*(orphan.line for orphan in self.found), *(f"cannot tell: {line}" for line in self.unknown)]

    def as_json(self) -> dict[str, Any]:
        """Both lists in JSON's types."""
        return {"orphans": [asdict(orphan) for orphan in self.found], "cannot_tell": self.unknown}


def find_orphans(workspace: Workspace) -> Orphans:
    """Compare clients' files, stacks and accounts; changes nothing."""
    root, orphans = workspace.root, Orphans()
    clients, settings = list_clients(root), _settings(workspace)
    try:
        states = _states(workspace, orphans)
    except OperatorError as error:
        orphans.unknown.append(f"which stacks there are, and so what none of them holds: {error}")
        return orphans
    orphans.found += _rivals(root, states.keys(), local=workspace.local)
    for stack, resources in states.items():
        if stack not in clients and resources:
            orphans.found.append(_stack_without_file(stack, resources, settings))
    read = {stack: resources for stack, resources in states.items() if resources is not None}
    places = _places(workspace, orphans)
    if not places and not orphans.unknown:
        orphans.unknown.append("what no stack holds: no environment's file says where clients are")
    asked = _held(read) | _accounts(places, read) | _described(settings)
    try:
        report = workspace.orphans(asked)
    except OperatorError as error:
        orphans.unknown.append(f"what no stack holds: {error}")
        return orphans
    orphans.unknown += report["unknown"]
    unread = states.keys() - read.keys()
    orphans.found += [_judged(found, clients, unread) for found in report["found"]]
    return orphans


def _states(workspace: Workspace, orphans: Orphans) -> dict[str, Resources | None]:
    """The resources of every stack; None where they cannot be read.

    Raises:
        OperatorError: the backend does not name its stacks.
    """

    def read(stack: str) -> Resources | None:
        try:
            return workspace.state_of(stack)
        except Exception as error:  # whatever it is, the other stacks are read all the same
            orphans.unknown.append(f"what stack {stack} holds: {explain(error)}")
            return None

    stacks = workspace.stacks()
    with ThreadPoolExecutor(PARALLEL) as pool:
        states = pool.map(read, stacks)
    found: dict[str, Resources | None] = {}
    for stack, resources in zip(stacks, states, strict=True):
        client = client_of_stack(stack)
        if client in found:
            orphans.unknown.append(f"which of the stacks named {client} is the client's: another organization has one")
            earlier = found[client]
            resources = None if resources is None or earlier is None else [*earlier, *resources]
        found[client] = resources
    return found


def client_of_stack(stack: str) -> str:
    """The client of a stack; a backend may name the stack with its organization and project before it."""
    return stack.rpartition("/")[2]


def compare_with_orphans(client: str, workspace: Workspace) -> list[str]:
    """Compare a client that is new with the stacks that have no file: it may be one of them, renamed.

    Other clients' files are compared by `automation.rivals`.

    Returns:
        a warning for each such stack that shares its name or owner.

    Raises:
        OperatorError: such a stack holds its domain, or the state of one cannot be read; nothing was made.
    """
    settings, clients = workspace.settings(client), {client, *list_clients(workspace.root)}
    warnings = []
    for stack in workspace.stacks():
        if client_of_stack(stack) in clients:
            continue
        resources = workspace.state_of(stack)
        held = str(outputs_by_name(resources).get("site-domain", {}).get("domain") or "")
        if held and settings.domain and same_domain(held) == same_domain(settings.domain):
            what = f"domain '{settings.domain}' belongs to the stack {stack}, which has no file"
            remedy = "Nothing was made. Restore that file and destroy the client, or choose another domain."
            raise OperatorError(what, f"Pulumi.{client}.yaml", remedy)
        if _likely(resources, {client: settings}):
            warnings.append(_stack_without_file(client_of_stack(stack), resources, {client: settings}).line)
    return warnings


def _settings(workspace: Workspace) -> dict[str, ClientSettings]:
    """The settings of the clients whose files say them; `status` and `drift` name the others by themselves."""
    found = {}
    for client in list_clients(workspace.root):
        try:
            variables = {**ANY_ORGANIZATION, **workspace.environment}
            environment = "local" if workspace.local else None
            found[client] = load_settings(client, workspace.root, environment, variables)
        except OperatorError:
            continue
    return found


def _rivals(root: Path, stacks: Iterable[str], *, local: bool) -> list[Orphan]:
    """Return each claim that a client with a stack shares with another file: mostly a renamed client's.

    Where none of them has a stack nothing exists twice, and `up` refuses both.
    """
    claims = read_claims(root, local=local).by_client
    owners: dict[tuple[str, str], list[str]] = {}
    for client, claimed in claims.items():
        for kind, value in claimed.items():
            owners.setdefault((kind, value), []).append(client)
    return [
        Orphan(
            "client",
            shared[0],
            shared[0],
            f"{LABELS[kind]} '{value}' is claimed by {' and '.join(f'Pulumi.{each}.yaml' for each in shared)}",
            "Change it in all but one; a renamed client keeps its old file and clientId",
        )
        for (kind, value), shared in owners.items()
        if len(shared) > 1 and {*shared} & {*stacks}
    ]


def _stack_without_file(stack: str, resources: Resources, settings: Mapping[str, ClientSettings]) -> Orphan:
    likely = _likely(resources, settings)
    restore = f"Restore Pulumi.{stack}.yaml from retired/ or git, then run up or destroy"
    if likely:
        restore += f"; if {likely[0]} is the same client renamed, give its file this name and clientId back"
    shared = f"; it shares its domain, name or owner with client {', '.join(likely)}" if likely else ""
    says = f"a stack with resources and no file Pulumi.{stack}.yaml{shared}"
    return Orphan("stack", stack, stack, says, restore)


def _likely(resources: Resources, settings: Mapping[str, ClientSettings]) -> list[str]:
    """The clients that a stack may belong to under another name, by its domain, client name or owner."""
    state = outputs_by_name(resources)
    domain = same_domain(str(state.get("site-domain", {}).get("domain") or ""))
    people = {str(state.get("owner", {}).get(name) or "").lower() for name in ("name", "contact")} - {""}
    return [
        client
        for client, each in settings.items()
        if (domain and each.domain and same_domain(each.domain) == domain)
        or {each.client_name.lower(), each.org_email.lower()} & people
    ]


def _places(workspace: Workspace, orphans: Orphans) -> list[Place]:
    """Where the clients of all environments are; in local mode only the local one counts."""
    places = []
    for environment in list_environments(workspace.root):
        if (environment == "local") == workspace.local:
            try:
                places.append(read_place(environment, workspace.root, workspace.environment))
            except OperatorError as error:
                orphans.unknown.append(f"things of environment {environment}: {error}")
    return places


def _held(states: Mapping[str, Resources]) -> dict[str, Any]:
    """What the stacks hold, as `automation.recovery.accounts.found.Asked` takes it."""
    held: dict[str, set[str]] = {"projects": set(), "repositories": set(), "sites": set()}
    clients: dict[str, str] = {}
    for stack, resources in states.items():
        ids = {name_of(each["urn"]): str(each["id"]) for each in resources}
        outputs = outputs_by_name(resources)
        held["projects"] |= {ids["project"]} if "project" in ids else set()
        held["sites"] |= {ids["site"]} if "site" in ids else set()
        if "repository" in ids:
            number = outputs["repository"].get("repoId")
            name = str(outputs["repository"].get("name") or ids["repository"]).lower()
            held["repositories"] |= {name, ids["repository"].lower(), *([str(int(number))] if number else [])}
            clients[name] = stack
        if url := outputs.get("endpoints", {}).get("api_url"):
            clients[str(url)] = stack
    return {**{name: sorted(values) for name, values in held.items()}, "clients": clients}


def _accounts(places: Sequence[Place], states: Mapping[str, Resources]) -> dict[str, Any]:
    """The accounts that environments and stacks name."""
    outputs = [outputs_by_name(resources) for resources in states.values()]
    organizations = {place.organization for place in places}
    organizations |= {str(each.get("project", {}).get("organization") or "") for each in outputs} - {""}
    teams = {place.vercel_team for place in places} | {each["site"].get("teamId") for each in outputs if "site" in each}
    return {
        "organizations": sorted(organizations),
        "teams": sorted(teams, key=str),
        "names": [place.names for place in places],
    }


def _described(settings: Mapping[str, ClientSettings]) -> dict[str, Any]:
    """How the clients' files name and describe their repositories."""
    described = {each.project_name: (client, each.repository_description) for client, each in settings.items()}
    return {"described": described}


def _judged(found: Mapping[str, str], clients: Sequence[str], unread: Iterable[str]) -> Orphan:
    kind, name, client = found["kind"], found["name"], found["client"]
    if client in unread:
        return Orphan(
            kind, name, client, f"the state of stack {client} cannot be read", "Repair that first", proved=False
        )
    if not found["proof"]:
        return Orphan(kind, name, client, found["doubt"], UNPROVED, proved=False)
    if client in clients:
        remedy = f"`up {client}` takes it up if its stack has none, `destroy {client}` ends a client that left"
    else:
        remedy = f"Write Pulumi.{client}.yaml again (retired/, git): then up takes it up, and destroy ends it"
    return Orphan(kind, name, client, f"no stack holds it, and {found['proof']}", remedy)
