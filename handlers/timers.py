"""What happens by itself when nobody presses anything."""

from __future__ import annotations

import asyncio

from handlers.desk import Desk, patiently
from handlers.queue import deal_waiting
from inbox.model import Conversation, Lease, Presence

BREATH = 0.02
"""Seconds between two dealings: every arrival changes a conversation, a hundred of them are one look."""


async def keep_dealing(desk: Desk, lease: Lease | None = None) -> None:
    """Deal what waits whenever somebody comes, has room again, or a request goes back to the queue.

    Args:
        lease: under which this worker deals, where others might.
    """
    watch = desk.store.watch(Conversation, Presence)
    try:
        while True:
            await patiently(lambda: deal_waiting(desk, lease))
            await watch.wait()
            await asyncio.sleep(BREATH)
    finally:
        watch.close()
