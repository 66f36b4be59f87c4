"""What each operation does to resources: the same claims of the rehearsal and of Pulumi's own engine."""

import pytest

from local.rehearsal.dynamic import _reason
from tests.rehearsal.conftest import Bench

URN = "urn:pulumi:bench::tiny"
BOX = """
class Box(pulumi.ComponentResource):
    def __init__(self):
        super().__init__("tiny:index:Box", "box")
        self.register_outputs({})
box = Box()
"""


def chain(value: int) -> str:
    return (
        BOX
        + f"""
first = Thing("first", {value}, opts=Options(parent=box))
Thing("second", first.doubled)
Thing("third", opts=Options(depends_on=first))
pulumi.export("doubled", first.doubled)
"""
    )


def test_a_stack_is_planned_made_left_alone_changed_and_destroyed(either: Bench) -> None:
    everything = ["box", "first", "second", "third"]
    assert either.preview(chain(1)) == [f"create {name}" for name in everything]
    assert either.calls() == []
    assert either.up() == [f"create {name}" for name in everything]
    assert either.calls()[0] == "create first"
    assert either.up() == [f"same {name}" for name in everything]
    assert either.preview(chain(2)) == ["same box", "same third", "update first", "update second"]
    planned = {step.name: step for step in either.outcome.steps}
    assert (planned["first"].changed, planned["first"].unknown_only) == (("value",), False)
    assert (planned["second"].changed, planned["second"].unknown_only) == (("value",), True)
    assert either.calls() == []
    assert either.up() == ["same box", "same third", "update first", "update second"]
    assert either.calls() == ["update first", "update second"]
    assert either.engine.outputs().outputs == {"doubled": "2.02.0"}
    thing = "pulumi-python:dynamic/things:Thing"
    assert sorted(str(resource["urn"]) for resource in either.engine.resources()) == [
        f"{URN}::{thing}::second",
        f"{URN}::{thing}::third",
        f"{URN}::tiny:index:Box$pulumi-python:dynamic/things:Thing::first",
        f"{URN}::tiny:index:Box::box",
    ]
    assert either.changes("destroy") == [f"delete {name}" for name in everything]
    assert either.calls()[-1] == "delete first"
    assert either.engine.resources() == []


def test_what_the_program_drops_is_deleted_dependents_first(either: Bench) -> None:
    either.up('a = Thing("a")\nb = Thing("b", a.doubled)\nThing("c", b.doubled)\nThing("kept")')
    either.calls()
    assert either.up('Thing("kept")') == ["delete a", "delete b", "delete c", "same kept"]
    assert either.calls() == ["delete c", "delete b", "delete a"]
    assert either.live().keys() == {"kept-plain"}


@pytest.mark.long
def test_a_replacement_is_made_before_the_old_one_goes_unless_the_provider_says_otherwise(either: Bench) -> None:
    program = 'a = Thing("a", kind="{kind}", eager={eager})\nThing("b", a.doubled)\nThing("c", kind=a.doubled, value=1)'
    either.up(program.format(kind="x", eager=False))
    either.calls()
    assert either.preview(program.format(kind="y", eager=False)) == ["replace a", "replace c", "update b"]
    assert either.calls() == []
    assert either.up() == ["replace a", "same b", "same c"]
    assert either.calls() == ["create a", "delete a"]
    either.program(program.format(kind="z", eager=True))
    assert either.up() == ["replace a", "replace c", "same b"]
    assert either.calls() == ["delete c", "delete a", "create a", "create c"]
    assert either.live() == {"a-z": 1.0, "b-plain": "1.01.0", "c-1.01.0": 1.0}


@pytest.mark.long
def test_half_a_replacement_is_finished_by_the_next_up(either: Bench) -> None:
    program = 'Thing("a", kind="{kind}", fail={fail}, eager={eager})'
    either.up(program.format(kind="x", fail=["delete"], eager=False))
    either.program(program.format(kind="y", fail=["create"], eager=False))
    assert either.run("up", fails=True) == ["replace a"]
    assert either.live() == {"a-x": 1.0}
    either.program(program.format(kind="y", fail=[], eager=False))
    assert either.run("up", fails=True) == ["replace a"]
    assert either.live() == {"a-x": 1.0, "a-y": 1.0}
    (either.things / "mended").touch()
    assert either.up() == ["same a"]
    assert either.live() == {"a-y": 1.0}
    (either.things / "mended").unlink()
    either.program(program.format(kind="z", fail=["create"], eager=True))
    assert either.run("up", fails=True) == ["replace a"]
    assert either.live() == {}
    assert either.up(program.format(kind="z", fail=[], eager=True)) == ["replace a"]
    assert either.live() == {"a-z": 1.0}


