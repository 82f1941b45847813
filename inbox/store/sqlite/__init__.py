"""The embedded store: one SQLite file, one writer that commits in groups, readers beside it."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec

from inbox.errors import NotFound, StoreTooNew, StoreUnavailable
from inbox.machinery import Backup, Transfer
from inbox.parts import AccountId, BlobId, Document
from inbox.store.base import Changes, D, Index, Store, Value, Watch
from inbox.store.columns import Column, column
from inbox.store.documents import KINDS
from inbox.store.sqlite import file, sql
from inbox.store.sqlite.layout import bring_in_line
from inbox.store.sqlite.threads import Readers, Unit, Work, Writer, settle
from inbox.store.watching import Watches
from inbox.words import MOST_CHECKED, MOST_READ, SEARCHED, Sought

T = TypeVar("T")

LEARNT = 50
"""Older documents made findable in one commit: it is short, for others wait behind it."""
LEARNING_PAUSE = 0.01
LEARNING_WAITS = 5.0
MERGED = 200
"""Pages of an index of words merged at once: some thirty milliseconds in which nothing else is committed."""
MERGE_PAUSE = 0.01
"""Seconds between two such portions."""
_LAST = "\U0010ffff"
"""Behind every id."""

_log = logging.getLogger(__name__)


class SqliteStore(Store):
    """A store in one file. See `inbox.store.base.Store` for what each method promises.

    Only the exclusive opening copies SQLite's log into the file while it runs;
    others leave that to the last that closes. So one that lives long is exclusive.

    Args:
        path: the file; made, readable by its owner alone, when missing.
        exclusive: hold the file as its one worker; others may still look and commit (the command line does).
        on_commit: told, in the writer's thread, how many units each group had and how many seconds it took.
    """

    def __init__(
        self, path: Path, *, exclusive: bool = False, on_commit: Callable[[int, float], None] | None = None
    ) -> None:
        self.path = path
        self._exclusive = exclusive
        self._on_commit = on_commit
        self._lock: int | None = None
        self._watches = Watches()
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._learning: asyncio.Task[None] | None = None

    # ------------------------------------------------------------ opening and closing

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        opening = loop.run_in_executor(None, self._open, loop)
        try:
            await asyncio.shield(opening)
        except BaseException:
            await asyncio.wait([opening])  # cancelled: a thread cannot be, and must not leave the file open
            await self.__aexit__()
            raise
        if self._exclusive:
            self._learning = asyncio.create_task(self._learn())
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._learning is not None:
            self._learning.cancel()
        writer, readers = self._writer, self._readers
        self._writer = self._readers = None  # from here on nothing new is taken
        shutting = asyncio.get_running_loop().run_in_executor(None, self._close, writer, readers)
        try:
            await asyncio.shield(shutting)
        except asyncio.CancelledError:
            await shutting
            raise

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        with file.unavailable(self.path):
            if self._exclusive:
                self._lock = file.lock(self.path, f"{self.path} is in use by another worker; stop that one first")
            file.create(self.path)
            # Looked at without a connection that may write: a file we do not know stays as it is, to the octet.
            with closing(file.connect_to_read(self.path)) as looking:
                file.refuse_strangers(self.path, looking)
                if self._exclusive:
                    file.refuse_damaged(self.path, looking)
            connection = file.connect_to_write(self.path, checkpoints=self._exclusive)
            try:
                bring_in_line(self.path, connection, alone=self._exclusive)
                writer = Writer(self.path, connection, loop, self._settled, self._watches.wake_all, self._on_commit)
            except BaseException:
                connection.close()
                raise
        self._readers = Readers(self.path, loop)
        self._writer = writer

    def _close(self, writer: Writer | None, readers: Readers | None) -> None:
        # The writer last: only a connection that may write can tidy the log away as it leaves.
        if readers is not None:
            readers.close()
        if writer is not None:
            writer.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # ------------------------------------------------------------ reading

    def _read(self, work: Work[T]) -> asyncio.Future[T]:
        if self._readers is None:
            raise StoreUnavailable(f"{self.path} is not open")
        return self._readers.ask(work)

    async def get(self, kind: type[D], document_id: str) -> D:
        document = await self.find(kind, document_id)
        if document is None:
            raise NotFound(f"no {KINDS[kind]} {document_id}")
        return document

    async def find(self, kind: type[D], document_id: str) -> D | None:
        return await self._read(partial(_first, sql.table(kind), sql.table(kind).get, (document_id,)))

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        wanted = msgspec.json.encode(tuple(ids)).decode()
        found = await self._read(partial(_all, sql.table(kind), sql.table(kind).get_many, (wanted,)))
        return {document.id: document for document in found}

    async def find_by(self, index: Index[D], *equal: Value) -> D | None:
        shape = sql.selection(index, len(equal), since=False, until=False, after=False, descending=False)
        return await self._read(partial(_first, sql.table(index.kind), shape.sql, (*_equal(index, equal), 1)))

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
            raise ValueError(f"{limit} documents cannot be listed")  # SQLite would list them all
        shape = sql.selection(
            index,
            len(equal),
            since=since is not None,
            until=until is not None,
            after=after is not None,
            descending=descending,
        )
        parameters = _equal(index, equal)
        parameters += [column(bound) for bound in (since, until) if bound is not None]
        if after is not None:
            behind = [column(getattr(after, field)) for field in shape.order]
            if None in behind:
                raise ValueError(f"{after.id} is not in {index}")
            parameters += behind
        return await self._read(partial(_all, sql.table(index.kind), shape.sql, (*parameters, limit)))

    async def count(self, index: Index[D], *equal: Value, since: Value = None, until: Value = None) -> int:
        query = sql.counting(index, len(equal), since=since is not None, until=until is not None)
        parameters = _equal(index, equal) + [column(bound) for bound in (since, until) if bound is not None]
        counted = await self._read(partial(_row, query, parameters))
        return cast("int", counted[0])

    async def scan(self, kind: type[D], *, after: str = "", limit: int = 500) -> Sequence[D]:
        return await self._read(partial(_all, sql.table(kind), sql.table(kind).scan, (after, limit)))

    async def search(
        self,
        kind: type[D],
        asked: Sought,
        within: Iterable[AccountId] | None,
        *,
        outside: AccountId | None = None,
        limit: int,
    ) -> Sequence[D]:
        words = sql.table(kind).words
        if words is None:
            raise ValueError(f"{KINDS[kind]} is not searched")
        match = sql.matching(asked, within, outside)
        if asked.phrases:
            return await self._read(partial(_quoted, sql.table(kind), words.find, match, asked, limit))
        return await self._read(partial(_all, sql.table(kind), words.find, (match, limit)))

    async def list_blobs(self, *, after: str = "", limit: int = 500) -> Sequence[BlobId]:
        return await self._read(partial(_names, sql.LIST_BLOBS, (after, limit)))

    async def read_blob(self, blob_id: BlobId) -> bytes:
        octets = await self._read(partial(_octets, blob_id))
        if octets is None:
            raise NotFound(f"no blob {blob_id}")
        return octets

    # ------------------------------------------------------------ writing

    async def commit(self, changes: Changes) -> None:
        steps = tuple(sql.steps(changes))
        if self._writer is None:
            raise StoreUnavailable(f"{self.path} is not open")
        if steps:
            await self._writer.commit(Unit(steps, changes, asyncio.get_running_loop().create_future()))

    async def _learn(self) -> None:
        """Make findable what was there before the store knew of words, the newest first, between other work.

        Broken off, the next opening goes on: what has its words already is left.
        """
        for kind in SEARCHED:
            while True:
                try:
                    await self._learn_kind(sql.table(kind))
                    break
                except StoreUnavailable as failure:
                    _log.warning("what is older is not yet found by its words: %s", failure)
                    await asyncio.sleep(LEARNING_WAITS)

    async def _learn_kind(self, table: sql.Table[Any]) -> None:
        if table.words is None or not (await self._read(partial(_row, table.words.missing, ())))[0]:
            return
        behind = _LAST
        while page := await self._read(partial(_all, table, table.words.older, (behind, LEARNT))):
            if self._writer is None:
                return
            steps = tuple(sql.learning(page))
            await self._writer.commit(Unit(steps, Changes(), asyncio.get_running_loop().create_future()))
            behind = page[-1].id
            await asyncio.sleep(LEARNING_PAUSE)

    async def scrub(self) -> None:
        """Merge deleted words out of the indexes; empty the log into the file, where what was deleted is overwritten.

        (`secure_delete`.) Only the worker can. An index is merged in portions; commits go between them.
        """
        loop = asyncio.get_running_loop()
        for table in sql.TABLES.values():
            pages, merged = -MERGED, table.words is not None
            while merged and table.words is not None:
                unit = Unit((), Changes(), loop.create_future(), merges=(table.words.merge, pages))
                await self._looked_after().commit(unit)
                pages, merged = MERGED, unit.merged
                await asyncio.sleep(MERGE_PAUSE)
        await self._looked_after().commit(Unit((), Changes(), loop.create_future(), scrubs=True))

    def _looked_after(self) -> Writer:
        if self._writer is None or not self._exclusive:
            raise StoreUnavailable(f"{self.path} is looked after by its worker")
        return self._writer

    def _settled(self, units: Sequence[Unit], outcomes: Sequence[Exception | None]) -> None:
        for unit, error in zip(units, outcomes, strict=True):
            settle(unit.future, None, error)
            if error is None:
                self._watches.wake(unit.changes)

    # ------------------------------------------------------------ watching

    def watch(self, *kinds: type[Document], field: str | None = None, equal: Value = None) -> Watch:
        """Wake on commits to these kinds; within about a second on another process's, whatever it touched."""
        return self._watches.add(frozenset(kinds), field, equal)

    # ------------------------------------------------------------ looking after the file

    async def backup(self, target: Path, *, overwrite: bool = False, mark: Document | None = None) -> None:
        """Copy the whole store, as it was at one moment, while it is in use.

        The copy is one file, readable by its owner alone; it is at `target`
        whole, or not at all. Commits made meanwhile wait for nothing.

        Args:
            mark: a document the copy holds and the store does not: the only one of its kind there.

        Raises:
            FileExistsError: there is something at `target`, or it is the store itself.
            OSError: nothing can be written there.
            StoreUnavailable: the copy could not be made (the disk is full).
        """
        await asyncio.to_thread(file.backup, self.path, target, overwrite=overwrite, mark=mark)

    async def verify(self) -> Sequence[str]:
        """What is wrong with the file, up to a hundred findings; empty when it is whole.

        The file's structure is checked, every document read, and every index
        compared with the documents. It reads everything: minutes for a large store.
        """
        return await self._read(file.verify)


