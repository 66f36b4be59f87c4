"""A resource that moves under another parent: renamed in the state by its alias, never made anew."""

import pytest

from common.errors import OperatorError
from tests.rehearsal.conftest import Bench

BOXES = """
class Box(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("tiny:index:Box", name, {}, opts)
        self.register_outputs({})


def inside(parent, *olds, **more):
    return Options(parent=parent, aliases=[pulumi.Alias(parent=old) for old in olds], **more)


outer = Box("outer")
"""
BEFORE = f"""{BOXES}
a = Thing("a", opts=inside(outer))
Thing("b", a.doubled, opts=inside(outer, deleted_with=a))
Thing("c", opts=inside(outer, depends_on=[a], protect=True))
"""
MOVED = f"""{BOXES}
inner = Box("inner", Options(parent=outer))
a = Thing("a", opts=inside(inner, outer))
Thing("b", a.doubled, opts=inside(inner, outer, deleted_with=a))
Thing("c", 1, opts=inside(inner, outer, depends_on=[a], protect=True))
"""
CHANGED = MOVED.replace('"c", 1', '"c", 2')
ALL_SAME = ["create inner", "same a", "same b", "same c", "same outer"]
INNER = "urn:pulumi:bench::tiny::tiny:index:Box$tiny:index:Box$pulumi-python:dynamic/things:Thing::"


def urns(bench: Bench) -> set[str]:
    return {resource["urn"] for resource in bench.engine.resources() if "things:Thing" in resource["type"]}


def test_moved_resources_are_the_same_under_another_name_and_only_the_component_is_created(either: Bench) -> None:
    either.up(BEFORE)
    either.calls()
    assert either.preview(MOVED) == ALL_SAME
    assert either.up() == ALL_SAME
    assert either.calls() == []
    assert urns(either) == {f"{INNER}{name}" for name in "abc"}
    # The aliases stay in the program, for clients that are brought up later.
    assert either.up() == [f"same {name}" for name in ("a", "b", "c", "inner", "outer")]
    assert either.changes("refresh") == []


def test_what_moved_is_changed_in_place_and_goes_in_the_right_order(either: Bench) -> None:
    either.up(BEFORE)
    either.calls()
    assert either.up(CHANGED) == [*ALL_SAME[:3], "same outer", "update c"]
    assert either.calls() == ["update c"]
    either.up(CHANGED.replace(", protect=True", ""))
    assert either.changes("destroy") == [f"delete {name}" for name in ("a", "b", "c", "inner", "outer")]
    # `b` goes with `a`, and `c` depends on it.
    assert either.calls() == ["delete c", "delete a"]


def test_a_move_that_was_interrupted_goes_on_from_where_it_was(either: Bench) -> None:
    either.up(BEFORE)
    broken = MOVED.replace("depends_on=[a]", "depends_on=[a, d]").replace(
        '\nThing("b"', '\nd = Thing("d", fail=["create"], opts=inside(inner))\nThing("b"'
    )
    either.program(broken)
    either.run("up", fails=True)
    moved = urns(either)
    assert f"{INNER}a" in moved
    assert f"{INNER}c" not in moved
    either.calls()
    steps = either.up(MOVED)
    assert [step for step in steps if not step.startswith("same")] == []
    assert either.calls() == []
    assert urns(either) == {f"{INNER}{name}" for name in "abc"}


def test_without_the_alias_it_would_be_made_anew_and_protection_alone_stands_in_the_way(either: Bench) -> None:
    either.up(BEFORE)
    either.calls()
    either.program(MOVED.replace("inside(inner, outer", "inside(inner"))
    steps = either.run("preview", fails=True)
    assert "create c" in steps
    assert {(step.operation, step.name) for step in either.outcome.blocked} == {("delete", "c")}
    assert either.calls() == []


def lose(either: Bench, program: str, verb: str = "up", **options: bool) -> str:
    """The refusal of an operation that may not begin."""
    either.program(program)
    either.calls()
    with pytest.raises(OperatorError, match="the plan would delete and create anew: project") as said:
        getattr(either.engine, verb)(**options)
    assert "create" not in " ".join(either.calls())
    return str(said.value)


@pytest.mark.parametrize("protect", [True, False])
def test_an_up_that_would_make_the_project_anew_is_refused_with_nothing_touched(either: Bench, protect: bool) -> None:
    project = f'{BOXES}\nThing("project", opts=inside(outer, protect={protect}))\n'
    either.up(project)
    before, live = either.engine.resources(), either.live()
    moved = project.replace("\nThing", '\ninner = Box("inner", Options(parent=outer))\nThing("first")\nThing')
    said = lose(either, moved.replace("inside(outer", "inside(inner"))
    assert said.startswith("bench: ")
    assert said.count("\n") == 0
    assert (either.engine.resources(), either.live()) == (before, live)
    replaced = project.replace('"project", ', '"project", kind="other", ')
    lose(either, replaced)
    lose(either, replaced, refresh=True)
    assert (either.engine.resources(), either.live()) == (before, live)
    assert either.up(moved.replace("inside(outer", "inside(inner, outer")) == [
        "create first",
        "create inner",
        "same outer",
        "same project",
    ]


def test_a_thing_that_is_gone_may_be_made_again(either: Bench) -> None:
    either.up('Thing("project")')
    (either.things / "project-plain.json").unlink()
    assert "create project" in either.up(refresh=True)
    assert either.live() == {"project-plain": 1.0}
