"""GitHub and Vercel resources as documents in the emulators, where they persist and can be changed by hand.

Nothing here speaks the services' own API: each step is marked simulated. Secrets leave only as digests.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx

from automation.rehearsal.diff import differences
from automation.rehearsal.provider import InProcess, Live, ProviderError
from automation.rehearsal.state import Resource
from automation.rehearsal.values import Properties, has_secret, plain, transform


class SimulatedProvider(InProcess):
    """The documents of one service.

    Args:
        service: name of the service, for errors.
        url: base URL of its emulator.
    """

    simulated = True
    # Properties that name the thing itself: the real providers replace a resource when one of them changes.
    identity = frozenset(
        {"repository", "file", "variableName", "secretName", "projectId", "teamId", "key", "domain", "environment"}
    )

    def __init__(self, service: str, url: str) -> None:
        self._service = service
        # The environment's proxy is for the real providers; an emulator is on this machine.
        self._client = httpx.Client(base_url=f"{url.rstrip('/')}/_rehearsal/", timeout=30, trust_env=False)

    def create(self, urn: str, inputs: Mapping[str, Any]) -> tuple[str, Properties]:
        type_ = urn.split("::")[2].rsplit("$", 1)[-1]
        document = self._request("POST", quote(type_, safe=":/"), {"inputs": _sealed(inputs), "urn": urn})
        return str(document["id"]), {**document["outputs"], **inputs}

    def update(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        document = self._request("PUT", self._route(old), {"inputs": _sealed(news), "urn": old.urn})
        return {**document["outputs"], **news}

    def planned(self, old: Resource, news: Mapping[str, Any]) -> Properties:
        computed = {key: value for key, value in old.outputs.items() if key not in old.inputs}
        return {**computed, **news}

    def read(self, old: Resource) -> Live | None:
        document = self._request("GET", self._route(old))
        if document is None:
            return None
        live = document["inputs"]
        unchanged = {key: value for key, value in old.inputs.items() if not _differs(value, live.get(key))}
        return Live(old.id, {**document["outputs"], **live, **unchanged}, {**live, **unchanged})

    def delete(self, old: Resource) -> None:
        self._request("DELETE", self._route(old))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _route(self, resource: Resource) -> str:
        return f"documents/{quote(resource.id, safe='')}"

    def _request(self, method: str, route: str, body: Any = None) -> Any:
        """The document; None when it does not exist."""
        try:
            answer = self._client.request(method, route, json=body)
        except httpx.HTTPError as error:
            raise ProviderError(f"{self._service} emulator: {type(error).__name__}; is it running?") from None
        if answer.status_code == httpx.codes.NOT_FOUND and method in {"GET", "DELETE"}:
            return None
        if answer.is_error:
            raise ProviderError(f"{self._service} emulator: {method} {route}: {answer.status_code}: {_said(answer)}")
        return answer.json() if answer.content else {}


def _sealed(inputs: Any) -> Any:
    """Inputs with each secret replaced by its digest."""
    return transform(inputs, lambda inner: f"sha256:{hashlib.sha256(json.dumps(plain(inner)).encode()).hexdigest()}")


def _differs(mine: Any, live: Any) -> bool:
    return any(differences(_sealed(mine) if has_secret(mine) else mine, live))


def _said(answer: httpx.Response) -> str:
    try:
        content = answer.json()
    except ValueError:
        return answer.reason_phrase
    return str(content.get("message") or content.get("error") or content) if isinstance(content, dict) else str(content)
