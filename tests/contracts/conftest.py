"""The store under test, in each backend, and ways to open it again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from inbox.store.base import Store
from tests.contracts.backends import BACKENDS, empty, open_at

ROOT = Path(__file__).parents[2]
OpenStore = Callable[[], Store]
Elsewhere = Callable[..., Awaitable[asyncio.subprocess.Process]]


@pytest.fixture(params=BACKENDS)
def address(request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str) -> Iterator[str]:
    with empty(request.param, tmp_path, mongo_url) as place:
        yield place


@pytest.fixture
def open_store(address: str) -> OpenStore:
    """Another opening of the same store, to be entered."""
    return lambda: open_at(address)


@pytest.fixture
async def store(open_store: OpenStore) -> AsyncIterator[Store]:
    async with open_store() as opened:
        yield opened


@pytest.fixture
async def elsewhere(address: str) -> AsyncIterator[Elsewhere]:
    """Start another process on the same store: see `tests.contracts.elsewhere`."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*what: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.contracts.elsewhere", address, *what),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()
