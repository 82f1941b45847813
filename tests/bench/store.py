"""How many units of work the embedded store makes durable in a second when many wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

from inbox.model import Event
from inbox.parts import AccountId, new_id
from inbox.store.base import Changes
from inbox.store.sqlite import SqliteStore

WAITING = 64
SECONDS = 3.0


async def measure(path: Path) -> float:
    """Units a second: three new documents each, 64 writers, each waiting for its own commit."""
    now = datetime.now(UTC)
    done = 0

    async def write(store: SqliteStore, until: float) -> None:
        nonlocal done
        while time.perf_counter() < until:
            lines = [Event(id=new_id(), account_id=AccountId("bench"), at=now, kind="measured") for _ in range(3)]
            await store.commit(Changes(inserts=lines))
            done += 1

    async with SqliteStore(path, exclusive=True) as store:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as writers:
            for _ in range(WAITING):
                writers.create_task(write(store, began + SECONDS))
        return done / (time.perf_counter() - began)
