"""Updates, raw: committed before the next offset confirms them (Bot API getUpdates)."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import random
from typing import Any

from aiogram import Bot
from aiogram.exceptions import (
    AiogramError,
    TelegramConflictError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import DeleteWebhook, TelegramMethod
from aiohttp import web

from channels.base import Accept, Arrival, Observer
from channels.errors import LoginRejected
from channels.telegram.parse import ALLOWED, lane_of
from inbox.errors import StoreUnavailable
from inbox.model import ChannelId

logger = logging.getLogger(__name__)

BATCH = 100
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
BY_WEBHOOK = "webhook"
"""The position of a bot that Telegram calls: there is no offset to keep."""
LARGEST_UPDATE = 2**20
_HEADER = "X-Telegram-Bot-Api-Secret-Token"


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates without models: an update of a type newer than aiogram cannot stall the batch (aiogram#1840)."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


def arrival(update: dict[str, Any]) -> Arrival:
    """One update as it is kept."""
    raw = json.dumps(update, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Arrival(source_key=str(update["update_id"]), lane=lane_of(update), raw=raw)


class Polling:
    """Long polling, one batch after the other: ask, commit, and only then ask behind it."""

    def __init__(self, channel_id: ChannelId, bot: Bot, observer: Observer, poll_timeout: int) -> None:
        self._channel_id = channel_id
        self._bot = bot
        self._observer = observer
        self._poll_timeout = poll_timeout

    async def run(self, position: str | None, accept: Accept) -> None:
        """Receive until cancelled. See `channels.base.Channel.run`."""
        offset = int(position) if position and position.isdigit() else None
        wait, is_up = 0.0, False
        while True:
            try:
                # Right after an outage the answer must come at once, to say that we are back.
                offset = await self._once(offset, accept, self._poll_timeout if is_up else 0)
            except (TelegramUnauthorizedError, TelegramNotFound) as error:
                self._observer.down(self._channel_id, "the token is refused", None)
                raise LoginRejected(self._channel_id, type(error).__name__, reason="failure.login") from None
            except TelegramRetryAfter as error:
                reason, at_least = "asked to wait", float(error.retry_after)
            except TelegramConflictError as error:
                reason, at_least = await self._conflict(error), 0.0
            except (AiogramError, OSError, TimeoutError, StoreUnavailable) as error:
                reason, at_least = type(error).__name__, 0.0
            else:
                if not is_up:
                    self._observer.up(self._channel_id)
                wait, is_up = 0.0, True
                continue
            wait = min(max(wait * 2, FIRST_WAIT), LONGEST_WAIT)
            seconds = max(wait * random.uniform(0.5, 1), at_least)
            is_up = False
            self._observer.down(self._channel_id, reason, seconds)
            await asyncio.sleep(seconds)

    async def _once(self, offset: int | None, accept: Accept, timeout: int) -> int | None:
        method = GetRawUpdates(offset=offset, limit=BATCH, timeout=timeout, allowed_updates=list(ALLOWED))
        updates = await self._bot(method, request_timeout=timeout + 15)
        if not updates:
            return offset
        self._observer.announced(self._channel_id)
        following = int(updates[-1]["update_id"]) + 1
        await accept([arrival(update) for update in updates], str(following))
        return following

    async def _conflict(self, error: TelegramConflictError) -> str:
        if "webhook" not in error.message.lower():
            return "another program polls with this token"
        try:
            await self._bot(DeleteWebhook(drop_pending_updates=False))
        except (AiogramError, OSError, TimeoutError) as failure:
            logger.info("%s: the webhook could not be removed: %s", self._channel_id, type(failure).__name__)
        return "a webhook was set; it is removed now"


class Webhook:
    """What Telegram calls: answers 200 only after the update is committed, so that it is called again otherwise."""

    def __init__(self, channel_id: ChannelId, secret: str) -> None:
        self._channel_id = channel_id
        self._secret = secret.encode()
        self._accept: Accept | None = None

    def open(self, accept: Accept) -> None:
        """Take updates from now on."""
        self._accept = accept

    def close(self) -> None:
        """Answer 503 from now on: Telegram keeps what it has and calls again."""
        self._accept = None

    async def handle(self, request: web.Request) -> web.Response:
        """One call."""
        if not hmac.compare_digest(request.headers.get(_HEADER, "").encode(), self._secret):
            return web.Response(status=403)
        if self._accept is None:
            return web.Response(status=503)
        body = await request.content.read(LARGEST_UPDATE + 1)
        if len(body) > LARGEST_UPDATE:
            return web.Response(status=413)
        try:
            update = json.loads(body)
            kept = arrival(update)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return web.Response(status=400)
        try:
            await self._accept([kept], BY_WEBHOOK)
        except StoreUnavailable:
            return web.Response(status=503)
        return web.Response()
