"""Updates, raw: committed before Telegram forgets them, whether it is asked for them or calls."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import random
from collections.abc import Sequence
from typing import Any

from aiogram import Bot
from aiogram.exceptions import (
    TelegramConflictError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import DeleteWebhook, TelegramMethod
from aiohttp import web

from channels.base import Accept, Arrival, Observer
from channels.errors import LoginRejected
from channels.telegram.failures import FAILURES
from channels.telegram.parse import ALLOWED, lane_of
from inbox.errors import LeaseLost, StoreUnavailable
from inbox.parts import ChannelId

logger = logging.getLogger(__name__)

BATCH = 100
FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0
MARGIN = 15
"""Seconds an answer may take beyond the poll itself before the connection counts as dead."""
BY_WEBHOOK = "webhook"
"""The position of a bot that Telegram calls: there is no offset to keep."""
LARGEST_UPDATE = 2**20
_PROOF = "X-Telegram-Bot-Api-Secret-Token"


class GetRawUpdates(TelegramMethod[list[dict[str, Any]]]):
    """getUpdates without models: an update of a type newer than aiogram cannot stall the batch (aiogram#1840)."""

    __returning__ = list[dict[str, Any]]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int | None = None
    timeout: int | None = None
    allowed_updates: list[str] | None = None


def arrival(update: dict[str, Any]) -> Arrival:
    """One update as it is kept; one without a number of its own is known by its content."""
    # ASCII: half a UTF-16 pair, which JSON can name and UTF-8 cannot hold, stays readable.
    raw = json.dumps(update, separators=(",", ":")).encode()
    number = _number(update)
    return Arrival(source_key=_content_key(raw) if number is None else str(number), lane=lane_of(update), raw=raw)


def _number(update: dict[str, Any]) -> int | None:
    number = update.get("update_id")
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _content_key(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


class Waits:
    """Growing, jittered waits between attempts, until one succeeds."""

    def __init__(self) -> None:
        self._next = FIRST_WAIT

    def after_failure(self, at_least: float = 0.0) -> float:
        """Seconds to wait before the next attempt."""
        wait = max(self._next * random.uniform(0.5, 1), at_least)
        self._next = min(self._next * 2, LONGEST_WAIT)
        return wait

    def after_success(self) -> None:
        """Begin anew."""
        self._next = FIRST_WAIT


class Polling:
    """Long polling, one batch after the other: ask, commit, and only then ask behind it.

    Asking behind a batch is what makes Telegram forget it (Bot API,
    getUpdates), so a worker killed at any moment is given it again.
    """

    def __init__(self, channel_id: ChannelId, bot: Bot, observer: Observer, poll_timeout: int) -> None:
        self._channel_id = channel_id
        self._bot = bot
        self._observer = observer
        self._poll_timeout = poll_timeout
        self._waits = Waits()
        self._is_up = False

    async def run(self, position: str | None, accept: Accept) -> None:
        """Receive until cancelled. See `channels.base.Channel.run`."""
        offset = int(position) if position is not None and position.isdigit() else None
        while True:
            try:
                # Right after an outage the answer must come at once, to say that we are back.
                updates = await self._ask(offset, self._poll_timeout if self._is_up else 0)
            except (TelegramUnauthorizedError, TelegramNotFound) as error:
                raise LoginRejected(self._channel_id, type(error).__name__, reason="failure.login") from None
            except TelegramRetryAfter as error:
                await self._failed("Telegram asks to wait", error.retry_after)
            except TelegramConflictError as error:
                await self._failed(await self._conflict(error))
            except FAILURES as error:
                await self._failed(f"Telegram cannot be reached ({_kind(error)})")
            else:
                offset = await self._kept(updates, offset, accept)

    async def _ask(self, offset: int | None, timeout: int) -> list[dict[str, Any]]:
        method = GetRawUpdates(offset=offset, limit=BATCH, timeout=timeout, allowed_updates=list(ALLOWED))
        return await self._bot(method, request_timeout=timeout + MARGIN)

    async def _kept(self, updates: Sequence[dict[str, Any]], offset: int | None, accept: Accept) -> int | None:
        """Where to ask next: behind the batch once it is committed, else there again."""
        if updates:
            numbers = [number for number in map(_number, updates) if number is not None]
            if not numbers:
                await self._failed("Telegram sends updates without numbers")
                return offset
            self._observer.announced(self._channel_id)
            # The last, not the highest: update ids start anew after a week of silence (Bot API, Update).
            behind = numbers[-1] + 1
            try:
                await accept([arrival(update) for update in updates], str(behind))
            except StoreUnavailable:
                await self._failed("the store cannot be reached")
                return offset
            except LeaseLost:
                await self._failed("another worker receives from it now")
                return offset
            except Exception:
                # Whatever it was, what is not committed is not confirmed: it is asked for again.
                logger.exception("%s: updates could not be committed", self._channel_id)
                await self._failed("updates cannot be committed; see the log")
                return offset
            offset = behind
        self._waits.after_success()
        if not self._is_up:
            self._is_up = True
            self._observer.up(self._channel_id)
        return offset

    async def _failed(self, reason: str, at_least: float = 0.0) -> None:
        self._is_up = False
        seconds = self._waits.after_failure(at_least)
        self._observer.down(self._channel_id, reason, seconds)
        await asyncio.sleep(seconds)

    async def _conflict(self, error: TelegramConflictError) -> str:
        if "webhook" not in error.message.lower():
            return "another program polls with this bot's token; stop it, or give each its own bot"
        try:
            await self._bot(DeleteWebhook(drop_pending_updates=False))
        except FAILURES as failure:
            return f"a webhook is set, and could not be removed ({_kind(failure)})"
        return "a webhook was set; it is removed now"


def _kind(error: BaseException) -> str:
    """An error's name and no more: aiohttp's words can hold the address, and the address holds the token."""
    return type(error.__cause__ or error).__name__


class Webhook:
    """What Telegram calls: answers 200 only once the update is committed, so that it is called again otherwise.

    Raises:
        ValueError: no secret, without which anybody could send updates.
    """

    def __init__(self, channel_id: ChannelId, secret: str) -> None:
        if not secret:
            raise ValueError("a webhook needs a secret")
        self._channel_id = channel_id
        self._secret = secret.encode()
        self._accept: Accept | None = None
        # The cursor is one document: commits side by side would only make each other try again.
        self._turn = asyncio.Lock()

    def open(self, accept: Accept) -> None:
        """Take updates from now on."""
        self._accept = accept

    def close(self) -> None:
        """Answer 503 from now on: Telegram keeps what it has and calls again."""
        self._accept = None

    async def handle(self, request: web.Request) -> web.Response:
        """One call."""
        shown = request.headers.get(_PROOF, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(shown, self._secret):
            return web.Response(status=403)
        raw = await _body(request)
        if raw is None:
            return web.Response(status=413)
        async with self._turn:
            if self._accept is None:
                return web.Response(status=503)
            try:
                await self._accept([_called_with(raw)], BY_WEBHOOK)
            except StoreUnavailable:
                return web.Response(status=503)
            except Exception:
                logger.exception("%s: an update could not be committed", self._channel_id)
                return web.Response(status=503)
        return web.Response()


def _called_with(raw: bytes) -> Arrival:
    """What is no update is kept as it came: it is parked and shown, instead of being sent again for a day."""
    try:
        update = json.loads(raw)
    except (ValueError, RecursionError):
        update = None
    return arrival(update) if isinstance(update, dict) else Arrival(_content_key(raw), "other", raw)


async def _body(request: web.Request) -> bytes | None:
    body = bytearray()
    async for piece in request.content.iter_any():
        body += piece
        if len(body) > LARGEST_UPDATE:
            return None
    return bytes(body)
