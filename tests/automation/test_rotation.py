"""Rotation: what is written into the client's file, and when."""

from pathlib import Path

import pytest

from automation.engine import Outcome
from automation.rotation import Secret, begin_rotation, unfinished_rotation
from common.errors import OperatorError
from components.settings import load_settings
from tests.automation.conftest import FakeEngine, step

ORGANIZATION = {"SUPABASE_ORG_SLUG": "agency"}


def engine(*, keys: tuple[int, ...] = (1,), passwords: tuple[int, ...] = (1,)) -> FakeEngine:
    held = [("secret-key", {"generation": float(key)}) for key in keys]
    held += [("db-password", {"keepers": {"generation": str(password)}}) for password in passwords]
    urn = step("project").urn.removesuffix("project")
    return FakeEngine(state=[{"urn": f"{urn}{name}", "outputs": outputs} for name, outputs in held])


def begin(folder: Path, stack: FakeEngine, *secrets: Secret) -> list[str]:
    settings = load_settings("acme", folder, "local", ORGANIZATION)
    return begin_rotation(settings, folder, stack, secrets or tuple(Secret))


def generations(folder: Path) -> tuple[int, int]:
    settings = load_settings("acme", folder, "local", ORGANIZATION)
    return settings.key_generation, settings.password_generation


def test_the_next_generation_is_written_and_the_rest_of_the_file_stays(folder: Path) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text("# ours\nencryptionsalt: v1:abc=\n" + path.read_text())
    before = path.read_text()
    assert begin(folder, engine()) == ["keyGeneration: 2", "rotatePassword: 2"]
    assert generations(folder) == (2, 2)
    assert begin(folder, engine(keys=(2,), passwords=(2,))) == ["keyGeneration: 3", "rotatePassword: 3"]
    assert generations(folder) == (3, 3)
    kept = [line for line in path.read_text().splitlines(keepends=True) if "Generation" not in line]
    assert "".join(line for line in kept if "rotatePassword" not in line) == before


@pytest.mark.parametrize(("secret", "now"), [(Secret.KEY, (2, 1)), (Secret.PASSWORD, (1, 2))])
def test_one_of_the_two_can_be_rotated_alone(folder: Path, secret: Secret, now: tuple[int, int]) -> None:
    begin(folder, engine(), secret)
    assert generations(folder) == now


@pytest.mark.parametrize("keys", [(1,), (1, 2)], ids=["not begun", "the older one still waits to be deleted"])
def test_a_rotation_that_broke_off_is_finished_before_the_next_begins(folder: Path, keys: tuple[int, ...]) -> None:
    begin(folder, engine(), Secret.KEY)
    assert begin(folder, engine(keys=keys), Secret.KEY) == []
    assert generations(folder) == (2, 1)


def test_the_secrets_of_a_paused_client_are_not_renewed_and_its_file_stays(folder: Path) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text(before := f"{path.read_text()}  client-environments:paused: true\n")
    with pytest.raises(OperatorError, match="acme: is paused, and its secrets cannot be renewed"):
        begin(folder, engine())
    assert path.read_text() == before


def test_a_client_without_a_stack_is_refused_and_its_file_stays(folder: Path) -> None:
    before = (folder / "Pulumi.acme.yaml").read_text()
    with pytest.raises(OperatorError, match="has no secret-key yet"):
        begin(folder, FakeEngine())
    assert (folder / "Pulumi.acme.yaml").read_text() == before


def test_a_file_with_quoted_keys_is_edited_too(folder: Path) -> None:
    path = folder / "Pulumi.acme.yaml"
    path.write_text(path.read_text().replace("client-environments:clientId", '"client-environments:clientId"'))
    assert begin(folder, engine()) == ["keyGeneration: 2", "rotatePassword: 2"]
    assert generations(folder) == (2, 2)


def test_the_state_tells_whether_a_rotation_is_done(folder: Path) -> None:
    settings = load_settings("acme", folder, "local", ORGANIZATION)
    assert unfinished_rotation(settings, engine(), list(Secret)) is None
    told = unfinished_rotation(settings, engine(passwords=(7,)), list(Secret))
    assert told is not None
    assert "db-password: not rotated: the settings say rotatePassword: 1, the state holds generation 7" in told
    assert unfinished_rotation(settings, engine(passwords=(7,)), [Secret.KEY]) is None
    assert "generation 1 and 2" in str(unfinished_rotation(settings, engine(keys=(1, 2)), list(Secret)))


def test_a_rotation_that_left_the_state_as_it_was_ends_with_two(agency) -> None:
    agency.engines["acme"].state = [*engine().state, {**engine().state[0], "urn": step("project").urn}]
    code, content = agency.json("rotate", "acme")
    assert code == 2
    assert "secret-key: not rotated: the settings say keyGeneration: 2" in content["clients"][0]["error"]


def test_a_rotation_that_the_state_shows_ends_with_zero(agency, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = agency.engines["acme"]
    stack.state = [{**each, "type": step("project").type, "id": "1"} for each in engine().state]
    stack.state.append({**stack.state[0], "urn": step("project").urn})

    def up(**_: object) -> Outcome:
        generations = engine(keys=(2,), passwords=(2,)).state
        stack.state = [{**each, **new} for each, new in zip(stack.state, [*generations, {}], strict=True)]
        return Outcome()

    monkeypatch.setattr(stack, "up", up)
    code, content = agency.json("rotate", "acme")
    assert (code, content["clients"][0]["error"]) == (0, None)
