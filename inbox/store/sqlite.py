"""The embedded store: one SQLite file, one writer that commits in groups, readers beside it."""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import re
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar, cast

import msgspec

from inbox.errors import Conflict, Duplicate, NotFound, StoreTooNew, StoreUnavailable
from inbox.model import BlobId, Document
from inbox.store.base import Changes, D, Index, Value
from inbox.store.documents import INDEXES, KINDS
from inbox.store.migrations import MIGRATIONS, SCHEMA_VERSION

T = TypeVar("T")
_Column = str | int | None

GROUP = 64
"""Units committed with one sync, at most."""
READERS = 4
ELSEWHERE = 1.0
"""Seconds between looks for commits of other processes: SQLite cannot push across them."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNIQUE = re.compile(r"UNIQUE constraint failed: (.+)")


def _column(value: object) -> _Column:
    """A value as an index compares it: instants as microseconds, so that they sort."""
    if value is None:
        return None
    if isinstance(value, Enum):
        return cast("str", value.value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    if isinstance(value, str | int):
        return value
    raise TypeError(f"{type(value).__name__} cannot be indexed")


class _Kind:
    """How documents of one kind are stored: SQL made once, the decoder reused."""

    def __init__(self, kind: type[Document]) -> None:
        self.kind = kind
        self.name = KINDS[kind]
        self.indexes = [index for index in INDEXES if index.kind is kind]
        self.fields = list(dict.fromkeys(field for index in self.indexes for field in index.fields))
        self.decoder = msgspec.json.Decoder(kind)
        columns = ["id", "version", "body", *self.fields]
        self.insert = f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        sets = ", ".join(f"{column} = ?" for column in columns[1:])
        self.replace = f"UPDATE {self.name} SET {sets} WHERE id = ? AND version = ?"
        self.delete = f"DELETE FROM {self.name} WHERE id = ? AND version = ?"
        self.current = f"SELECT 1 FROM {self.name} WHERE id = ? AND version = ?"
        self.get = f"SELECT body FROM {self.name} WHERE id = ?"

    def row(self, document: Document, encoder: msgspec.json.Encoder) -> list[object]:
        return [
            document.version,
            encoder.encode(document),
            *(_column(getattr(document, field)) for field in self.fields),
        ]

    def unique_index(self, columns: str) -> str:
        """The name of the unique index over the columns SQLite names in its error."""
        named = [column.strip().rpartition(".")[2] for column in columns.split(",")]
        for index in self.indexes:
            if index.unique and list(index.fields) == named:
                return index.name
        return "id"


_KINDS = {kind: _Kind(kind) for kind in KINDS}
_BY_TABLE = {kind.name: kind for kind in _KINDS.values()}


def _index_name(index: Index[Any]) -> str:
    return f"{KINDS[index.kind]}__{index.name}"


def _index_sql(index: Index[Document]) -> str:
    columns = ", ".join((*index.fields, "id") if not index.unique else index.fields)
    present = " AND ".join(f"{field} IS NOT NULL" for field in index.fields)
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {_index_name(index)} ON {KINDS[index.kind]} ({columns}) WHERE {present}"


class _Unit:
    """One commit on its way through the writer."""

    __slots__ = ("changes", "future")

    def __init__(self, changes: Changes, future: asyncio.Future[None]) -> None:
        self.changes = changes
        self.future = future


class _Watch:
    def __init__(self, store: SqliteStore, kinds: frozenset[type[Document]]) -> None:
        self._store = store
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
        self._store.unwatch(self)


class SqliteStore:
    """A store in one file. See `inbox.store.base.Store` for what each method promises.

    Args:
        path: the file; made, readable by its owner alone, when missing.
        exclusive: hold the file as its one worker; others may still look and commit (the command line does).
        on_commit: told units in a group and seconds it took, after each group.
    """

    def __init__(
        self, path: Path, *, exclusive: bool = False, on_commit: Callable[[int, float], None] | None = None
    ) -> None:
        self.path = path
        self._exclusive = exclusive
        self._on_commit = on_commit
        self._lock: int | None = None
        self._units: queue.SimpleQueue[_Unit | None] = queue.SimpleQueue()
        self._watches: set[_Watch] = set()
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    # ------------------------------------------------------------ opening and closing

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            self._take_lock()
            self._writer = await asyncio.to_thread(self._open)
        except sqlite3.Error as error:
            self._drop_lock()
            raise StoreUnavailable(f"{self.path}: {error}") from error
        except BaseException:
            self._drop_lock()
            raise
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._thread = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._thread.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._units.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._connections:
            connection.close()
        self._connections.clear()
        self._drop_lock()

    def _take_lock(self) -> None:
        if not self._exclusive:
            return
        try:
            self._lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreUnavailable(f"{self.path} is in use by another worker; stop that one first") from None
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error

    def _drop_lock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _open(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise StoreTooNew(
                    f"{self.path} was written by a newer Permanence (schema {version}, this one knows "
                    f"{SCHEMA_VERSION}); run that version, or restore a backup"
                )
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA cache_size = -16000")
            self._bring_in_line(connection, version)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_in_line(self, connection: sqlite3.Connection, version: int) -> None:
        """Make tables, columns and indexes what the declarations say, and documents what this version reads."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY, data BLOB NOT NULL)")
            for kind in _KINDS.values():
                columns = "".join(f", {field}" for field in kind.fields)
                connection.execute(
                    f"CREATE TABLE IF NOT EXISTS {kind.name} "
                    f"(id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL{columns})"
                )
            if 0 < version < SCHEMA_VERSION:
                self._migrate(connection, version)
            for kind in _KINDS.values():
                self._add_columns(connection, kind)
            wanted = {_index_name(index): _index_sql(index) for index in INDEXES}
            found = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"))
            for name, sql in wanted.items():
                if found.get(name) != sql:
                    connection.execute(f"DROP INDEX IF EXISTS {name}")
                    connection.execute(sql)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    @staticmethod
    def _migrate(connection: sqlite3.Connection, version: int) -> None:
        for migration in sorted(MIGRATIONS, key=lambda m: m.to):
            if migration.to <= version:
                continue
            rows = connection.execute(f"SELECT id, body FROM {migration.kind}").fetchall()
            for document_id, body in rows:
                after = msgspec.json.encode(migration.transform(msgspec.json.decode(body)))
                connection.execute(f"UPDATE {migration.kind} SET body = ? WHERE id = ?", (after, document_id))
            kind = _BY_TABLE.get(migration.kind)
            if kind is not None:
                SqliteStore._fill_columns(connection, kind)

    @staticmethod
    def _add_columns(connection: sqlite3.Connection, kind: _Kind) -> None:
        known = {row[1] for row in connection.execute(f"PRAGMA table_info({kind.name})")}
        missing = [field for field in kind.fields if field not in known]
        for field in missing:
            connection.execute(f"ALTER TABLE {kind.name} ADD COLUMN {field}")
        if missing:
            SqliteStore._fill_columns(connection, kind)

    @staticmethod
    def _fill_columns(connection: sqlite3.Connection, kind: _Kind) -> None:
        if not kind.fields:
            return
        sets = ", ".join(f"{field} = ?" for field in kind.fields)
        for (body,) in connection.execute(f"SELECT body FROM {kind.name}").fetchall():
            document = kind.decoder.decode(body)
            values = [_column(getattr(document, field)) for field in kind.fields]
            connection.execute(f"UPDATE {kind.name} SET {sets} WHERE id = ?", (*values, document.id))

    # ------------------------------------------------------------ reading

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._loop.run_in_executor(self._readers, self._reading, work)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"{self.path}: {error}") from error

    def _reading(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA busy_timeout = 10000")
            # A second connection that checkpoints can corrupt the file before SQLite 3.51.3
            # (sqlite.org/wal.html, "The WAL-reset bug"): only the writer does.
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA query_only = 1")
            self._local.connection = connection
            self._connections.append(connection)
        return work(connection)

    async def get(self, kind: type[D], document_id: str) -> D:
        document = await self.find(kind, document_id)
        if document is None:
            raise NotFound(f"no {KINDS[kind]} {document_id}")
        return document

    async def find(self, kind: type[D], document_id: str) -> D | None:
        return await self._read(partial(_find, _KINDS[kind], document_id))

    async def find_many(self, kind: type[D], ids: Iterable[str]) -> dict[str, D]:
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        return await self._read(partial(_find_many, _KINDS[kind], wanted))

    async def find_by(self, index: Index[D], *equal: Value) -> D | None:
        found = await self.list(index, *equal, limit=1)
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
        where, parameters = _where(index, equal)
        following = index.fields[len(equal)] if len(equal) < len(index.fields) else None
        for value, comparison in ((since, ">="), (until, "<=")):
            if value is not None:
                if following is None:
                    raise ValueError(f"{index} has no field after {len(equal)}")
                where.append(f"{following} {comparison} ?")
                parameters.append(_column(value))
        # In a unique index the fields alone settle the order.
        order = [*index.fields[len(equal) :], *([] if index.unique else ["id"])]
        if after is not None and order:
            sign = "<" if descending else ">"
            where.append(f"({', '.join(order)}) {sign} ({', '.join('?' * len(order))})")
            parameters += [_column(getattr(after, field)) for field in order]
        direction = " DESC" if descending else ""
        ordered = f"ORDER BY {', '.join(f'{field}{direction}' for field in order)} " if order else ""
        sql = (
            f"SELECT body FROM {KINDS[index.kind]} INDEXED BY {_index_name(index)} "
            f"WHERE {' AND '.join(where)} {ordered}LIMIT ?"
        )
        return await self._read(partial(_select, _KINDS[index.kind], sql, [*parameters, limit]))

    async def count(self, index: Index[D], *equal: Value) -> int:
        where, parameters = _where(index, equal)
        sql = f"SELECT count(*) FROM {KINDS[index.kind]} INDEXED BY {_index_name(index)} WHERE {' AND '.join(where)}"
        return await self._read(lambda connection: cast("int", connection.execute(sql, parameters).fetchone()[0]))

    async def read_blob(self, blob_id: BlobId) -> bytes:
        row = await self._read(
            lambda connection: connection.execute("SELECT data FROM blob WHERE id = ?", (blob_id,)).fetchone()
        )
        if row is None:
            raise NotFound(f"no blob {blob_id}")
        return cast("bytes", row[0])

    # ------------------------------------------------------------ writing

    async def commit(self, changes: Changes) -> None:
        for document in changes.inserts.values():
            if document.version != 0:
                raise ValueError(f"{KINDS[type(document)]} {document.id} was stored before: replace it")
        if not changes and not changes.expectations:
            return
        future: asyncio.Future[None] = self._loop.create_future()
        self._units.put(_Unit(changes, future))
        await future

    def _write(self) -> None:
        """Commit what is waiting, in groups, until told to end. Runs in the writer's thread."""
        encoder = msgspec.json.Encoder()
        seen = self._data_version()
        while True:
            try:
                first = self._units.get(timeout=ELSEWHERE)
            except queue.Empty:
                now = self._data_version()
                if now != seen:
                    seen = now
                    self._tell(self._wake_all)
                continue
            group = [first]
            while len(group) < GROUP:
                try:
                    group.append(self._units.get_nowait())
                except queue.Empty:
                    break
            units = [unit for unit in group if unit is not None]
            if units:
                began = time.perf_counter()
                outcome = self._commit_group(units, encoder)
                if self._on_commit is not None:
                    self._on_commit(len(units), time.perf_counter() - began)
                self._tell(partial(self._settle, units, outcome))
            if len(units) < len(group):
                self._writer.close()
                return

    def _data_version(self) -> int:
        try:
            return cast("int", self._writer.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return -1

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            return  # the loop is closed: nobody is left to be told

    def _commit_group(self, units: Sequence[_Unit], encoder: msgspec.json.Encoder) -> Sequence[Exception | None]:
        connection = self._writer
        outcome: deque[Exception | None] = deque()
        try:
            connection.execute("BEGIN IMMEDIATE")
            for unit in units:
                connection.execute("SAVEPOINT unit")
                try:
                    _apply(connection, unit.changes, encoder)
                except (Conflict, ValueError, TypeError) as error:
                    connection.execute("ROLLBACK TO unit")
                    outcome.append(error)
                else:
                    outcome.append(None)
                connection.execute("RELEASE unit")
            connection.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            if connection.in_transaction:
                with suppress(sqlite3.Error):  # a disk that refuses even that: rolled back at the next opening
                    connection.execute("ROLLBACK")
            return [StoreUnavailable(f"{self.path}: {error}")] * len(units)
        return outcome

    def _settle(self, units: Sequence[_Unit], outcome: Sequence[Exception | None]) -> None:
        touched: set[type[Document]] = set()
        for unit, error in zip(units, outcome, strict=True):
            if error is None:
                touched |= unit.changes.kinds()
            if unit.future.done():
                continue  # its caller was cancelled; the commit stands all the same
            if error is None:
                unit.future.set_result(None)
            else:
                unit.future.set_exception(error)
        for watch in self._watches:
            if watch.kinds & touched:
                watch.event.set()

    # ------------------------------------------------------------ watching

    def watch(self, *kinds: type[Document]) -> _Watch:
        """Wake on commits to these kinds; on another process's within a second, whatever it touched."""
        watch = _Watch(self, frozenset(kinds))
        self._watches.add(watch)
        return watch

    def unwatch(self, watch: _Watch) -> None:
        """Forget a watch; `Watch.close` does."""
        self._watches.discard(watch)

    def _wake_all(self) -> None:
        for watch in self._watches:
            watch.event.set()

    # ------------------------------------------------------------ looking after the file

    async def backup(self, target: Path, *, overwrite: bool = False) -> None:
        """Copy the whole store, consistent, while it is in use; the copy is readable by its owner alone.

        Raises:
            FileExistsError: there is something at `target`.
            StoreUnavailable: the copy could not be written.
        """
        flags = os.O_RDWR | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL)
        os.close(os.open(target, flags, 0o600))

        def copy() -> None:
            source = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True)
            try:
                source.execute("PRAGMA wal_autocheckpoint = 0")
                copied = sqlite3.connect(target)
                try:
                    source.backup(copied)
                    copied.execute("PRAGMA journal_mode = DELETE")
                finally:
                    copied.close()
            finally:
                source.close()

        try:
            await asyncio.to_thread(copy)
        except sqlite3.Error as error:
            await asyncio.to_thread(partial(target.unlink, missing_ok=True))
            raise StoreUnavailable(f"{target}: {error}") from error

    async def verify(self) -> Sequence[str]:
        """What SQLite finds wrong with the file; empty when it is whole."""
        rows = await self._read(lambda connection: connection.execute("PRAGMA integrity_check").fetchall())
        return [row[0] for row in rows if row[0] != "ok"]


