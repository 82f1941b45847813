"""Telegram for tests: the demo's Bot API, with a bot and two people who have already pressed Start."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest_asyncio

from bot.demo.telegram_server import TelegramServer, TelegramUser
from inbox.parts import ChannelId

CHANNEL = ChannelId("telegram:desk")


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Telegram(TelegramServer):
    """The stand-in, with the people most tests need."""

    def __init__(self, *, limits: bool = False) -> None:
        self.clock = Clock()
        super().__init__(clock=self.clock, limits=limits)
        self.lucie = self.user(1001, "Lucie", "Martin", username="lucie_m")
        self.omar = self.user(1002, "Omar", language_code="en")

    def arrive(self) -> None:
        """Let both press Start, and forget that they did."""
        for person in (self.lucie, self.omar):
            person.start()
        self.bot().updates.clear()

    def texts(self, person: TelegramUser) -> list[str]:
        """What the bot has said to a person, oldest first."""
        return [m.get("text") or m.get("caption", "") for m in person.messages() if m["from"]["is_bot"]]


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[Telegram]:
    async with Telegram() as server:
        server.arrive()
        yield server


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
