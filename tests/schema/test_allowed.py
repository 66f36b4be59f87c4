"""What is open on purpose is said in allowed.yaml: validated, listed in every report, and an error once idle."""

from pathlib import Path

import pytest

from common.errors import OperatorError
from pgschema import proof
from pgschema.allowed import read_allowed, take_out
from pgschema.isolation import judge
from pgschema.report import Finding
from tests.schema.holes import Hole
from tests.schema.right_things import NEEDS_ALLOWING
from tests.schema.test_holes import Open, filled, opened

__all__ = ["filled", "opened"]

GOOD = {"object": "public.countries", "role": "authenticated", "verb": "select", "reason": "x", "reviewer": "Ann"}
RULES = {
    "object": ("countries", "object: must be named with its schema, as public.countries"),
    "role": ("everybody", "role: must be one of anon, authenticated, service_role"),
    "verb": ("SELECT", "verb: must be in lower case, as select"),
    "reason": ("", "reason: must be a text that is not empty"),
    "reviewer": (None, "reviewer: must be a text that is not empty"),
}


def written(folder: Path, *entries: str) -> Path:
    path = folder / "allowed.yaml"
    path.write_text("\n".join(entries) + "\n")
    return path


def line(**values: object) -> str:
    return "- {" + ", ".join(f"{key}: {'~' if value is None else repr(value)}" for key, value in values.items()) + "}"


@pytest.mark.parametrize("key", RULES)
def test_a_wrong_entry_is_one_line_with_file_entry_key_and_rule(tmp_path: Path, key: str) -> None:
    value, rule = RULES[key]
    path = written(tmp_path, line(**{**GOOD, "verb": "insert"}), line(**{**GOOD, key: value}))
    with pytest.raises(OperatorError) as error:
        read_allowed(path)
    assert str(error.value).startswith(f"sql/checks/allowed.yaml, entry 2: {rule}.")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("object: x", "must be a list of entries"),
        ("- text", "entry 1: must map keys to texts"),
        (line(**GOOD, until="2027"), "entry 1: until: is not a key"),
        (line(**GOOD) + "\n" + line(**GOOD), "entry 2 repeats entry 1"),
        ("- {", "cannot be read: ParserError"),
    ],
)
def test_a_file_that_is_no_list_of_entries_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(OperatorError, match=told):
        read_allowed(written(tmp_path, text))


def test_an_entry_covers_its_object_role_and_verb_alone(tmp_path: Path) -> None:
    (entry,) = read_allowed(written(tmp_path, line(**GOOD)))
    covered = Finding("countries", "authenticated", "select", "owner", "1 row")
    others = (
        Finding("countries", "anon", "select", "x", "1 row"),
        Finding("countries", "authenticated", "update (code)", "x", "1 row"),
        Finding("private.countries", "authenticated", "select", "x", "1 row"),
    )
    assert take_out([entry], [covered, *others]) == (others, frozenset({entry}))


@pytest.mark.parametrize(("thing", "entry"), NEEDS_ALLOWING, ids=str)
def test_what_is_open_on_purpose_passes_with_its_entry_and_not_without(
    opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, thing: Hole, entry: str
) -> None:
    connection = opened(thing)
    before = judge(connection)
    assert thing.named in {finding.table for finding in before.leaks}
    path = written(tmp_path, entry)
    monkeypatch.setattr(proof, "read_allowed", lambda: read_allowed(path))
    after = judge(connection)
    assert after.passed, str(after)
    assert [text.partition(":")[0] for text in after.allowed] == [f"public.{thing.named}"]
    assert f"allowed: public.{thing.named}: " in str(after)


def test_an_entry_that_nothing_needs_is_a_finding(
    opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = written(tmp_path, line(**GOOD))
    monkeypatch.setattr(proof, "read_allowed", lambda: read_allowed(path))
    connection = opened(Hole(0, "nothing", "select 1"))
    report = judge(connection)
    assert not report.passed
    assert "countries: select as authenticated: nothing needs this entry of sql/checks/allowed.yaml" in str(report)
    # Before the last migration, what the entry is about may still be missing.
    assert judge(connection, final=False).passed


def test_the_file_that_is_shipped_allows_nothing() -> None:
    assert read_allowed() == ()
