"""A scripted Management API for client tests: answers by route, and holds each request against the OpenAPI contract."""

import json
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import MultiDict

SHARED = Path(__file__).parents[3] / "shared"
CONTRACT = SHARED / "openapi" / "supabase-management-v1.json"
RECORDED = SHARED / "recorded" / "supabase"
BASE = "https://api.supabase.com"
TOKEN = "sbp_" + "0f" * 20
REF = "abcdefghijklmnopqrst"


def recorded(route: str, case: str = "default") -> httpx.Response:
    """A recorded answer, its masks filled in.

    Skips the test where the recordings are not at hand.
    """
    file = RECORDED / route / f"{case}.response.json"
    if not file.exists():
        pytest.skip(f"no recorded answers at {RECORDED}")
    answer = json.loads(file.read_text().replace("__PROJECT_REF__", REF))
    return httpx.Response(answer["status"], json=answer["body"])


@cache
def document() -> Any:
    """The published contract as it is; skips the test where it is not at hand."""
    if not CONTRACT.exists():
        pytest.skip(f"no OpenAPI contract at {CONTRACT}")
    # Its discriminators name schemas that it does not hold; `oneOf` says the same.
    found = json.loads(
        CONTRACT.read_text(),
        object_hook=lambda node: {name: value for name, value in node.items() if name != "discriminator"},
    )
    # Each entitlement with a value is one without, too, so exactly one of them can never fit.
    entitlements = found["components"]["schemas"]["V1ListEntitlementsResponse"]["properties"]["entitlements"]
    config = entitlements["items"]["properties"]["config"]
    config["anyOf"] = config.pop("oneOf")
    return found


@cache
def contract() -> OpenAPI:
    """The published contract, ready to validate with."""
    # It breaks the meta-schema in places; requests are validated all the same.
    servers = {"servers": [{"url": BASE}]}
    return OpenAPI.from_dict(document() | servers, config=Config(spec_validator_cls=None))


def contract_faults(method: str, target: str, sent: bytes, status: int, raw: bytes) -> list[str]:
    """What in a request and its answer the contract does not allow; `target` is the path with its query.

    The contract describes no refusal, so of one only the words are asked for. It is older than the renaming of the
    route for logs (https://supabase.com/changelog/48235), which is held against the old one's description.
    """
    address = httpx.URL(f"{BASE}{target.replace('/analytics/endpoints/logs?', '/analytics/endpoints/logs.all?')}")
    query = MultiDict(address.params.multi_items())
    kind = "application/json"
    asked = MockRequest(BASE, method.lower(), address.path, args=query, data=sent or None, content_type=kind)
    try:
        contract().validate_request(asked)
        if status < 400:
            contract().validate_response(asked, MockResponse(raw, status, content_type=kind))
        elif not isinstance(json.loads(raw)["message"], str):
            return [f"{method} {target} {status}: no message"]
    except (OpenAPIError, ValueError, KeyError) as error:
        return [f"{method} {target} {status}: {error} {error.__cause__ or ''}"]
    return []


class Script(httpx.BaseTransport):
    """Answers `METHOD path` from lists; the last answer of a list repeats. Remembers the requests."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self._answers = {
            route: deque(given if isinstance(given, list) else [given]) for route, given in answers.items()
        }
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        queue = self._answers[f"{request.method} {request.url.path}"]
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        status, body = answer
        return httpx.Response(status, json=body)

    @property
    def calls(self) -> list[str]:
        return [f"{request.method} {request.url.path}" for request in self.requests]
