"""Domains of a project."""

from typing import Any

from local.emulators.rest import Call, RefusedError
from local.emulators.store import Document
from local.emulators.vercel.account import USER
from local.emulators.vercel.paging import page
from local.emulators.vercel.projects import KIND, identifier, in_team, milliseconds

ELSEWHERE = ".elsewhere.example"
FIELDS = ("redirect", "redirectStatusCode", "gitBranch", "customEnvironmentId")


def create(call: Call, project: Document) -> Any:
    name, now = call.body["name"], milliseconds(call.context)
    if any(name in one["domains"] for one in call.context.store.all(KIND).values()):
        message = f"Cannot add {name} since it's already assigned to a project."
        raise RefusedError(409, message, "domain_already_in_use")
    made = {field: call.body.get(field) for field in FIELDS}
    made |= {"name": name, "apexName": apex(name), "projectId": project["id"], "createdAt": now}
    made |= {"verified": not elsewhere(name), "updatedAt": now}
    if elsewhere(name):
        made["verification"] = [challenge(name)]
    project["domains"][name] = made
    return made


def domain(call: Call, project: Document) -> Any:
    """Read, change or remove one domain."""
    found: Document | None = project["domains"].get(call.path["name"])
    if found is None:
        raise RefusedError(404, f"The domain {call.path['name']} is not assigned to the project.", "not_found")
    if call.method == "DELETE":
        del project["domains"][found["name"]]
        return {}
    if call.method == "PATCH":
        found |= {field: call.body[field] for field in FIELDS if field in call.body}
        found["updatedAt"] = milliseconds(call.context)
    return found


def listing(call: Call, project: Document) -> Any:
    """The domains of one project."""
    return page(call, "domains", list(project["domains"].values()))


def every_domain(call: Call) -> Any:
    """The domains of the account: the apex of each one that its projects have."""
    apexes: dict[str, Document] = {}
    for project in in_team(call):
        for one in project["domains"].values():
            apexes.setdefault(one["apexName"], _account_domain(one, project["teamId"]))
    return page(call, "domains", list(apexes.values()))


def configuration(call: Call) -> Any:
    misconfigured = elsewhere(call.path["name"])
    return {
        "misconfigured": misconfigured,
        "configuredBy": None if misconfigured else "CNAME",
        "acceptedChallenges": [] if misconfigured else ["http-01"],
        "recommendedCNAME": [{"rank": 1, "value": "cname.vercel-dns.com."}],
        "recommendedIPv4": [{"rank": 1, "value": ["76.76.21.21"]}],
    }


def elsewhere(name: str) -> bool:
    """Whether another account has the domain: here all that are called so."""
    return name.endswith(ELSEWHERE)


def apex(name: str) -> str:
    """The registered domain that a name is part of; here always its last two labels."""
    return ".".join(name.split(".")[-2:])


def challenge(name: str) -> Document:
    """The record that proves whose domain it is."""
    value = f"vc-domain-verify={name},0123456789abcdef"
    proof = {"type": "TXT", "domain": f"_vercel.{apex(name)}", "value": value}
    return proof | {"reason": "pending_domain_verification"}


def _account_domain(one: Document, team: str | None) -> Document:
    name = one["apexName"]
    return {
        "id": identifier("domain", name),
        "name": name,
        "createdAt": one["createdAt"],
        "boughtAt": None,
        "expiresAt": None,
        "creator": {field: USER[field] for field in ("id", "username", "email")},
        "echMode": "auto",
        "intendedNameservers": ["ns1.vercel-dns.com", "ns2.vercel-dns.com"],
        "nameservers": [],
        "serviceType": "external",
        "teamId": team,
        "userId": USER["id"],
        "verified": one["verified"],
    }
