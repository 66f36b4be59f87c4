"""Serves one emulator on a free loopback port for a test."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from local.emulators.context import Context
from local.emulators.postgres import Postgres
from local.emulators.store import Store


class Clock:
    """Stands still until somebody moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def context_in(folder: Path) -> Context:
    """A context whose store lies in a folder; GitHub and Vercel ask nothing of Postgres."""
    return Context(store=Store(folder / "store.sqlite"), postgres=cast(Postgres, None))


@contextmanager
def serve(app: Callable[[Context], ASGIApp], context: Context) -> Iterator[str]:
    """Serve in a thread; yields the base URL once connections are taken."""
    server = uvicorn.Server(uvicorn.Config(app(context), port=0, log_level="error", lifespan="off"))
    ready = threading.Event()

    async def run() -> None:
        task = asyncio.create_task(server.serve())
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        ready.set()
        await task

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
