"""What happens by itself when nobody presses anything."""

from __future__ import annotations

import asyncio

import structlog

from handlers.desk import Desk
from handlers.queue import deal_waiting
from inbox.errors import StoreUnavailable
from inbox.model import Conversation, Presence

log = structlog.get_logger(__name__)

STORE_WAIT = 1.0
BREATH = 0.02
"""Seconds between two dealings: every arrival changes a conversation, a hundred of them are one look."""


async def keep_dealing(desk: Desk) -> None:
    """Deal what waits whenever somebody comes, has room again, or a request goes back to the queue."""
    watch = desk.store.watch(Conversation, Presence)
    try:
        while True:
            try:
                await deal_waiting(desk)
            except StoreUnavailable:
                log.warning("store_unavailable")
                await asyncio.sleep(STORE_WAIT)
                continue
            await watch.wait()
            await asyncio.sleep(BREATH)
    finally:
        watch.close()
