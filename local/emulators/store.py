"""Where the emulators keep what they were told: JSON documents in one SQLite file, so that a restart loses nothing."""

import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Document = dict[str, Any]


class Store:
    """Documents by kind and key, in order of first insertion. Safe to use from several threads.

    Args:
        path: the SQLite file; made when missing.

    Raises:
        RuntimeError: the file is damaged, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it holds keys
        self._lock = threading.RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._prepare()
        except sqlite3.Error as error:
            self._database.close()
            raise RuntimeError(f"{path}: {error}. Delete {path.parent} to begin anew") from None

    def _prepare(self) -> None:
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")  # what the process wrote outlives the process
        self._database.execute(
            "create table if not exists documents (kind text, key text, document text, primary key (kind, key))"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens or nothing does, and no other thread sees it half done."""
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._database.execute("begin immediate")
            try:
                yield
            except BaseException:
                if self._depth == 1:
                    self._database.execute("rollback")
                raise
            else:
                if self._depth == 1:
                    self._database.execute("commit")
            finally:
                self._depth -= 1

    def put(self, kind: str, key: str, document: Document) -> None:
        """Keep a document, in place of the one of that kind and key."""
        with self._lock:
            self._database.execute(
                "insert into documents values (?, ?, ?)"
                " on conflict (kind, key) do update set document = excluded.document",
                (kind, key, json.dumps(document)),
            )

    def get(self, kind: str, key: str) -> Document | None:
        """The document of that kind and key, or None."""
        with self._lock:
            row = self._database.execute(
                "select document from documents where kind = ? and key = ?", (kind, key)
            ).fetchone()
        return json.loads(row[0]) if row else None

    def all(self, kind: str) -> dict[str, Document]:
        """Every document of a kind, by key."""
        with self._lock:
            rows = self._database.execute(
                "select key, document from documents where kind = ? order by rowid", (kind,)
            ).fetchall()
        return {key: json.loads(document) for key, document in rows}

    def delete(self, kind: str, key: str) -> bool:
        """Forget a document; whether there was one."""
        with self._lock:
            return self._database.execute("delete from documents where kind = ? and key = ?", (kind, key)).rowcount > 0

    def close(self) -> None:
        """Close the file."""
        self._database.close()
