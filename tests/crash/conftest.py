"""What deaths need: a place where workers are born, and a desk to begin the day with."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.day import Day
from tests.crash.nursery import Nursery


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nursery() -> AsyncIterator[Nursery]:
    async with Nursery() as nursery:
        yield nursery


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def morning(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a desk where Anne is on duty and nothing has come yet."""
    day = Day(tmp_path_factory.mktemp("morning"), nursery)
    async with day.open(before=None):
        worker = await day.start()
        await worker.says('"started"')
        day.anne.user.send_text("/ici")
        await day.sees(day.anne, "File · 0")
        await day.settles()
        assert await worker.end(signal.SIGTERM) == 0, worker.last_words()
    return day.store
