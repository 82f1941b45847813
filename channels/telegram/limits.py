"""Telegram's limits on sending: kept before they are met, obeyed when they are."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiolimiter import AsyncLimiter

PATIENCE = 1.5
"""Seconds a message may wait here for its turn; past that it is put off, and its place given to others."""
IDLE = 60.0
"""Seconds after which any chat's bucket has run empty, and need not be remembered."""


@dataclass(slots=True)
class _Bucket:
    limiter: AsyncLimiter
    used_at: float


class Limits:
    """Paces one bot: a message a second a chat with a small burst, twenty a minute a group, thirty a second in all.

    Source: "Bots FAQ: My bot is hitting limits". A 429 pauses its chat for as
    long as it says; two chats paused at once mean that the bot as a whole is.
    """

    def __init__(self) -> None:
        # 25 a second with 5 at once: never more than 30 within a second.
        self._all = AsyncLimiter(5, 0.2)
        self._chats: dict[int, _Bucket] = {}
        self._paused: dict[int, float] = {}
        self._all_paused = 0.0
        self._swept_at = 0.0

    async def turn(self, chat_id: int) -> float:
        """0 when a message to this chat may leave now; else the seconds it must be put off."""
        left = self.paused_for(chat_id)
        if left > 0:
            return left
        bucket = self._bucket(chat_id)
        if not await _acquired(bucket.limiter):
            return bucket.limiter.time_period / bucket.limiter.max_rate
        if not await _acquired(self._all):
            return 1.0
        # Another message may have met a 429 while this one waited.
        return self.paused_for(chat_id)

    def pause(self, chat_id: int, seconds: float) -> None:
        """Telegram said 429 to a message for this chat."""
        now = asyncio.get_running_loop().time()
        others = [until for chat, until in self._paused.items() if chat != chat_id and until > now]
        self._paused[chat_id] = max(now + seconds, self._paused.get(chat_id, 0.0))
        if others:
            self._all_paused = max(now + seconds, self._all_paused)

    def paused_for(self, chat_id: int) -> float:
        """The seconds this chat is still paused; 0 when it is not."""
        now = asyncio.get_running_loop().time()
        return max(self._paused.get(chat_id, 0.0) - now, self._all_paused - now, 0.0)

    def remembered(self) -> int:
        """Chats something is remembered of."""
        return len(self._chats.keys() | self._paused.keys())

    def _bucket(self, chat_id: int) -> _Bucket:
        now = asyncio.get_running_loop().time()
        if now - self._swept_at > IDLE:
            self._swept_at = now
            self._chats = {chat: b for chat, b in self._chats.items() if now - b.used_at < IDLE}
            self._paused = {chat: until for chat, until in self._paused.items() if until > now}
        bucket = self._chats.get(chat_id)
        if bucket is None:
            # Groups have negative ids (Bot API, Chat).
            limiter = AsyncLimiter(20, 60) if chat_id < 0 else AsyncLimiter(3, 3)
            bucket = self._chats[chat_id] = _Bucket(limiter, now)
        bucket.used_at = now
        return bucket


async def _acquired(limiter: AsyncLimiter) -> bool:
    try:
        async with asyncio.timeout(PATIENCE):
            await limiter.acquire()
    except TimeoutError:
        return False
    return True
