"""The report holds no markup and no secret that is not ours."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from automation.drift import Change, Drift
from automation.report import LONGEST, MARKER, code, markdown


def change(**more: object) -> Change:
    facts = {"resource": "project", "type": "t", "step": "supabase", "operation": "update", "properties": ("paused",)}
    return Change(**(facts | more))


def test_it_begins_with_the_marker_that_finds_the_comment_again() -> None:
    assert markdown([Drift("acme")], "rehearsal").startswith(MARKER)


def test_it_says_who_changed_what() -> None:
    text = markdown([Drift("acme", program=(change(),), hand=(change(resource="site", simulated=True),))], "pulumi")
    assert "By this program: update <code>project</code>" in text
    assert re.search(r"By hand: update <code>site</code>.*\(simulated\)", text)


@settings(deadline=None)
@given(st.text())
def test_foreign_text_cannot_leave_its_code_span(text: str) -> None:
    inner = code(text).removeprefix("<code>").removesuffix("</code>")
    assert re.fullmatch(r"(?:[^\W_]|[ ]|&#\d+;)*", inner)


def test_hostile_names_and_errors_stay_text() -> None:
    hostile = "x` | <script>alert(1)</script> @everyone [a](http://evil.example) ![](b)\n# Big\n<!-- -->"
    text = markdown([Drift(hostile, error=hostile), Drift("acme", hand=(change(properties=(hostile,)),))], "e")
    assert "<script" not in text
    assert "@everyone" not in text
    assert "](" not in text
    assert text.count("<!--") == 1
    assert "\n# Big" not in text


def test_a_long_report_is_cut_at_a_line_and_says_so() -> None:
    findings = [Drift(f"client{number}", hand=(change(),)) for number in range(2000)]
    text = markdown(findings, "pulumi")
    assert len(text) <= LONGEST + 200
    assert text.rstrip().endswith("artifact.")
