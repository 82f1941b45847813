"""Telegram's limits on sending: kept before they are met, obeyed when they are."""

from __future__ import annotations

from asyncio import get_running_loop

from aiolimiter import AsyncLimiter

MOST_CHATS = 2000
"""Chats whose pace is remembered; those idle longest are forgotten first."""


class Limits:
    """Paces one bot: about a message a second a chat with a small burst, twenty a minute a group, thirty a second.

    Source: "Bots FAQ: My bot is hitting limits". A 429 pauses its chat for as long as it says.
    """

    def __init__(self) -> None:
        self._all = AsyncLimiter(30, 1)
        self._chats: dict[int, AsyncLimiter] = {}
        self._paused: dict[int, float] = {}

    async def wait(self, chat_id: int) -> None:
        """Return when a message to this chat keeps the limits."""
        limiter = self._chats.pop(chat_id, None)
        if limiter is None:
            limiter = AsyncLimiter(20, 60) if chat_id < 0 else AsyncLimiter(3, 3)
        self._chats[chat_id] = limiter  # the newest stands last
        if len(self._chats) > MOST_CHATS:
            del self._chats[next(iter(self._chats))]
        async with limiter, self._all:
            return

    def pause(self, chat_id: int, seconds: float) -> None:
        """Telegram said 429: nothing more to this chat for so long."""
        self._paused[chat_id] = get_running_loop().time() + seconds

    def paused_for(self, chat_id: int) -> float:
        """The seconds this chat is still paused; 0 when it is not."""
        left = self._paused.get(chat_id, 0.0) - get_running_loop().time()
        if left <= 0:
            self._paused.pop(chat_id, None)
            return 0.0
        return left