@pytest.mark.long
def test_a_renamed_component_keeps_its_children(either: Bench) -> None:
    program = BOX + 'Thing("a", opts=Options(parent=box))'
    either.up(program)
    either.calls()
    renamed = program.replace('"box")', '"crate", None, Options(aliases=[pulumi.Alias(name="box")]))')
    assert either.up(renamed) == ["same a", "same crate"]
    assert either.calls() == []
    assert either.changes("destroy") == ["delete a", "delete crate"]


def test_drift_shows_in_a_preview_with_refresh_and_up_mends_it(either: Bench) -> None:
    either.up('a = Thing("a")\nThing("b", a.doubled)')
    (either.things / "a-plain.json").write_text("7")
    assert either.preview() == ["same a", "same b"]
    assert either.preview(refresh=True) == ["refresh a", "refresh b", "update a", "update b"]
    assert {step.changed for step in either.outcome.steps if step.name == "a"} == {("value",)}
    assert either.up(refresh=True) == ["refresh a", "refresh b", "same b", "update a"]
    assert either.live() == {"a-plain": 1.0, "b-plain": "1.01.0"}


def test_refresh_takes_over_what_is_live_and_forgets_what_is_gone(either: Bench) -> None:
    either.up('Thing("a")\nThing("b")\nThing("c")')
    (either.things / "a-plain.json").write_text("7")
    (either.things / "b-plain.json").unlink()
    assert either.changes("refresh") == ["delete b", "update a"]
    assert either.preview() == ["create b", "same c", "update a"]
    assert either.up() == ["create b", "same c", "update a"]
    assert either.live() == {"a-plain": 1.0, "b-plain": 1.0, "c-plain": 1.0}


@pytest.mark.long
def test_options_of_resources_count(either: Bench) -> None:
    either.up('a = Thing("a")\nThing("b", opts=Options(deleted_with=a))\nThing("c")\nThing("d", [1, {"x": 1}])')
    changed = """
a = Thing("a")
Thing("b", opts=Options(deleted_with=a, retain_on_delete=True))
Thing("c", 2, opts=Options(replace_on_changes=["value"]))
Thing("d", [1, {"x": 2}], opts=Options(ignore_changes=["value[1].x"]))
"""
    assert either.up(changed) == ["replace c", "same a", "same b", "same d"]
    either.calls()
    renamed = 'Thing("e", opts=Options(aliases=[pulumi.Alias(name="c")]), value=2)\nThing("a")'
    assert either.up(renamed) == ["delete b", "delete d", "same a", "update e"]
    assert either.calls() == ["update e", "delete d"]
    either.up('a = Thing("a")\nThing("b", opts=Options(deleted_with=a))')
    either.calls()
    assert either.changes("destroy") == ["delete a", "delete b"]
    assert either.calls() == ["delete a"]


@pytest.mark.long
def test_a_protected_resource_is_neither_deleted_nor_replaced(either: Bench) -> None:
    either.up('Thing("a", opts=Options(protect=True))')
    either.program("")
    assert either.run("preview", fails=True) == []
    assert either.run("up", fails=True) == ["delete a"]
    assert "protected" in str(either.outcome.error)
    either.program('Thing("a", kind="other", opts=Options(protect=True))')
    assert either.run("up", fails=True) == []
    assert "protect" in str(either.outcome.error)
    assert either.live() == {"a-plain": 1.0}
    assert either.up('Thing("a", opts=Options(protect=False))') == ["same a"]
    assert either.up("") == ["delete a"]


