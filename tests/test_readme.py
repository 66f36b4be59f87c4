"""The README says what is there: verbs, make targets, folders, settings."""

import re
from pathlib import Path

import typer

from automation.cli import app
from components.settings import CLIENT_KEYS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_every_verb_of_the_command_line_is_described_and_no_other() -> None:
    described = set(re.findall(r"^\| `(\w+)` \|", section("Command line"), re.MULTILINE))
    groups = set(re.findall(r"`clients (\w+)", section("Command line"))) & {"db", "local", "ci"}
    assert described | groups == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"make (\w+)", README)) <= targets


def test_every_folder_and_file_of_the_layout_exists() -> None:
    layout = section("Layout").split("```")[1]
    names = re.findall(r"^ *((?:[\w.-]+/?)+(?: [\w.-]+\.py| [\w-]+/)*)  +\w", layout, re.MULTILINE)
    found = [name for line in names for name in line.split()]
    assert len(found) > 10
    missing = [
        name
        for name in found
        if not any((ROOT / base / name).exists() for base in (".", "components", "automation", "local"))
    ]
    assert missing == []


def test_every_optional_key_of_a_client_is_described() -> None:
    described = set(re.findall(r"`(\w+)(?:: \w+)?`", section("A client of your own").split("| optional key")[1]))
    required = {"clientId", "clientName", "orgEmail", "tier"}
    assert CLIENT_KEYS - required <= described
