"""A store as one worker of many sees it: it cannot be reached, or the worker dies or sleeps at a commit, as told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from typing import Self, TypeVar

from inbox.errors import Conflict, StoreUnavailable
from inbox.parts import AccountId, BlobId, Document
from inbox.store.base import Changes, D, Index, Store, Value, Watch
from inbox.words import Sought

T = TypeVar("T")


class Fate(StrEnum):
    """What becomes of a worker's next commit, or of its next read."""

    DIES_BEFORE = "a worker dies before a commit"
    DIES_AFTER = "a worker dies after a commit stands"
    UNREACHED = "a commit does not reach the store"
    UNANSWERED = "a commit stands, and its worker does not learn it"
    UNREAD = "a read fails"
    SLEEPS_BEFORE = "a worker sleeps before a commit"
    SLEEPS_AFTER = "a worker sleeps after a commit stands"


class Fated(Store):
    """A store that one worker is given.

    Args:
        happened: told which fates came true.
        watched: entered with every commit just before it is made, left once it stands or is refused.
    """

    def __init__(
        self, store: Store, happened: Counter[str], watched: Callable[[Changes], AbstractAsyncContextManager[None]]
    ) -> None:
        self._store = store
        self._happened = happened
        self._watched = watched
        self._fate: tuple[Fate, int] | None = None
        self._awake = asyncio.Event()
        self._awake.set()
        self._slept = False
        self._gone = False
        self.died = asyncio.Event()

    # ------------------------------------------------------------ what the test says

    def await_fate(self, fate: Fate, after: int = 0) -> None:
        """It comes true at the commit (or read) that follows so many others."""
        self._fate = fate, after

    def sleep(self) -> None:
        """From now on nothing moves, as under SIGSTOP."""
        self._awake.clear()

    @property
    def asleep(self) -> bool:
        return not self._awake.is_set()

    def wake(self) -> None:
        """Go on where it stopped, knowing nothing of what happened meanwhile."""
        self._slept = True
        self._awake.set()

    def end(self) -> None:
        """Its worker is gone: what is left of it does nothing any more."""
        self._gone = True
        self._awake.set()

    # ------------------------------------------------------------ what becomes of it

    def _comes_true(self, *fates: Fate) -> Fate | None:
        if self._fate is None or self._fate[0] not in fates:
            return None
        fate, after = self._fate
        self._fate = None if after == 0 else (fate, after - 1)
        if after:
            return None
        self._happened[fate] += 1
        return fate

    async def _moves(self) -> None:
        await self._awake.wait()
        if self._gone:
            raise StoreUnavailable("its worker is gone")
        if self.died.is_set():
            await asyncio.Event().wait()

    async def _die(self) -> None:
        self.died.set()
        await asyncio.Event().wait()

    async def _read(self, ask: Callable[[], Awaitable[T]]) -> T:
        await self._moves()
        if self._comes_true(Fate.UNREAD):
            raise StoreUnavailable("as told")
        return await ask()

    async def commit(self, changes: Changes) -> None:
        await self._moves()
        fate = self._comes_true(*(fate for fate in Fate if fate is not Fate.UNREAD))
        if fate is Fate.DIES_BEFORE:
            await self._die()
        if fate is Fate.UNREACHED:
            raise StoreUnavailable("as told")
        if fate is Fate.SLEEPS_BEFORE:
            self.sleep()
            await self._moves()
        try:
            async with self._watched(changes):
                await self._store.commit(changes)
        except Conflict:
            self._happened["a commit is refused"] += 1
            if self._slept:
                self._happened["a commit of a worker that slept is refused"] += 1
            raise
        if fate is Fate.DIES_AFTER:
            await self._die()
        if fate is Fate.UNANSWERED:
            raise StoreUnavailable("as told")
        if fate is Fate.SLEEPS_AFTER:
            self.sleep()
            await self._moves()

    # ------------------------------------------------------------ as any store

    async def get(self, kind: type[D], document_id: str) -> D:
        return await self._read(lambda: self._store.get(kind, document_id))

    async def find(self, kind: type[D], document_id: str) -> D | None:
        return await self._read(lambda: self._store.find(kind, document_id))

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        return await self._read(lambda: self._store.find_many(kind, ids))

    async def find_by(self, index: Index[D], *equal: Value) -> D | None:
        return await self._read(lambda: self._store.find_by(index, *equal))

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
        return await self._read(
            lambda: self._store.list(
                index, *equal, since=since, until=until, after=after, descending=descending, limit=limit
            )
        )

    async def count(self, index: Index[D], *equal: Value, since: Value = None, until: Value = None) -> int:
        return await self._read(lambda: self._store.count(index, *equal, since=since, until=until))

    async def scan(self, kind: type[D], *, after: str = "", limit: int = 500) -> Sequence[D]:
        return await self._read(lambda: self._store.scan(kind, after=after, limit=limit))

    async def search(
        self,
        kind: type[D],
        asked: Sought,
        within: Iterable[AccountId] | None,
        *,
        outside: AccountId | None = None,
        limit: int,
    ) -> Sequence[D]:
        return await self._read(lambda: self._store.search(kind, asked, within, outside=outside, limit=limit))

    async def list_blobs(self, *, after: str = "", limit: int = 500) -> Sequence[BlobId]:
        return await self._read(lambda: self._store.list_blobs(after=after, limit=limit))

    async def read_blob(self, blob_id: BlobId) -> bytes:
        return await self._read(lambda: self._store.read_blob(blob_id))

    async def scrub(self) -> None:
        await self._store.scrub()

    def watch(self, *kinds: type[Document], field: str | None = None, equal: Value = None) -> Watch:
        return self._store.watch(*kinds, field=field, equal=equal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        """The store is its opener's to close."""
