"""URNs are taken apart in one place."""

import re
import subprocess

import pytest

from components.urn import is_component, name_of, parse, type_of
from tests.automation.local_client import ROOT

PROJECT = "pulumi-python:dynamic/supabase:Project"
CHAIN = f"client-environments:index:ClientEnvironment$client-environments:index:Supabase${PROJECT}"
URN = f"urn:pulumi:acme::client-environments::{CHAIN}::project"


def test_a_urn_gives_stack_project_parents_type_and_name_and_back() -> None:
    urn = parse(URN)
    assert (urn.stack, urn.project, urn.name) == ("acme", "client-environments", "project")
    assert urn.types == tuple(CHAIN.split("$"))
    assert (urn.type, type_of(URN), name_of(URN)) == (PROJECT, PROJECT, "project")
    assert str(urn) == URN


def test_a_name_may_hold_the_separator() -> None:
    assert name_of(f"{URN}::more") == "project::more"


def test_identity_stays_when_the_parent_changes() -> None:
    moved = URN.replace("client-environments:index:Supabase$", "")
    assert parse(moved).identity == parse(URN).identity
    assert parse(URN.replace(":acme:", ":nordwind:")).identity != parse(URN).identity


@pytest.mark.parametrize("text", ["", "project", "urn:pulumi:acme::project", URN.removeprefix("urn:")])
def test_what_is_no_urn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Pulumi URN"):
        parse(text)


def test_components_are_told_from_resources() -> None:
    assert [is_component(kind) for kind in parse(URN).types] == [True, True, False]


def test_nothing_else_takes_a_urn_apart() -> None:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    splits = re.compile(r"""(?:split|partition)\(["']::|endswith\(f?["']::""")
    found = [
        path
        for path in listed.stdout.split()
        if path not in {"tests/test_urn.py", "components/urn.py"} and splits.search((ROOT / path).read_text())
    ]
    assert found == []