async def restore(copy: Path, path: Path, aside: Path, backup: Backup) -> tuple[datetime, Sequence[str]]:
    """Put a copy of a store in the place of one; what is there stands aside. The copy itself stays as it is.

    Killed at any moment, the old store is whole, or the new one, or the next call ends it.

    Args:
        aside: what the store's file is called from now on.
        backup: the mark the restored store gets, unless the copy has one that says its moment.

    Returns:
        The moment the store is of, and what is wrong with the copy: then nothing was changed.

    Raises:
        StoreUnavailable: a worker runs on the store, or the copy cannot be read.
    """
    with file.unavailable(path):
        held = file.lock(path, f"{path} is in use by a worker; stop it first")
    part = path.with_name(f"{path.name}.restoring")
    try:
        await asyncio.to_thread(file.backup, copy, part, overwrite=True, mark=None)
        async with SqliteStore(part) as store:
            if wrong := await store.verify():
                return backup.taken_at, wrong
            backup = await _marked(store, backup)
        if await asyncio.to_thread(path.exists):
            with suppress(StoreUnavailable, StoreTooNew):  # then it stands aside as it is
                async with SqliteStore(path):
                    pass  # the last to close it copies its log into the file
        with file.unavailable(path):
            await asyncio.to_thread(file.put_in_place, part, path, aside)
        return backup.taken_at, ()
    finally:
        os.close(held)
        file.remove(part)


