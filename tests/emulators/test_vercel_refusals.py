"""How Vercel's refusals reach the operator: the real plugin, Pulumi's own engine, one line with what to do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from automation.engine import Outcome
from automation.pulumi_engine import PulumiEngine
from tests.conftest import Local
from tests.emulators.native import ENGINE, client_engine
from tests.emulators.site_trial import PROGRAM, Stack

pytestmark = ENGINE
APP = "To link a GitHub repository, you need to install the GitHub integration first."
TAKEN = "Another Environment Variable with the same name and target exists."


def engine(folder: Path, local: Local, name: str, files: Mapping[str, str], **variables: str) -> PulumiEngine:
    """The client's engine over a starter of these files."""
    for path, text in {"README.md": "# Site\n", "package.json": '{"type": "module"}\n', **files}.items():
        (folder / "starter" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "starter" / path).write_text(text)
    return client_engine(folder, PROGRAM, {**local.exports, "SET_project_name": name, **variables})


def refuse(local: Local, path: str, status: int, code: str, message: str, **fault: Any) -> None:
    body = json.dumps({"error": {"code": code, "message": message, **fault.pop("extra", {})}})
    headers = {"content-type": "application/json", **fault.pop("headers", {})}
    local.fault("vercel", path=path, method="POST", status=status, headers=headers, body=body, **fault)


def succeed(outcome: Outcome) -> Outcome:
    assert outcome.error is None
    return outcome


def test_a_build_that_fails_is_told_by_its_own_last_lines(tmp_path: Path, emulators: Local) -> None:
    client = engine(tmp_path, emulators, "client-build", {"api/health.js": "export function GET( {\n"})
    error = client.up().error
    assert error is not None
    assert error.startswith("Vercel cannot create deployment: BUILD_FAILED | ")
    assert "/api/health.js:2 | SyntaxError: Unexpected end of input" in error
    assert "Visit" not in error
    assert error.endswith("Correct it in the client's repository, then run it again. The site before goes on.")


def test_without_vercels_app_for_github_the_operator_is_sent_to_install_it(tmp_path: Path, emulators: Local) -> None:
    client = engine(tmp_path, emulators, "client-app", {})
    refuse(emulators, r".*/v\d+/projects", 400, "bad_request", APP)
    error = client.up().error
    assert error == (
        f"Vercel cannot create project: bad_request - {APP[:-1]}."
        " Install Vercel's GitHub App for GITHUB_OWNER, with access to all of its repositories."
    )
    succeed(client.up())


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "status", "code", "message", "line"),
    [
        (
            ".*/env",
            400,
            "ENV_CONFLICT",
            TAKEN,
            "made by hand and is never taken over: copy its value, then delete it there.",
        ),
        (r".*/v\d+/projects", 409, "conflict", 'Project "x" already exists.', "or choose another projectName."),
        (".*/now/deployments", 500, "internal_server_error", "Unexpected", "Run it again later."),
    ],
)
def test_other_refusals_are_one_line_and_the_next_run_goes_on(
    tmp_path: Path, emulators: Local, path: str, status: int, code: str, message: str, line: str
) -> None:
    client = engine(tmp_path, emulators, f"client-{code.lower().replace('_', '-')}", {})
    refuse(emulators, path, status, code, message, times=9, extra={"envVarKey": "X", "target": ["production"]})
    error = client.up().error
    assert error is not None
    assert error.startswith("Vercel cannot ")
    assert f"{code} - " in error
    assert line in error
    emulators.clear()
    succeed(client.up())


@pytest.mark.long
def test_a_token_that_is_not_valid_is_told_with_its_variable(tmp_path: Path, emulators: Local) -> None:
    client = engine(tmp_path, emulators, "client-token", {}, VERCEL_API_TOKEN="anothervercelaccesstoken")
    assert client.up().error == (
        "Vercel cannot create project: forbidden - Not authorized."
        " Set VERCEL_API_TOKEN to a token that is valid and may work in vercelTeam."
    )


@pytest.mark.long
def test_a_rate_limit_is_waited_for_as_long_as_vercel_says(tmp_path: Path, emulators: Local) -> None:
    client = engine(tmp_path, emulators, "client-limit", {})
    refuse(emulators, ".*/env", 429, "rate_limited", "Too many requests", times=3, headers={"retry-after": "1"})
    succeed(client.up())


def test_a_domain_of_another_account_is_asked_to_be_proved_and_does_not_stop_the_site(
    tmp_path: Path, emulators: Local
) -> None:
    client = engine(tmp_path, emulators, "client-domain", {}, SET_domain="www.acme.elsewhere.example")
    warnings = succeed(client.up()).diagnostics
    assert any("set TXT _vercel.elsewhere.example vc-domain-verify=www.acme" in text for text in warnings)
    assert any("does not lead to Vercel yet" in text for text in warnings)


def test_a_plan_finds_nothing_to_do_where_a_domain_waits_for_its_proof(tmp_path: Path, emulators: Local) -> None:
    stack = Stack(tmp_path, emulators)
    settings = {"project_name": "client-proof", "domain": "shop.acme.elsewhere.example"}
    stack.up(**settings)
    assert stack.plan(**settings) == {}
