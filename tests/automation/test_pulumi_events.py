"""The engine's events, as its command prints them, become steps."""

from typing import Any

from pulumi.automation import EngineEvent

from automation.pulumi_events import UNKNOWN, Recorder, one_line

URN = "urn:pulumi:acme::client-environments::{}::{}"


def ended(kind: str, name: str, operation: str = "create", **more: Any) -> EngineEvent:
    metadata = {"op": operation, "urn": URN.format(kind, name), "type": kind, "provider": "", **more}
    return EngineEvent.from_json(
        {"sequence": 1, "timestamp": 1, "resOutputsEvent": {"metadata": metadata, "planning": True}}
    )


def test_a_component_that_ends_for_its_inputs_and_again_for_its_outputs_is_one_step() -> None:
    recorder = Recorder(None, {})
    for event in (ended("client-environments:index:ClientEnvironment", "client"),) * 2:
        recorder.see(event)
    assert [(step.operation, step.name, step.status) for step in recorder.steps] == [("create", "client", "planned")]


def test_the_stack_and_providers_are_no_steps() -> None:
    recorder = Recorder(None, {})
    recorder.see(ended("pulumi:pulumi:Stack", "client-environments-acme"))
    recorder.see(ended("pulumi:providers:github", "default"))
    assert recorder.steps == []


def changed(operation: str, inputs: dict[str, str], *paths: str) -> tuple[tuple[str, ...], bool]:
    state = {"type": "t", "urn": "u", "custom": True, "id": "i", "parent": "", "provider": "", "inputs": inputs}
    detail = {path: {"diffKind": "update", "inputDiff": True} for path in paths}
    recorder = Recorder(None, {})
    recorder.see(ended("t:index:Thing", "thing", operation, new=state, detailedDiff=detail))
    (step,) = recorder.steps
    return step.changed, step.unknown_only


def test_of_what_changes_only_the_certain_is_told_and_the_unknown_only_where_nothing_is_certain() -> None:
    inputs = {"ref": UNKNOWN, "name": "New"}
    assert changed("update", inputs, "name", "ref") == (("name",), False)
    assert changed("update", inputs, "ref") == (("ref",), True)
    assert changed("create-replacement", inputs, "ref") == (("ref",), True)
    assert changed("create-replacement", inputs, "name", "ref") == (("name",), False)


def test_a_message_of_ours_is_told_without_its_class_wherever_it_stands() -> None:
    assert (
        one_line("Preview failed: OperatorError: region 'x' cannot change")
        == "Preview failed: region 'x' cannot change"
    )
    assert one_line("OperatorError: has no key") == "has no key"


def failed(message: str, kind: str = "pulumi-python:dynamic/schema:Schema") -> Recorder:
    recorder = Recorder(None, {})
    diagnostic = {"urn": URN.format(kind, "schema"), "message": message, "color": "never", "severity": "error"}
    recorder.see(EngineEvent.from_json({"sequence": 1, "timestamp": 1, "diagnosticEvent": diagnostic}))
    return recorder


LISTED = "<{%reset%}>database: 2 leaks. Nothing was committed.\n  leads: select as anon: granted\n    ^\n<{%reset%}>\n"


def test_what_a_provider_of_ours_lists_stays_one_item_a_line_and_a_plugin_s_message_is_one_line() -> None:
    assert failed(LISTED).error() == (
        "database: 2 leaks. Nothing was committed.\n  leads: select as anon: granted\n    ^"
    )
    assert failed(LISTED, "github:index/repository:Repository").error() == (
        "database: 2 leaks. Nothing was committed. leads: select as anon: granted ^"
    )


def test_that_the_operation_failed_is_said_only_where_nothing_else_is() -> None:
    recorder = failed("update failed", "pulumi:pulumi:Stack")
    assert (recorder.error(), recorder.diagnostics) == ("update failed", [])
