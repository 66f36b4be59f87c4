"""Many clients at once: in threads, each on its own; one client's failure is that client's result and no other's."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from automation import interrupt
from automation.failures import explain

DONE, CHANGES, FAILED = 0, 1, 2


@dataclass(frozen=True)
class ClientResult:
    """What a verb found or did for one client.

    Attributes:
        client: the client id.
        code: `DONE`, `CHANGES` (found by preview or drift) or `FAILED`.
        data: the details in JSON's types, without secrets.
        error: one line, when failed.
    """

    client: str
    code: int = DONE
    data: dict[str, Any] = field(default_factory=dict)
    error: str | None = None

    def failed(self, reason: str) -> "ClientResult":
        """The same result, failed for a reason that shows only after the fact."""
        return replace(self, code=FAILED, error=reason, data={**self.data, "status": "failed", "error": reason})

    def as_json(self) -> dict[str, Any]:
        """The result in JSON's types."""
        status = ("done", "changes", "failed")[self.code]
        return {"client_id": self.client, "status": status, "error": self.error} | self.data


def run_fleet(
    clients: Sequence[str], action: Callable[[str], ClientResult], *, parallel: int
) -> tuple[ClientResult, ...]:
    """Run an action for each client, so many at a time, and collect all results in the order of `clients`.

    An interruption lets the running ones end and starts no further one.
    """

    def guarded(client: str) -> ClientResult:
        if interrupt.requested():
            return ClientResult(client, FAILED, error="interrupted before it began")
        try:
            return action(client)
        except Exception as error:  # whatever it is, it is this client's alone
            return ClientResult(client, FAILED, error=explain(error))

    with interrupt.deferred(), ThreadPoolExecutor(max_workers=parallel) as pool:
        return tuple(pool.map(guarded, clients))


def exit_code(results: Sequence[ClientResult]) -> int:
    """The worst of the results."""
    return max((result.code for result in results), default=DONE)
