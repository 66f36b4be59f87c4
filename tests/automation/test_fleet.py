"""Many clients: chosen, divided among machines, stopped in order."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automation import interrupt
from automation.clients import choose_clients, list_clients
from automation.fleet import ClientResult, exit_code, run_fleet
from common.errors import OperatorError


def test_only_files_with_a_client_id_are_clients(folder: Path) -> None:
    (folder / "Pulumi.stage.yaml").write_text("config:\n  client-environments:region: eu-west-2\n")
    assert list_clients(folder) == ["acme", "nordwind"]


def test_a_file_that_cannot_be_read_is_not_left_out_silently(folder: Path) -> None:
    (folder / "Pulumi.broken.yaml").write_text("config: [")
    assert "broken" in list_clients(folder)


@settings(deadline=None)
@given(clients=st.integers(0, 30), count=st.integers(1, 9))
def test_shards_are_disjoint_and_cover_every_client(tmp_path_factory, clients: int, count: int) -> None:
    folder = tmp_path_factory.mktemp("agency")
    names = [f"client-{number}" for number in range(clients)]
    for name in names:
        (folder / f"Pulumi.{name}.yaml").write_text(f"config:\n  client-environments:clientId: {name}\n")
    parts = [choose_clients(folder, (), every=True, shard=f"{i}/{count}") for i in range(1, count + 1)]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_results_keep_the_order_of_the_clients_whatever_fails() -> None:
    def act(client: str) -> ClientResult:
        if client == "b":
            raise OperatorError("no", "b")
        return ClientResult(client)

    results = run_fleet(["c", "b", "a"], act, parallel=3)
    assert [(result.client, result.code) for result in results] == [("c", 0), ("b", 2), ("a", 0)]
    assert exit_code(results) == 2


def test_one_interrupt_lets_the_running_client_end_and_starts_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_REQUESTED", type(interrupt._REQUESTED)())
    finished = []

    def act(client: str) -> ClientResult:
        os.kill(os.getpid(), signal.SIGINT)
        interrupt._REQUESTED.wait(10)
        finished.append(client)
        return ClientResult(client)

    before = signal.getsignal(signal.SIGINT)
    results = run_fleet(["a", "b"], act, parallel=1)
    assert finished == ["a"]
    assert [result.code for result in results] == [0, 2]
    assert signal.getsignal(signal.SIGINT) is before