def _find(kind: _Kind, document_id: str, connection: sqlite3.Connection) -> Any:
    row = connection.execute(kind.get, (document_id,)).fetchone()
    return None if row is None else kind.decoder.decode(row[0])


def _find_many(kind: _Kind, ids: list[str], connection: sqlite3.Connection) -> Any:
    found: dict[str, Document] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        sql = f"SELECT body FROM {kind.name} WHERE id IN ({', '.join('?' * len(some))})"
        for (body,) in connection.execute(sql, some):
            document = kind.decoder.decode(body)
            found[document.id] = document
    return found


def _select(kind: _Kind, sql: str, parameters: list[_Column], connection: sqlite3.Connection) -> Any:
    decode = kind.decoder.decode
    return [decode(row[0]) for row in connection.execute(sql, parameters).fetchall()]


def _where(index: Index[D], equal: tuple[Value, ...]) -> tuple[list[str], list[_Column]]:
    if index not in INDEXES:
        raise ValueError(f"{index} is not declared in inbox.store.documents")
    if len(equal) > len(index.fields) or any(value is None for value in equal):
        raise ValueError(f"{index} holds nothing with these values")
    where = [f"{field} = ?" for field in index.fields[: len(equal)]]
    where += [f"{field} IS NOT NULL" for field in index.fields]
    return where, [_column(value) for value in equal]


