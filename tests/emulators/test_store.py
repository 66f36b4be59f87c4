"""The store of documents: what is kept, in which order, and what threads that change the same document see."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.emulators.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "new" / "documents.sqlite")
    yield made
    made.close()


def test_documents_outlive_the_store_in_their_first_order(store: Store, tmp_path: Path) -> None:
    for key in ("b", "a", "c"):
        store.put("letter", key, {"n": 1})
    store.put("letter", "b", {"n": 2})
    store.put("other", "b", {"n": 3})
    store.close()
    again = Store(tmp_path / "new" / "documents.sqlite")
    assert again.all("letter") == {"b": {"n": 2}, "a": {"n": 1}, "c": {"n": 1}}
    assert list(again.all("letter")) == ["b", "a", "c"]
    assert again.get("other", "b") == {"n": 3}
    again.close()


def test_deleting_says_whether_there_was_something(store: Store) -> None:
    store.put("letter", "a", {})
    assert store.delete("letter", "a")
    assert not store.delete("letter", "a")
    assert store.get("letter", "a") is None


def test_a_failed_transaction_keeps_nothing_not_even_of_the_one_inside_it(store: Store) -> None:
    def fail() -> None:
        with store.transaction():
            store.put("letter", "a", {})
            with store.transaction():
                store.put("letter", "b", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.all("letter") == {}
    with store.transaction():
        store.put("letter", "c", {})
    assert list(store.all("letter")) == ["c"]


def test_threads_that_read_change_and_write_lose_no_update(store: Store) -> None:
    store.put("count", "a", {"n": 0})

    def add() -> None:
        for _ in range(50):
            with store.transaction():
                found = store.get("count", "a")
                assert found is not None
                store.put("count", "a", {"n": found["n"] + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("count", "a") == {"n": 200}
