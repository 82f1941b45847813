"""The store on a MongoDB replica set: for several workers, on several machines."""

from __future__ import annotations

try:
    import pymongo  # noqa: F401 - an extra: asked for by name before anything needs it
except ImportError as missing:  # pragma: no cover - the extra is installed where this is measured
    from inbox.errors import StoreUnavailable as _StoreUnavailable

    raise _StoreUnavailable("MongoDB's driver is not installed: pip install 'permanence[mongodb]'") from missing

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Self

from pymongo import ASCENDING
from pymongo.errors import PyMongoError

from inbox.errors import NotFound, StoreTooNew, StoreUnavailable
from inbox.model import BlobId, Document
from inbox.store.base import Changes, D, Index, Store, Value, Watch
from inbox.store.columns import Column, column
from inbox.store.documents import KINDS
from inbox.store.mongo import blobs, shapes
from inbox.store.mongo.commits import commit
from inbox.store.mongo.layout import bring_in_line, read_header, refuse_newer
from inbox.store.mongo.link import IN_FLIGHT, DriverName, Link, heeding_cancellation, in_words, shown
from inbox.store.mongo.shapes import Selection, Unit, collection
from inbox.store.mongo.watching import listen
from inbox.store.watching import Watches

IDS_AT_ONCE = 2000
"""Documents asked for by one command."""
CLOSING = 3.0
"""Seconds without progress after which closing leaves what is under way to its fate."""
SWEEPING = 6 * 3600.0
"""Seconds between two sweeps of uploads that nobody made visible."""

_log = logging.getLogger(__name__)


