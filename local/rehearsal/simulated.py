"""GitHub and Vercel resources as documents in the emulators, where they persist and can be changed by hand.

Nothing here speaks the services' own API: each step is marked simulated.
"""

import hashlib
import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from automation import github_errors, vercel_errors
from common.errors import OperatorError
from components.find_existing import REPOSITORY, SITE
from components.urn import parse
from local.rehearsal.diff import differ
from local.rehearsal.provider import Live, Provider, ProviderError, UncertainError
from local.rehearsal.state import Resource
from local.rehearsal.values import Properties, plain
from rest_clients.http_session import open_session

UNDER_WAY = {"QUEUED", "BUILDING"}
POLL = 0.25  # seconds
DEPLOYMENT_SECONDS = 600.0
CHANGED = "[changed by hand]"


class SimulatedProvider(Provider):
    """The documents of one service.

    Args:
        service: name of the service, for errors.
        url: base URL of its emulator.
        pending: URNs whose create was cut off: what it made is taken up. None is every URN.
    """

    simulated = True
    # Properties that name the thing itself: the real providers replace a resource when one of them changes.
    identity = frozenset(
        {
            "repository",
            "file",
            "variableName",
            "secretName",
            "projectId",
            "teamId",
            "key",
            "domain",
            "environment",
            "ref",
            "meta",
        }
    )

    def __init__(self, service: str, url: str, pending: Collection[str] | None = ()) -> None:
        self._service = service
        # Without the parents: a resource may have another one than when its create was cut off.
        self._pending = None if pending is None else {parse(urn).identity for urn in pending}
        # The environment's proxy is for the real providers; an emulator is on this machine.
        self._client = open_session(f"{url.rstrip('/')}/_rehearsal/", trust_env=False)

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        parsed = parse(urn)
        body = {
            "inputs": plain(dict(inputs)),
            "urn": urn,
            "identity": "::".join(parsed.identity),
            "again": self._pending is None or parsed.identity in self._pending,
        }
        document = self._deployed(self._request("POST", quote(parsed.type, safe="/"), body))
        return str(document["id"]), {**document["outputs"], **inputs}

    def _deployed(self, document: Any) -> Any:
        """The document; of a deployment, once it is no longer under way."""
        ends, route = time.monotonic() + DEPLOYMENT_SECONDS, f"documents/{quote(document['id'], safe='')}"
        while document.get("state") in UNDER_WAY:
            if time.monotonic() > ends:
                what = f"is still {document['state']} after {DEPLOYMENT_SECONDS:g} s"
                remedy = "Look at its log at Vercel. The next run makes another one."
                raise UncertainError(str(OperatorError(what, f"deployment {document['id']}", remedy)))
            time.sleep(POLL)
            document = self._request("GET", route)
            if document is None:
                raise ProviderError("was deleted while it was built. Run it again.")
        return document

    def made_by(self, stack: str) -> list[Resource]:
        """Return everything that a stack has made and not archived, whether or not its state knows."""
        return self.made(f"?stack={quote(stack, safe='')}")

    def made(self, query: str = "") -> list[Resource]:
        """Return everything that was made and not archived, of all stacks unless the query names one."""
        found = self._request("GET", f"documents{query}")
        return [
            Resource(each["urn"], each["type"], custom=True, id=str(each["id"]), outputs=each["outputs"])
            for each in found
            if each["type"].startswith(f"{self._service}:") and not each["outputs"].get("archived")
        ]

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        document = self._request("PUT", _route(old), {"inputs": plain(dict(news))})
        return {**document["outputs"], **news}

    def planned(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        computed = {key: value for key, value in old.outputs.items() if key not in old.inputs}
        return {**computed, **news}

    def read(self, old: Resource) -> Live | None:
        document = self._request("GET", _route(old))
        if document is None:
            return None
        inputs = {key: _live(key, value, document) for key, value in old.inputs.items()}
        outputs = {**document["outputs"], **inputs}
        return Live(old.id, outputs, {key: value for key, value in inputs.items() if value is not None})

    def delete(self, old: Resource) -> None:
        self._request("DELETE", _route(old))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _request(self, method: str, route: str, body: Any = None) -> Any:
        """The document; None when it does not exist."""
        try:
            answer = self._client.request(method, route, json=body)
        except httpx.HTTPError as error:
            said = f"{self._service} emulator: {type(error).__name__}; is it running?"
            raise UncertainError(said) from None
        if answer.status_code == httpx.codes.NOT_FOUND and method in {"GET", "DELETE"}:
            return None
        if answer.is_error:
            refusal = self._refusal(f"{self._service} emulator: {method} {route}", answer)
            raise UncertainError(refusal) if answer.is_server_error else ProviderError(refusal)
        try:
            return answer.json() if answer.content else {}
        except ValueError:
            cut_off = f"{self._service} emulator: {method} {route}: no whole answer. Run it again."
            raise UncertainError(cut_off) from None

    def _refusal(self, where: str, answer: httpx.Response) -> str:
        said = _said(answer)
        if self._service == "github":
            return github_errors.refusal(where, answer.status_code, said)
        return vercel_errors.refusal(where, said)


def list_unheld(environment: Mapping[str, str], held: Collection[str]) -> list[dict[str, str]]:
    """Return the documents of repositories and sites that no stack holds, as `automation.recovery.accounts` does.

    A document names the stack that made it, so each is proved to be its client's.

    Args:
        environment: holds the emulators' addresses.
        held: ids that stacks hold.
    """
    found = []
    for variable, type_, kind in (
        ("GITHUB_BASE_URL", REPOSITORY, "GitHub repository"),
        ("VERCEL_EMULATOR_URL", SITE, "Vercel project"),
    ):
        provider = SimulatedProvider(type_.partition(":")[0], environment[variable])
        try:
            every = provider.made()
        finally:
            provider.close()
        for each in every:
            if each.type == type_ and each.id not in held:
                client = parse(each.urn).stack
                proof = f"it was made by the stack of client '{client}' (simulated)"
                name = str(each.outputs["name"])
                found.append({"kind": kind, "name": name, "client": client, "proof": proof, "doubt": ""})
    return found


def _route(resource: Resource) -> str:
    return f"documents/{quote(resource.id, safe='')}"


def _live(key: str, mine: Any, document: Mapping[str, Any]) -> Any:
    """What the document holds for an input: our own value, secrets and all, unless it was changed by hand."""
    if key in document["digests"]:
        digest = hashlib.sha256(str(plain(mine)).encode()).hexdigest()
        return mine if document["digests"][key] == digest else CHANGED
    found = document["outputs"].get(key)
    return found if differ(plain(mine), found) else mine


def _said(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return answer.reason_phrase
    error = content.get("error") if isinstance(content, dict) else None
    if isinstance(error, dict):
        return " - ".join(filter(None, (error["code"], error["message"])))
    return str(content["message"] if isinstance(content, dict) and "message" in content else content)
