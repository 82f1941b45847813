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
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self, TypeVar

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import PyMongoError

from inbox.errors import NotFound, StoreTooNew, StoreUnavailable
from inbox.parts import AccountId, BlobId, Document
from inbox.store.base import Changes, D, Index, Store, Value, Watch
from inbox.store.columns import Column, column
from inbox.store.documents import KINDS
from inbox.store.mongo import blobs, shapes
from inbox.store.mongo.commits import commit
from inbox.store.mongo.layout import bring_in_line, learn_words, read_header, refuse_newer
from inbox.store.mongo.link import IN_FLIGHT, DriverName, Link, heeding_cancellation, in_words, shown
from inbox.store.mongo.shapes import Selection, Unit, collection
from inbox.store.mongo.watching import listen
from inbox.store.watching import Watches
from inbox.words import MOST_CHECKED, MOST_READ, SEARCHED, Sought

T = TypeVar("T")

IDS_AT_ONCE = 2000
"""Documents asked for by one command."""
CLOSING = 3.0
"""Seconds without progress after which closing leaves what is under way to its fate."""
ENDING = 0.5
SWEEPING = 6 * 3600.0
"""Seconds between two sweeps of uploads that nobody made visible."""

LEARNING_WAITS = 30.0

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
        self._under_way: set[asyncio.Task[Any]] = set()
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
                asyncio.create_task(self._learn(link)),
            ]
            self._link = link
            await opened.wait()
        except BaseException:
            self._link = None
            await self._end_keeping()
            await link.close(CLOSING)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        link, self._link = self._link, None  # from here on nothing new is taken
        while self._under_way:
            done, _ = await asyncio.wait(self._under_way, timeout=CLOSING, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                await _end(self._under_way)
        await self._end_keeping()
        if link is not None:
            await link.close(CLOSING)

    async def _end_keeping(self) -> None:
        keeping, self._keeping = self._keeping, []
        await _end(keeping)

    def _open_link(self) -> Link:
        if self._link is None:
            raise StoreUnavailable(f"{self.address} is not open")
        return self._link

    async def _do(self, work: Callable[[Link], Coroutine[Any, Any, T]]) -> T:
        """What the work returns, in its turn.

        It is a task of its own: whoever is cancelled while it runs leaves no
        transaction and no connection half-way, closing waits for it, and no
        cancellation of the desk's is lost within a driver.
        """
        task = asyncio.create_task(self._in_turn(self._open_link(), work))
        self._under_way.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise StoreUnavailable(f"{self.address} was closed before it had answered") from None
            raise

    async def _in_turn(self, link: Link, work: Callable[[Link], Coroutine[Any, Any, T]]) -> T:
        async with self._in_flight:
            if self._too_new is not None:
                raise StoreTooNew(str(self._too_new))
            with link.unavailable():
                return await work(link)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone; then nobody asks

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

    async def _learn(self, link: Link) -> None:
        while True:
            try:
                with heeding_cancellation(), link.unavailable():
                    return await learn_words(link)
            except StoreTooNew:
                return None  # whoever reads or writes is told
            except StoreUnavailable as failure:
                _log.warning("what is older is not yet found by its words: %s", failure)
            await asyncio.sleep(LEARNING_WAITS)

    # ------------------------------------------------------------ reading

    async def get(self, kind: type[D], document_id: str) -> D:
        document = await self.find(kind, document_id)
        if document is None:
            raise NotFound(f"no {KINDS[kind]} {document_id}")
        return document

    async def find(self, kind: type[D], document_id: str) -> D | None:
        kept = collection(kind)

        async def found(link: Link) -> D | None:
            stored = await link.database[kept.name].find_one({"_id": document_id}, shapes.READ)
            return None if stored is None else kept.read(stored)

        return await self._do(found)

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        kept = collection(kind)
        wanted = [*dict.fromkeys(ids)]
        pages = [{"_id": {"$in": wanted[n : n + IDS_AT_ONCE]}} for n in range(0, len(wanted), IDS_AT_ONCE)]
        found = [await self._do(partial(_all, kept, where, None, None, None)) for where in pages]
        return {document.id: document for page in found for document in page}

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
        return await self._do(partial(_all, collection(index.kind), chosen.where, chosen.sort, chosen.hint, limit))

    async def count(self, index: Index[D], *equal: Value, since: Value = None, until: Value = None) -> int:
        chosen = shapes.counting(index, _columns(equal), since=column(since), until=column(until))

        async def counted(link: Link) -> int:
            return await link.database[KINDS[index.kind]].count_documents(chosen.where, hint=chosen.hint)

        return await self._do(counted)

    async def scan(self, kind: type[D], *, after: str = "", limit: int = 500) -> Sequence[D]:
        if limit == 0:
            return []
        where = {"_id": {"$gt": after}}
        return await self._do(partial(_all, collection(kind), where, [("_id", ASCENDING)], "_id_", limit))

    async def search(
        self,
        kind: type[D],
        asked: Sought,
        within: Iterable[AccountId] | None,
        *,
        outside: AccountId | None = None,
        limit: int,
    ) -> Sequence[D]:
        if kind not in SEARCHED:
            raise ValueError(f"{KINDS[kind]} is not searched")
        newest = [("_id", DESCENDING)]
        where = shapes.matching(asked, within, outside)
        if asked.phrases:
            return await self._do(partial(_quoted, collection(kind), where, newest, asked, limit))
        return [*await self._do(partial(_all, collection(kind), where, newest, None, limit))]

    async def list_blobs(self, *, after: str = "", limit: int = 500) -> Sequence[BlobId]:
        return await self._do(partial(blobs.list_ids, after=after, limit=limit))

    async def read_blob(self, blob_id: BlobId) -> bytes:
        return await self._do(partial(blobs.read, blob_id=blob_id))

    # ------------------------------------------------------------ writing

    async def commit(self, changes: Changes) -> None:
        unit = Unit(changes)
        self._open_link()
        if unit:
            await self._do(partial(self._commit, unit, changes))

    async def _commit(self, unit: Unit, changes: Changes, link: Link) -> None:
        began = time.perf_counter()
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


async def _end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until they are gone: a driver that is cancelled first says farewell to a server that may not answer."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=ENDING)


async def _all(
    kept: shapes.Collection[D],
    where: Mapping[str, Any],
    sort: Sequence[tuple[str, int]] | None,
    hint: str | None,
    limit: int | None,
    link: Link,
) -> Sequence[D]:
    found = link.database[kept.name].find(where, shapes.READ)
    if hint:
        found = found.hint(hint)
    if sort:
        found = found.sort(sort)
    if limit:
        found = found.limit(limit)
    return [kept.read(stored) for stored in await found.to_list(None)]


async def _quoted(
    kept: shapes.Collection[D],
    where: Mapping[str, Any],
    sort: Sequence[tuple[str, int]],
    asked: Sought,
    limit: int,
    link: Link,
) -> Sequence[D]:
    quoted: list[D] = []
    read = 0
    async with link.database[kept.name].find(where, shapes.READ).sort(sort).limit(MOST_CHECKED) as found:
        async for stored in found:
            read += len(stored["body"])
            if len(quoted) >= limit or read > MOST_READ:
                break
            if asked.is_quoted_in(document := kept.read(stored)):
                quoted.append(document)
    return quoted