class MongoStore(Store):
    """A store in one database of a replica set. See `inbox.store.base.Store` for what each method promises.

    Any number of processes may have it open.

    Args:
        url: `mongodb://…/database` or `mongodb+srv://…/database`; its options win over ours.
        driver: PyMongo's own asynchronous client, or Motor.
        on_commit: told after each unit how many there were (one) and how many seconds it took.
    """

    def __init__(
        self, url: str, *, driver: DriverName = "pymongo", on_commit: Callable[[int, float], None] | None = None
    ) -> None:
        self.address = shown(url)
        self._url = url
        self._driver = driver
        self._on_commit = on_commit
        self._link: Link | None = None
        self._too_new: StoreTooNew | None = None
        self._watches = Watches()
        self._commits: set[asyncio.Task[None]] = set()
        self._keeping: list[asyncio.Task[None]] = []
        # asyncio's is fair: who came first goes first.
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    # ------------------------------------------------------------ opening and closing

    async def __aenter__(self) -> Self:
        try:
            link = Link(self._url, self._driver)
        except PyMongoError as error:
            raise StoreUnavailable(f"{self.address}: {in_words(error)}") from error
        try:
            with link.unavailable():
                await bring_in_line(link)
            opened = asyncio.Event()
            self._keeping = [
                asyncio.create_task(listen(link, self._watches, opened, self._look_at_header)),
                asyncio.create_task(self._sweep(link)),
            ]
            self._link = link
            await opened.wait()
        except BaseException:
            self._link = None
            await self._end_keeping()
            await link.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        link, self._link = self._link, None  # from here on nothing new is taken
        while self._commits:
            done, _ = await asyncio.wait(self._commits, timeout=CLOSING, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                for task in self._commits:
                    task.cancel()
        await self._end_keeping()
        if link is not None:
            await link.close()

    async def _end_keeping(self) -> None:
        keeping, self._keeping = self._keeping, []
        for task in keeping:
            task.cancel()
        await asyncio.gather(*keeping, return_exceptions=True)

    def _open_link(self) -> Link:
        if self._link is None:
            raise StoreUnavailable(f"{self.address} is not open")
        return self._link

    @asynccontextmanager
    async def _using(self, link: Link | None = None) -> AsyncIterator[Link]:
        link = link or self._open_link()
        async with self._in_flight:
            if self._too_new is not None:
                raise StoreTooNew(str(self._too_new))
            with link.unavailable():
                yield link

    async def _look_at_header(self) -> None:
        """Stop before we write into a store that a newer version upgrades."""
        if self._link is not None:
            header = await read_header(self._link)
            try:
                refuse_newer(self._link, header or {"schema": 0})
            except StoreTooNew as failure:
                self._too_new = failure
                self._watches.wake_all()

    async def _sweep(self, link: Link) -> None:
        while True:
            with suppress(PyMongoError), heeding_cancellation():  # another time: nobody waits for it
                if swept := await blobs.sweep(link, datetime.now(UTC)):
                    _log.info("%d uploads that nobody sees were removed", swept)
            await asyncio.sleep(SWEEPING)

    # ------------------------------------------------------------ reading

    async def get(self, kind: type[D], document_id: str) -> D:
        document = await self.find(kind, document_id)
        if document is None:
            raise NotFound(f"no {KINDS[kind]} {document_id}")
        return document

    async def find(self, kind: type[D], document_id: str) -> D | None:
        kept = collection(kind)
        async with self._using() as link:
            stored = await link.database[kept.name].find_one({"_id": document_id}, shapes.READ)
            return None if stored is None else kept.read(stored)

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        kept = collection(kind)
        wanted = list(dict.fromkeys(ids))
        found: dict[str, D] = {}
        for first in range(0, len(wanted), IDS_AT_ONCE):
            where = {"_id": {"$in": wanted[first : first + IDS_AT_ONCE]}}
            async with self._using() as link:
                for stored in await link.database[kept.name].find(where, shapes.READ).to_list(None):
                    found[stored["_id"]] = kept.read(stored)
        return found

    async def find_by(self, index: Index[D], *equal: Value) -> D | None:
        found = await self._select(index, shapes.selection(index, _columns(equal)), 1)
        return found[0] if found else None

    async def list(
        self,
        index: Index[D],
        *equal: Value,
        since: Value = None,
        until: Value = None,
        after: D | None = None,
        descending: bool = False,
        limit: int = 100,
    ) -> list[D]:
        if limit < 0:
            raise ValueError(f"{limit} documents cannot be listed")  # MongoDB would list so many and close
        chosen = shapes.selection(
            index,
            _columns(equal),
            since=column(since),
            until=column(until),
            after=after,
            descending=descending,
        )
        return [*await self._select(index, chosen, limit)]

    async def _select(self, index: Index[D], chosen: Selection, limit: int) -> Sequence[D]:
        if limit == 0:
            return []  # which MongoDB takes for no limit
        kept = collection(index.kind)
        async with self._using() as link:
            found = link.database[kept.name].find(chosen.where, shapes.READ).hint(chosen.hint).limit(limit)
            if chosen.sort:
                found = found.sort(chosen.sort)
            return [kept.read(stored) for stored in await found.to_list(None)]

    async def count(self, index: Index[D], *equal: Value, since: Value = None, until: Value = None) -> int:
        chosen = shapes.counting(index, _columns(equal), since=column(since), until=column(until))
        async with self._using() as link:
            documents = link.database[KINDS[index.kind]]
            return await documents.count_documents(chosen.where, hint=chosen.hint)

    async def scan(self, kind: type[D], *, after: str = "", limit: int = 500) -> Sequence[D]:
        if limit == 0:
            return []
        kept = collection(kind)
        async with self._using() as link:
            found = link.database[kept.name].find({"_id": {"$gt": after}}, shapes.READ).sort("_id", ASCENDING)
            return [kept.read(stored) for stored in await found.limit(limit).to_list(None)]

    async def list_blobs(self, *, after: str = "", limit: int = 500) -> Sequence[BlobId]:
        async with self._using() as link:
            return await blobs.list_ids(link, after, limit)

    async def read_blob(self, blob_id: BlobId) -> bytes:
        async with self._using() as link:
            return await blobs.read(link, blob_id)

    # ------------------------------------------------------------ writing

    async def commit(self, changes: Changes) -> None:
        unit = Unit(changes)
        link = self._open_link()
        if not unit:
            return
        # A task of its own: whoever is cancelled leaves no transaction half-way, and closing waits for it.
        task = asyncio.create_task(self._commit(link, unit, changes))
        self._commits.add(task)
        task.add_done_callback(self._ended)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreUnavailable(f"{self.address} was closed before a unit was known to be committed") from None
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._commits.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; then nobody asks

    async def _commit(self, link: Link, unit: Unit, changes: Changes) -> None:
        began = time.perf_counter()
        async with self._using(link):
            await commit(link, unit)
        self._watches.wake(changes)
        self._report(time.perf_counter() - began)

    def _report(self, seconds: float) -> None:
        if self._on_commit is None:
            return
        try:
            self._on_commit(1, seconds)
        except Exception:  # noqa: BLE001 - its failure must not be the commit's
            _log.exception("what watches commits failed")

    # ------------------------------------------------------------ watching

    async def scrub(self) -> None:
        """The server's own files are the server's: what is deleted there is overwritten as it needs the room."""

    def watch(self, *kinds: type[Document], field: str | None = None, equal: Value = None) -> Watch:
        """Wake on commits to these kinds: at once on our own, through the server's change stream on others'."""
        return self._watches.add(frozenset(kinds), field, equal)


def _columns(equal: tuple[Value, ...]) -> tuple[Column, ...]:
    return tuple(column(value) for value in equal)
