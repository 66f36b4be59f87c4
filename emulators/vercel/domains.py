"""Domains of a project."""

from typing import Any

from emulators.rest import Call, RefusedError
from emulators.store import Document
from emulators.vercel.projects import KIND, milliseconds

ELSEWHERE = ".elsewhere.example"
FIELDS = ("redirect", "redirectStatusCode", "gitBranch", "customEnvironmentId")


def create(call: Call, project: Document) -> Any:
    name, now = call.body["name"], milliseconds(call.context)
    if any(name in one["domains"] for one in call.context.store.all(KIND).values()):
        message = f"Cannot add {name} since it's already assigned to a project."
        raise RefusedError(409, message, "domain_already_in_use")
    made = {field: call.body.get(field) for field in FIELDS}
    made |= {"name": name, "projectId": project["id"], "verified": not elsewhere(name), "createdAt": now}
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
    if call.method == "PATCH":
        found |= {field: call.body[field] for field in FIELDS if field in call.body}
    return found


def configuration(call: Call) -> Any:
    cname, address = {"rank": 1, "value": "cname.vercel-dns.com."}, {"rank": 1, "value": ["76.76.21.21"]}
    misconfigured = elsewhere(call.path["name"])
    return {"misconfigured": misconfigured, "recommendedCNAME": [cname], "recommendedIPv4": [address]}


def elsewhere(name: str) -> bool:
    """Whether another account has the domain: here all that are called so."""
    return name.endswith(ELSEWHERE)


def challenge(name: str) -> Document:
    """The record that proves whose domain it is."""
    apex = ".".join(name.split(".")[-2:])
    proof = {"type": "TXT", "domain": f"_vercel.{apex}", "value": f"vc-domain-verify={name},0123456789abcdef"}
    return proof | {"reason": "pending_domain_verification"}
