"""Who waits for commits, and the one change stream that wakes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from inbox.parts import Document
from inbox.store.mongo.layout import HEADER
from inbox.store.mongo.link import Link, heeding_cancellation, in_words
from inbox.store.mongo.shapes import COLLECTIONS
from inbox.store.watching import Watches

AWAIT_MS = 1000
"""How long the server holds a question about commits before it answers that there was none."""
REOPENING = 1.0
"""Seconds between two tries to open the stream."""
POLLING = 1.0
"""Seconds between wakings where the server has no change streams: then everybody looks for themselves."""

_REFUSED = {13, 20, 59, 115, 303, 40324, 40573}
"""Unauthorized, IllegalOperation, CommandNotFound, CommandNotSupported, …: asking again would not help."""

_log = logging.getLogger(__name__)


async def listen(
    link: Link, watches: Watches, opened: asyncio.Event, header_changed: Callable[[], Awaitable[None]]
) -> None:
    """Wake whoever watches for every commit, by whatever process, until cancelled.

    A stream that breaks is opened again, for ever. No resume token is kept:
    what was committed in between is made good by waking everybody once the
    new one stands, for a watch may wake without a commit but never miss one.
    """
    by_name: dict[str, type[Document]] = {kept.name: kind for kind, kept in COLLECTIONS.items()}
    # A document is written whole, so its change carries all of its indexed fields; the body stays behind.
    wanted: list[dict[str, Any]] = [
        {"$match": {"ns.coll": {"$in": [*by_name, HEADER]}}},
        {"$project": {"fullDocument.body": 0}},
    ]
    while True:
        try:
            with heeding_cancellation():
                stream = await link.watch(wanted, await_ms=AWAIT_MS)
            async with stream:
                opened.set()
                first = True
                while stream.alive:
                    with heeding_cancellation():
                        change: Any = await stream.try_next()
                        name = change["ns"].get("coll") if change else None
                        if first or name == HEADER:
                            await header_changed()
                    if first:  # with Motor the stream stands only now
                        watches.wake_all()
                    elif name in by_name:
                        watches.wake_elsewhere(by_name[name], change.get("fullDocument"))
                    first = False
        except PyMongoError as failure:
            if isinstance(failure, OperationFailure) and failure.code in _REFUSED:
                _log.warning(
                    "the server refuses change streams, so every loop looks each second: %s", in_words(failure)
                )
                opened.set()
                await _poll(watches)
            _log.warning("the stream of commits is opened again: %s", in_words(failure))
        await asyncio.sleep(REOPENING)


async def _poll(watches: Watches) -> None:
    while True:
        await asyncio.sleep(POLLING)
        watches.wake_all()
