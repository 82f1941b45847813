from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from channels.telegram import updates
from channels.telegram.bot import TelegramBot
from tests.channels.telegram.parts import Keeper, Listener
from tests.servers.telegram import CHANNEL, Telegram, telegram

__all__ = ["telegram"]

BuildBot = Callable[..., TelegramBot]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "FIRST_WAIT", 0.02)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest_asyncio.fixture
async def build_bot(telegram: Telegram, listener: Listener) -> AsyncIterator[BuildBot]:
    """Makes bots of the server's first account, closed at the end."""
    made: list[TelegramBot] = []

    def build(**changed: Any) -> TelegramBot:
        options = {"api_server": telegram.url, "token": telegram.token, **changed}
        made.append(TelegramBot(CHANNEL, options.pop("token"), listener, **options))
        return made[-1]

    yield build
    for bot in made:
        # aiogram's own close waits a quarter of a second for TLS to end; there is none here.
        session = vars(bot.aiogram.session)["_session"]
        if session is not None:
            await session.close()


@pytest.fixture
def bot(build_bot: BuildBot) -> TelegramBot:
    return build_bot()