async def _marked(store: SqliteStore, backup: Backup) -> Backup:
    earlier = await store.find(Backup, backup.id)
    if earlier is not None and earlier.settled_at is None:
        backup = earlier
    else:
        marked = msgspec.structs.replace(backup, version=earlier.version if earlier else 0)
        await store.commit(Changes(replacements=[marked]) if earlier else Changes(inserts=[marked]))
    # Whoever puts it back means to go on with it, even if its firm was moved away meanwhile.
    await store.commit(Changes(deletions=[t for t in await store.scan(Transfer) if t.finished_at is not None]))
    return backup


def _row(query: str, parameters: Sequence[Column], connection: sqlite3.Connection) -> Any:
    return connection.execute(query, parameters).fetchone()


def _octets(blob_id: BlobId, connection: sqlite3.Connection) -> bytes | None:
    small = connection.execute(sql.READ_SMALL_BLOB, (sql.LARGE_BLOB, blob_id)).fetchone()
    if small is None or small[0] is not None:
        return small and cast("bytes", small[0])
    connection.execute("BEGIN")  # its row stays its own from the one statement to the other
    try:
        row = connection.execute(sql.FIND_BLOB, (blob_id,)).fetchone()
        if row is None:
            return None
        # A query would hold all of it twice.
        with connection.blobopen("blob", "data", row[0], readonly=True) as blob:
            return blob.read()
    finally:
        connection.execute("ROLLBACK")


def _names(query: str, parameters: Sequence[Column], connection: sqlite3.Connection) -> list[BlobId]:
    return [row[0] for row in connection.execute(query, parameters).fetchall()]


def _first(table: sql.Table[D], query: str, parameters: Sequence[Column], connection: sqlite3.Connection) -> D | None:
    row = connection.execute(query, parameters).fetchone()
    return None if row is None else table.decode(row[0])


def _all(table: sql.Table[D], query: str, parameters: Sequence[Column], connection: sqlite3.Connection) -> list[D]:
    # All rows at once: a half-read query would hold its snapshot, and the log could not start anew.
    rows = connection.execute(query, parameters).fetchall()
    decode = table.decode
    return [decode(row[0]) for row in rows]


def _quoted(
    table: sql.Table[D], query: str, match: str, asked: Sought, limit: int, connection: sqlite3.Connection
) -> list[D]:
    # All rows at once, as above: those of the newest documents are few enough.
    rows = connection.execute(query, (match, MOST_CHECKED)).fetchall()
    quoted: list[D] = []
    read = 0
    for (body,) in rows:
        read += len(body)
        if len(quoted) >= limit or read > MOST_READ:
            break
        if asked.is_quoted_in(document := table.decode(body)):
            quoted.append(document)
    return quoted


def _equal(index: Index[Any], equal: tuple[Value, ...]) -> list[Column]:
    if None in equal:
        raise ValueError(f"{index} holds nothing with None")
    return [column(value) for value in equal]