def _apply(connection: sqlite3.Connection, changes: Changes, encoder: msgspec.json.Encoder) -> None:
    """Everything one unit changes, inside its savepoint."""
    for kind, document in ((_KINDS[k], d) for (k, _), d in changes.expectations.items()):
        if connection.execute(kind.current, (document.id, document.version)).fetchone() is None:
            raise Conflict(f"{kind.name} {document.id} changed")
    # Deletions and replacements first: they may set a unique key free that an insert takes.
    for kind, document in ((_KINDS[k], d) for (k, _), d in changes.deletions.items()):
        if connection.execute(kind.delete, (document.id, document.version)).rowcount != 1:
            raise Conflict(f"{kind.name} {document.id} changed")
    for kind, document in ((_KINDS[k], d) for (k, _), d in changes.replacements.items()):
        after = msgspec.structs.replace(document, version=document.version + 1)
        parameters = (*kind.row(after, encoder), document.id, document.version)
        if _execute(connection, kind, kind.replace, parameters).rowcount != 1:
            raise Conflict(f"{kind.name} {document.id} changed")
    for kind, document in ((_KINDS[k], d) for (k, _), d in changes.inserts.items()):
        after = msgspec.structs.replace(document, version=1)
        _execute(connection, kind, kind.insert, (document.id, *kind.row(after, encoder)))
    for blob in changes.blobs:
        try:
            connection.execute("INSERT INTO blob (id, data) VALUES (?, ?)", (blob.id, blob.data))
        except sqlite3.IntegrityError:
            raise Duplicate("blob", "id") from None


def _execute(connection: sqlite3.Connection, kind: _Kind, sql: str, parameters: tuple[object, ...]) -> sqlite3.Cursor:
    try:
        return connection.execute(sql, parameters)
    except sqlite3.IntegrityError as error:
        named = _UNIQUE.search(str(error))
        raise Duplicate(kind.name, kind.unique_index(named[1]) if named else "id") from None
