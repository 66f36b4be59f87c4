"""What a live run may cost: prices with their source, the estimate, and the cap that somebody has to set."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.errors import OperatorError

CAP = "LIVE_COST_CAP_USD"
LONGEST_HOURS = 1  # Supabase bills each hour that has begun; a run that takes longer is broken off


@dataclass(frozen=True)
class Price:
    """What one project of an instance size costs an hour, in US dollars, and who says so."""

    usd: float
    source: str


# GitHub and Vercel bill seats, not repositories and projects.
PRICES = {
    "micro": Price(0.01344, "GET /v1/projects/{ref}/billing/addons, variant ci_micro; ../shared/facts/supabase.md, 2")
}


def estimate(sizes: list[str], hours: int = LONGEST_HOURS) -> float:
    """The most that projects of these sizes cost in so many hours: US dollars, up to whole cents, no allowance counted.

    Raises:
        OperatorError: a size whose price is not known.
    """
    if unknown := sorted(set(sizes) - PRICES.keys()):
        raise OperatorError(f"the price of {', '.join(unknown)} is not known", "tests/live/cost.py", "Add it there.")
    return math.ceil(100 * hours * sum(PRICES[size].usd for size in sizes)) / 100


def require_cap(expected: float, environment: Mapping[str, str], ask: Callable[[str], str] | None) -> float:
    """The cap, in US dollars: from the environment, or else from whoever can be asked.

    Raises:
        OperatorError: there is none, it is no amount, or the estimate exceeds it.
    """
    given = environment.get(CAP) or (
        ask(f"This makes what costs up to {expected:.2f} USD. Cap in USD: ") if ask else ""
    )
    if not given:
        raise OperatorError("is not set", CAP, f"Set it to the most that the run may cost: {expected:.2f} will do.")
    try:
        cap = float(given)
    except ValueError:
        cap = -1.0
    if not 0 <= cap < float("inf"):
        raise OperatorError(f"'{given}' must be an amount in US dollars", CAP)
    if expected > cap:
        raise OperatorError(f"{cap:.2f} USD is less than the estimate of {expected:.2f} USD", CAP, "Nothing was made.")
    return cap
