"""The repository of a client: starter files, what its workflow reads, protection, and what goes with it."""

import re
import shutil
import subprocess
from dataclasses import replace
from typing import Any

import pytest

from components import repository
from components.urn import name_of
from tests.wiring import SETTINGS, Declared, declare

STARTER = repository.STARTER


def declared(**changes: Any) -> dict[str, Declared]:
    return declare(
        lambda client: repository.GitHub(
            client, replace(SETTINGS, **changes), api_url="https://x.example", publishable_key="sb_publishable_x"
        )
    )


def of_type(resources: dict[str, Declared], kind: str) -> dict[str, Declared]:
    return {name: one for name, one in resources.items() if one.type == kind}


def test_every_file_of_the_starter_is_pushed_as_it_is() -> None:
    files = of_type(declared(), "RepositoryFile")
    pushed = {one.inputs["file"]: one.inputs["content"] for one in files.values()}
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=STARTER, capture_output=True, text=True, check=True)
    assert pushed == {name: (STARTER / name).read_text() for name in tracked.stdout.split("\0") if name}
    assert all(name == f"starter/{one.inputs['file']}" for name, one in files.items())
    assert {"public/index.html", ".github/workflows/check.yml"} <= pushed.keys()


def test_what_developers_make_of_the_starter_is_neither_drift_nor_undone() -> None:
    files = of_type(declared(), "RepositoryFile")
    assert all("content" in one.request.ignoreChanges for one in files.values())


def test_files_and_ruleset_wait_for_the_default_branch() -> None:
    resources = declared()
    assert "default-branch" in resources["starter/package.json"].dependencies
    assert "default-branch" in resources["ruleset"].dependencies
    assert resources["starter/package.json"].inputs["branch"] == resources["default-branch"].inputs["branch"] == "main"


def test_the_starters_workflow_reads_what_is_declared_and_nothing_else() -> None:
    workflows = "".join(path.read_text() for path in (STARTER / ".github/workflows").glob("*.yml"))
    resources = declared()
    variables = {one.inputs["variableName"] for one in of_type(resources, "ActionsVariable").values()}
    assert variables == set(re.findall(r"\bvars\.(\w+)", workflows))
    assert set(re.findall(r"\bsecrets\.(\w+)", workflows)) == set() == of_type(resources, "ActionsSecret").keys()


def test_the_repository_is_private_and_only_it_is_protected() -> None:
    resources = declared()
    assert resources["repository"].inputs["visibility"] == "private"
    assert {name for name, one in resources.items() if one.request.protect} == {"repository"}
    assert not any(one.request.protect for one in declared(protect=False).values())


def test_what_is_inside_goes_with_the_repository_so_that_an_archived_one_keeps_it() -> None:
    resources = declared()
    assert resources.pop("repository").inputs["archiveOnDestroy"] is True
    assert {name_of(one.request.deletedWith) for one in resources.values()} == {"repository"}


def test_a_template_takes_the_place_of_the_starter_and_never_replaces_a_repository() -> None:
    resources = declared(repository_template="agency/base")
    assert of_type(resources, "RepositoryFile") == {}
    assert resources["repository"].inputs["template"] == {"owner": "agency", "repository": "base"}
    assert "autoInit" not in resources["repository"].inputs
    assert list(resources["repository"].request.ignoreChanges) == ["autoInit", "template"]


def test_the_ruleset_keeps_the_default_branch_from_deletion_and_force_pushes_where_the_plan_allows_it() -> None:
    assert "ruleset" not in declared(ruleset=False)
    ruleset = declared()["ruleset"].inputs
    assert ruleset["rules"] == {"deletion": True, "nonFastForward": True}
    assert ruleset["conditions"]["refName"]["includes"] == ["~DEFAULT_BRANCH"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is missing: the starter's own tests did not run")
def test_the_starters_own_tests_pass() -> None:
    ran = subprocess.run(["node", "--test"], cwd=STARTER, capture_output=True, text=True, check=False, timeout=60)
    assert ran.returncode == 0, ran.stdout