def test_a_failed_resource_stops_its_dependents_and_the_next_up_continues(either: Bench) -> None:
    program = """
a = Thing("a")
b = Thing("b", secret="x", fail={fail}, value={value}, opts=Options(depends_on=a))
Thing("c", b.doubled)
"""
    either.program(program.format(fail=["create"], value=1))
    assert either.run("up", fails=True) == ["create a", "create b"]
    assert str(either.outcome.error).endswith("b does not create with x")
    assert either.up(program.format(fail=["update"], value=1)) == ["create b", "create c", "same a"]
    either.program(program.format(fail=["update"], value=2))
    assert either.run("up", fails=True) == ["same a", "update b"]
    either.up(program.format(fail=["delete"], value=1))
    either.program("")
    assert either.run("up", fails=True) == ["delete b", "delete c"]
    assert either.live() == {"a-plain": 1.0, "b-plain": 1.0}


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ('Thing("a", 200)', "must be less than 100"),
        ('raise pulumi.RunError("this client has no name")', "this client has no name"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_refused_program_creates_nothing_and_says_why_in_one_line(either: Bench, program: str, said: str) -> None:
    either.program(program)
    for verb in ("preview", "up"):
        assert either.run(verb, fails=True) == []
        assert said in str(either.outcome.error)
        assert "\n" not in str(either.outcome.error)
    assert either.live() == {}


def test_a_program_reads_its_configuration_and_where_it_runs(either: Bench) -> None:
    either.up("""
config = pulumi.Config()
pulumi.export("seen", [config.require_int("answer"), config.require_bool("flag"), pulumi.get_stack(),
                       pulumi.get_project(), pulumi.get_organization(), pulumi.runtime.is_dry_run()])
""")
    assert either.engine.outputs().outputs == {"seen": [42, True, "bench", "tiny", "organization", False]}


@pytest.mark.long
def test_a_command_reruns_when_its_environment_changes_and_is_replaced_by_its_triggers(either: Bench) -> None:
    program = """
from pulumi_command import local
command = local.Command("command", create="echo made $X >> log", update={update}, delete="echo gone >> log",
                        environment={{"X": {value}}}, triggers=[{trigger}])
pulumi.export("said", command.stdout)
"""
    log = either.root / "log"
    assert either.preview(program.format(update=None, value='"1"', trigger=1)) == ["create command"]
    assert not log.exists()
    assert either.up() == ["create command"]
    assert either.up(program.format(update=None, value='"2"', trigger=1)) == ["update command"]
    assert log.read_text() == "made 1\nmade 2\n"
    update = '"echo again $PULUMI_COMMAND_STDOUT | tee -a log; cat"'
    assert either.up(program.format(update=update, value='"2"', trigger=1)) == ["update command"]
    assert either.engine.outputs().outputs == {"said": "again"}
    assert either.up() == ["same command"]
    assert either.up(program.format(update=update, value='"2"', trigger=2)) == ["replace command"]
    assert either.changes("destroy") == ["delete command"]
    assert log.read_text() == "made 1\nmade 2\nagain\nmade 2\ngone\ngone\n"


def test_a_failing_command_stops_the_operation_with_what_it_wrote(either: Bench) -> None:
    either.program("""
from pulumi_command import local
local.Command("command", create="echo out; echo nothing works >&2; exit 3")
""")
    assert either.run("up", fails=True) == ["create command"]
    assert "exit status 3" in str(either.outcome.error)
    assert "nothing works" in str(either.outcome.error)


def test_a_password_is_secret_lasts_and_is_replaced_by_its_keepers(either: Bench) -> None:
    program = """
import pulumi_random
password = pulumi_random.RandomPassword("password", length=24, special=False, min_numeric=3, keepers={{"x": "{x}"}})
pulumi.export("password", password.result)
Thing("user", password.result)
"""
    assert either.up(program.format(x=1)) == ["create password", "create user"]
    first = either.engine.outputs()
    assert first.secret_outputs == {"password"}
    value = str(first.outputs["password"])
    assert (len(value), value.isalnum(), sum(map(str.isdigit, value)) >= 3) == (24, True, True)
    assert either.up() == ["same password", "same user"]
    assert either.up(program.format(x=2)) == ["replace password", "update user"]
    assert either.live()["user-plain"] == either.engine.outputs().outputs["password"] != value


SAID = "x.sql:1:13: relation does not exist (SQLSTATE 42P01)\n  alter table nowhere add x int\n              ^"


def test_a_failure_keeps_the_statement_and_the_caret_below_it(bench: Bench) -> None:
    bench.program(f'Thing("a", fail=["create"], said={SAID!r})')
    assert bench.run("up", fails=True) == ["create a"]
    assert str(bench.outcome.error).endswith(SAID)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (f"OperatorError: {SAID}\n", SAID),
        (f'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\nOperatorError: {SAID}\n', SAID),
        ("Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nKeyError: 'a'\n", "KeyError: 'a'"),
        (
            'Traceback (most recent call last):\n  File "x"\nKeyError: 1\n\nDuring handling:\n\n'
            'Traceback (most recent call last):\n  File "y"\nOperatorError: said last\n',
            "said last",
        ),
        ("", "failed without a reason"),
    ],
)
def test_of_a_traceback_the_message_is_kept_whole(details: str, expected: str) -> None:
    assert _reason(details) == expected
