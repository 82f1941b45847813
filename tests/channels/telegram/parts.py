"""What a bot reports to in these tests: who listens to it, and who keeps what it received."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from channels.base import Arrival
from channels.telegram.bot import TelegramBot
from inbox.parts import ChannelId


class Listener:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.retries: list[float | None] = []

    def up(self, channel: ChannelId) -> None:
        self.said.append("up")

    def down(self, channel: ChannelId, reason: str, retry_in: float | None) -> None:
        self.retries.append(retry_in)
        self.said.append(f"down: {reason}")

    def announced(self, channel: ChannelId) -> None:
        pass

    def owed(self, channel: ChannelId, something: bool) -> None:
        pass

    async def hears(self, part: str, *, after: int = 0) -> int:
        """Wait until something with `part` was said, not counting the first `after`; returns how many were."""
        await until(lambda: any(part in said for said in self.said[after:]))
        return len(self.said)


class Keeper:
    """An `accept` that keeps what it is given, or fails as often as it is told to."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.positions: list[str] = []
        self.refusals: list[Exception] = []
        self.calls = 0

    async def __call__(self, arrivals: Sequence[Arrival], position: str) -> None:
        self.calls += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.arrivals += arrivals
        self.positions.append(position)

    @property
    def updates(self) -> list[dict[str, Any]]:
        return [json.loads(arrival.raw) for arrival in self.arrivals]

    @property
    def texts(self) -> list[str]:
        return [update["message"]["text"] for update in self.updates if "message" in update]

    async def has(self, count: int) -> None:
        """Wait until so many arrivals are kept."""
        await until(lambda: len(self.arrivals) >= count)


async def until(holds: Callable[[], object], seconds: float = 15) -> None:
    """Wait until something holds, at most as long as anything here may take."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110  # what is watched belongs to the code under test and has no event
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(bot: TelegramBot, keeper: Keeper, position: str | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """The bot receives while this is entered, and has let go of everything after."""
    task = asyncio.create_task(bot.run(position, keeper))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await bot.close()
