"""A state does not depend on the version of Python that wrote it: pickles of providers are the same under each."""

import base64
import pickle
from typing import Any

import pytest
from pulumi.dynamic.dynamic import serialize_provider

from components.dynamic import Provider, stable_pickles
from components.schema.resource import SchemaProvider
from components.supabase.api_key import ApiKeyProvider
from components.supabase.endpoints import EndpointsProvider
from components.supabase.owner import OwnerProvider
from components.supabase.project import ProjectProvider
from components.supabase.settings import SettingsProvider
from local.rehearsal.diff import without_repickled_provider
from local.rehearsal.values import Secret
from tests.rehearsal.conftest import REPOSITORY, Bench

PROVIDERS = (ProjectProvider, EndpointsProvider, ApiKeyProvider, SettingsProvider, OwnerProvider, SchemaProvider)
# As Python 3.14 has it; every version since 3.8 can be told.
NEWER = "import pickle\npickle.DEFAULT_PROTOCOL = 5\n"
STABLE = f"import sys\nsys.path.append({str(REPOSITORY)!r})\nfrom components.dynamic import stable_pickles\n"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", 5)


def expected(provider: type[Provider]) -> bytes:
    """The pickle of protocol 4, written out; Python 3.11, 3.12 and 3.13 were seen to give it."""
    module, name = provider.__module__.encode(), provider.__qualname__.encode()
    names = b"".join(b"\x8c" + bytes([len(text)]) + text + b"\x94" for text in (module, name))
    said = names + b"\x93\x94)\x81\x94."
    return b"\x80\x04\x95" + len(said).to_bytes(8, "little") + said


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_in_state_is_its_class_and_nothing_of_the_interpreter(newer, provider: type[Provider]) -> None:
    with stable_pickles():
        written = serialize_provider(provider())
    assert base64.b64decode(written) == expected(provider)
    assert base64.b64decode(serialize_provider(provider()))[:2] == b"\x80\x05"  # without: another one


def test_an_unchanged_program_under_a_newer_python_changes_nothing(either: Bench) -> None:
    declared = STABLE + 'with stable_pickles():\n    Thing("a")\n'
    assert either.up(declared) == ["create a"]
    assert either.up(NEWER + declared) == ["same a"]


def test_rehearsal_takes_a_repickled_provider_for_the_same(bench: Bench) -> None:
    assert bench.up(NEWER + 'Thing("a")\n') == ["create a"]
    before = bench.state()
    assert bench.up('Thing("a")\n') == ["same a"]
    assert bench.up(NEWER + 'Thing("a")\n') == ["same a"]
    assert len(bench.state()) == len(before)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (ProjectProvider(), OwnerProvider()),
        ({"a": 1}, {"a": 2}),
    ],
    ids=["another class", "other attributes"],
)
def test_another_provider_is_a_change(old: Any, new: Any) -> None:
    inputs = [{"__provider": Secret(base64.b64encode(pickle.dumps(each, protocol=4)).decode())} for each in (old, new)]
    assert without_repickled_provider(inputs[1], inputs[0]) is inputs[1]


@pytest.mark.parametrize("value", ["no pickle", "bm8gcGlja2xl", "", None, 3, Secret(3)])
def test_what_is_no_pickle_is_compared_as_it_is(value: Any) -> None:
    assert without_repickled_provider({"__provider": value}, {"__provider": "other"}) == {"__provider": value}
