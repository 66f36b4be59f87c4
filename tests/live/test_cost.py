"""The cap on what a live run may cost."""

import pytest

from common.errors import OperatorError
from tests.live.cost import CAP, estimate, require_cap


def test_the_estimate_counts_every_project_and_every_hour() -> None:
    assert estimate(["micro"], hours=1) == 0.02
    assert estimate(["micro", "micro"], hours=300) == 8.07


def test_a_size_without_a_known_price_is_refused() -> None:
    with pytest.raises(OperatorError, match="the price of 4xlarge is not known"):
        estimate(["micro", "4xlarge"])


@pytest.mark.parametrize("given", ["", "much", "-1", "nan", "inf", "0.01"])
def test_without_a_cap_that_covers_the_estimate_nothing_is_made(given: str) -> None:
    with pytest.raises(OperatorError, match=CAP):
        require_cap(0.02, {CAP: given}, None)


def test_the_cap_comes_from_the_environment_or_from_whoever_is_asked() -> None:
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return "1"

    assert require_cap(0.02, {CAP: "0.5"}, ask) == 0.5
    assert questions == []
    assert require_cap(0.02, {}, ask) == 1
    assert "0.02 USD" in questions[0]
