"""Who waits for commits, and the one change stream that wakes them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError

from inbox.model import Document
from inbox.store.base import Watch
from inbox.store.mongo.layout import HEADER
from inbox.store.mongo.link import Link, heeding_cancellation, in_words
from inbox.store.mongo.shapes import COLLECTIONS

AWAIT_MS = 1000
"""How long the server holds a question about commits before it answers that there was none."""
REOPENING = 1.0
"""Seconds between two tries to open the stream."""
POLLING = 1.0
"""Seconds between wakings where the server has no change streams: then everybody looks for themselves."""

_REFUSED = {13, 20, 59, 115, 303, 40324, 40573}
"""Unauthorized, IllegalOperation, CommandNotFound, CommandNotSupported, …: asking again would not help."""

_log = logging.getLogger(__name__)


class Watches:
    """Everybody who waits, by kind."""

    def __init__(self) -> None:
        self._all: set[_Watch] = set()

    def add(self, kinds: frozenset[type[Document]]) -> Watch:
        watch = _Watch(self._all, kinds)
        self._all.add(watch)
        return watch

    def wake(self, kinds: frozenset[type[Document]]) -> None:
        """Something of these kinds was committed."""
        for watch in self._all:
            if watch.kinds & kinds:
                watch.event.set()

    def wake_all(self) -> None:
        """Something may have been committed."""
        for watch in self._all:
            watch.event.set()


class _Watch(Watch):
    def __init__(self, watches: set[_Watch], kinds: frozenset[type[Document]]) -> None:
        self._watches = watches
        self.kinds = kinds
        self.event = asyncio.Event()

    async def wait(self, timeout: float | None = None) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self.event.wait()
        except TimeoutError:
            return False
        self.event.clear()
        return True

    def close(self) -> None:
        self._watches.discard(self)


async def listen(
    link: Link, watches: Watches, opened: asyncio.Event, header_changed: Callable[[], Awaitable[None]]
) -> None:
    """Wake whoever watches for every commit, by whatever process, until cancelled.

    A stream that breaks is opened again, for ever. No resume token is kept:
    what was committed in between is made good by waking everybody once the
    new one stands, for a watch may wake without a commit but never miss one.
    """
    by_name: dict[str, frozenset[type[Document]]] = {kept.name: frozenset([kind]) for kind, kept in COLLECTIONS.items()}
    wanted: list[dict[str, Any]] = [{"$match": {"ns.coll": {"$in": [*by_name, HEADER]}}}, {"$project": {"ns": 1}}]
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
                        watches.wake(by_name[name])
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
