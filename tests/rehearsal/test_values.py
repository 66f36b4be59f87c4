"""Property values on the wire, their differences, and the passwords made here."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.rehearsal.diff import Path, at, differ, differences, ignore, parsed, written
from local.rehearsal.password import PasswordProvider
from local.rehearsal.values import UNKNOWN, Secret, decode, encode, has_unknown, mark_secrets, plain, redact

SCALARS = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(
    SCALARS | SCALARS.map(Secret),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PROPERTIES = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


@given(PROPERTIES)
def test_values_survive_the_wire(properties: dict[str, Any]) -> None:
    assert not differ(decode(encode(properties, secrets=True)), decode(encode(properties, secrets=True)))
    assert decode(encode(properties)) == plain(properties)
    assert decode(encode(properties, secrets=True)) == properties


def readable(path: Path) -> bool:
    """Whether a path can be read back: Pulumi's form has no empty name, and none that ends with a backslash."""
    return not any(part == "" or str(part).endswith("\\") for part in path)


@given(PROPERTIES, PROPERTIES)
def test_differences_are_found_named_and_gone_when_ignored(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert not differ(old, old)
    paths = list(differences(old, new))
    for path in paths:
        assert parsed(written(path)) == path or not readable(path)
    if all(len(path) == 1 and readable(path) for path in paths):
        assert not differ(old, ignore(new, old, [written(path) for path in paths]))


@pytest.mark.parametrize(
    ("old", "new", "paths"),
    [
        ({"a": True}, {"a": 1}, ["a"]),
        ({"a": Secret("x")}, {"a": Secret("y")}, ["a"]),
        ({"a": Secret("x")}, {"a": "x"}, ["a"]),
        ({"a": {"b.c": 1}}, {"a": {"b.c": 2}}, ['a["b.c"]']),
        ({"a": {"b c": 1}}, {"a": {"b c": 2}}, ['a["b c"]']),
        ({"a": {"b-c": 1}}, {"a": {"b-c": 2}}, ['a["b-c"]']),
        ({"a": {'b"\\c': 1}}, {"a": {'b"\\c': 2}}, ['a["b\\"\\c"]']),
        ({"a": [1, 2]}, {"a": [1, 3, 4]}, ["a[1]", "a[2]"]),
        ({"a": 1}, {"a": UNKNOWN}, ["a"]),
    ],
)
def test_differences_are_written_as_pulumi_writes_them(old: Any, new: Any, paths: list[str]) -> None:
    assert [written(path) for path in differences(old, new)] == paths


def test_unknowns_and_secrets_cross_the_wire_marked() -> None:
    sent = {"a": [UNKNOWN, Secret({"b": UNKNOWN})], "none": None}
    seen = decode(encode(sent, secrets=True))
    assert has_unknown(seen["a"][0])
    assert isinstance(seen["a"][1], Secret)
    assert "none" not in seen
    assert at(seen, ("a", 0, "further")) is seen["a"][0]


def test_an_output_is_secret_when_its_input_is_or_when_named() -> None:
    marked = mark_secrets(
        {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}, {"a": Secret(0), "b": {"c": Secret(0)}}, names=("e",)
    )
    assert marked == {"a": Secret(1), "b": {"c": Secret(1), "d": 2}, "e": Secret(3)}


def test_redaction_takes_the_longest_secret_first() -> None:
    assert redact("long-secret and secret", {"a": Secret("secret"), "b": [Secret("long-secret")]}) == (
        "[secret] and [secret]"
    )


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"length": 0}, "length: must be 1 or more"),
        ({"length": 5, "minUpper": 3, "minLower": 3}, "length: must be 6 or more"),
        ({"length": 5, **dict.fromkeys(("lower", "upper", "numeric", "special"), False)}, "special: no character"),
    ],
)
def test_an_impossible_password_is_refused(asked: dict[str, Any], said: str) -> None:
    _, reasons = PasswordProvider().check("urn", {}, asked)
    assert said in reasons[0]


@given(st.integers(8, 40), st.booleans(), st.text("-_.~", min_size=1))
def test_a_password_has_the_characters_asked_for(length: int, special: bool, alphabet: str) -> None:
    asked = {"length": length, "special": special, "overrideSpecial": alphabet, "minUpper": 2, "minNumeric": 2}
    _, outputs = PasswordProvider().create("urn", {**asked, "minSpecial": 1 if special else 0})
    password = outputs["result"].value
    assert len(password) == length
    assert sum(map(str.isupper, password)) >= 2
    assert sum(map(str.isdigit, password)) >= 2
    others = {letter for letter in password if not letter.isalnum()}
    assert others <= set(alphabet)
    assert bool(others) == special
