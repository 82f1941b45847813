"""The threads beside the loop: readers, and the one writer that commits in groups."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from inbox.errors import Conflict, Duplicate, StoreUnavailable
from inbox.store.base import Changes
from inbox.store.sqlite.file import connect_to_read, failure, unavailable
from inbox.store.sqlite.sql import Step

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

GROUP = 64
"""Units committed with one sync, at most."""
READERS = 4
PIECE = 2**20
"""Octets of a large blob written at once."""
ELSEWHERE = 1.0
"""Seconds between looks for other processes' commits while nothing is written: SQLite cannot push across processes."""

SAID_AGAIN = 60.0
"""Seconds until the log repeats that the store fails, and why."""

_log = logging.getLogger(__name__)


def settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    """Tell whoever waits, in the loop's thread."""
    if future.done():
        return  # its caller was cancelled; a commit stands all the same
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _tell(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *args: object) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
        loop.call_soon_threadsafe(what, *args)


class _Ailment:
    """Says in the log why the store fails its callers, once a minute while it does, and when it is over.

    Each caller tries again and knows no more than that it must.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = ""
        self._said_at = 0.0

    def note(self, error: StoreUnavailable) -> None:
        now = time.monotonic()
        if str(error) != self._said or now - self._said_at >= SAID_AGAIN:
            self._said, self._said_at = str(error), now
            _log.error("%s: %s", self._what, error)

    def note_over(self) -> None:
        if self._said:
            self._said = ""
            _log.warning("%s: no longer", self._what)


class Readers:
    """A few threads, each with a connection of its own that cannot write."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._path = path
        self._loop = loop
        self._ailment = _Ailment("the store cannot be read")
        self._asked: queue.SimpleQueue[tuple[Work[Any], asyncio.Future[Any]] | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name="store-reader", daemon=True) for _ in range(READERS)]
        for thread in self._threads:
            thread.start()

    def ask(self, work: Work[T]) -> asyncio.Future[T]:
        """What the work returns, or StoreUnavailable."""
        # Half the hop of run_in_executor, which makes a second future and a lock for each call.
        future: asyncio.Future[T] = self._loop.create_future()
        self._asked.put((work, future))
        return future

    def close(self) -> None:
        """Answer what was asked before, then close."""
        for _ in self._threads:
            self._asked.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection: sqlite3.Connection | None = None
        while (asked := self._asked.get()) is not None:
            work, future = asked
            if future.cancelled():
                continue
            result: object = None
            failed: Exception | None = None
            try:
                with unavailable(self._path):
                    if connection is None:
                        connection = connect_to_read(self._path)
                    result = work(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is its caller's, and the thread goes on
                failed = error
                if isinstance(error, StoreUnavailable):
                    self._ailment.note(error)
            _tell(self._loop, settle, future, result, failed)
            del work, future, asked, result, failed  # nothing read is kept alive while this thread waits
        if connection is not None:
            connection.close()


class Unit:
    """One commit on its way through the writer."""

    __slots__ = ("changes", "future", "merged", "merges", "scrubs", "steps")

    def __init__(
        self,
        steps: tuple[Step, ...],
        changes: Changes,
        future: asyncio.Future[None],
        *,
        scrubs: bool = False,
        merges: tuple[str, int] | None = None,
    ) -> None:
        self.steps = steps
        self.changes = changes
        self.future = future
        self.scrubs = scrubs
        """Once it stands, the log is emptied into the file."""
        self.merges = merges
        """The words of an index to merge, and how many pages."""
        self.merged = False
        """Whether some were: then there may be more."""


class Writer:
    """The one connection that writes, in a thread of its own."""

    def __init__(
        self,
        path: Path,
        connection: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        settled: Callable[[Sequence[Unit], Sequence[Exception | None]], None],
        changed_elsewhere: Callable[[], None],
        on_commit: Callable[[int, float], None] | None,
    ) -> None:
        self._path = path
        self._connection = connection
        self._loop = loop
        self._settled = settled
        self._changed_elsewhere = changed_elsewhere
        self._on_commit = on_commit
        self._ailment = _Ailment("nothing can be written to the store")
        self._units: queue.SimpleQueue[Unit | None] = queue.SimpleQueue()
        # Read before anybody reads documents: no later commit of another process goes unnoticed.
        self._seen = self._data_version()
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def commit(self, unit: Unit) -> asyncio.Future[None]:
        """Done once the unit is durable."""
        self._units.put(unit)
        return unit.future

    def close(self) -> None:
        """Commit what was handed over before, then close."""
        self._units.put(None)
        self._thread.join()

    def _run(self) -> None:
        last = False
        while not last:
            units, last = self._waiting()
            if units:
                began = time.perf_counter()
                outcomes = self._commit(units)
                self._note(outcomes)
                if any(unit.scrubs or unit.merges for unit in units):
                    outcomes = [self._scrub(unit, outcome) for unit, outcome in zip(units, outcomes, strict=True)]
                _tell(self._loop, self._settled, units, outcomes)
                self._report(len(units), time.perf_counter() - began)
                del units, outcomes
            version = self._data_version()
            if version != self._seen:
                self._seen = version
                _tell(self._loop, self._changed_elsewhere)
        self._connection.close()

    def _waiting(self) -> tuple[list[Unit], bool]:
        """The next group, in the order it came, and whether it is the last."""
        units: list[Unit] = []
        try:
            unit = self._units.get(timeout=ELSEWHERE)
            while unit is not None:
                units.append(unit)
                if len(units) == GROUP:
                    return units, False
                unit = self._units.get_nowait()
        except queue.Empty:
            return units, False
        return units, True

    def _data_version(self) -> int:
        """Changes when another connection committed, not by our own. sqlite.org/pragma.html#pragma_data_version."""
        try:
            return cast("int", self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error:
            return -1

    def _note(self, outcomes: Sequence[Exception | None]) -> None:
        failed = next((outcome for outcome in outcomes if isinstance(outcome, StoreUnavailable)), None)
        if failed is not None:
            self._ailment.note(failed)
        else:
            self._ailment.note_over()

    def _report(self, units: int, seconds: float) -> None:
        if self._on_commit is None:
            return
        try:
            self._on_commit(units, seconds)
        except Exception:  # noqa: BLE001 - its failure must not end the writer
            _log.exception("what watches commits failed")

    def _commit(self, units: Sequence[Unit]) -> Sequence[Exception | None]:
        """Commit a group with one sync: what became of each unit, known only once that is durable."""
        connection = self._connection
        try:
            if connection.in_transaction:
                connection.execute("ROLLBACK")  # the last group's failed
            connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(unit) for unit in units]
            connection.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was committed, and the writer goes on
            with suppress(sqlite3.Error):  # SQLite may have done so itself
                connection.execute("ROLLBACK")
            return [self._failure(error) for _ in units]
        return outcomes

    def _scrub(self, unit: Unit, outcome: Exception | None) -> Exception | None:
        """Merge some of an index, or empty the log into the file: then nobody may be reading it, a backup neither."""
        try:
            if unit.merges is not None:
                before = self._connection.total_changes
                self._connection.execute(unit.merges[0], unit.merges[1:])
                # One change is the command itself. sqlite.org/fts5.html#the_merge_command
                unit.merged = self._connection.total_changes - before > 1
            if unit.scrubs:
                [busy] = {row[0] for row in self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()}
                if busy:
                    return StoreUnavailable(f"{self._path} is being read")
        except sqlite3.Error as error:
            return self._failure(error)
        return outcome

    def _apply(self, unit: Unit) -> Exception | None:
        """Do all of a unit, or nothing and say why; raise only when that cannot be kept."""
        connection = self._connection
        connection.execute("SAVEPOINT unit")
        failed: Exception | None = None
        try:
            for step in unit.steps:
                self._step(step)
        except sqlite3.Error as error:
            if not connection.in_transaction:
                raise  # a full disk, an I/O error: SQLite rolled the whole group back. sqlite.org/lang_transaction.html
            failed = self._failure(error)
        except Exception as error:  # noqa: BLE001 - Conflict, or a value SQLite cannot hold: its caller's alone
            failed = error
        if failed is not None:
            connection.execute("ROLLBACK TO unit")
        connection.execute("RELEASE unit")
        return failed

    def _step(self, step: Step) -> None:
        try:
            cursor = self._connection.execute(step.sql, step.parameters)
        except sqlite3.IntegrityError as error:
            kind, index = (
                ("blob", "id") if step.table is None else (step.table.name, step.table.unique_index(str(error)))
            )
            raise Duplicate(kind, index) from None
        missing = cursor.fetchone() is None if step.checks else cursor.rowcount != 1
        if missing and not step.tolerant:
            raise Conflict(f"{step.table.name if step.table else 'blob'} {step.id} changed")
        if step.octets is not None:
            self._fill(cast("int", cursor.lastrowid), memoryview(step.octets))

    def _fill(self, row: int, octets: memoryview) -> None:
        """Write a blob where room was made for it."""
        with self._connection.blobopen("blob", "data", row) as blob:
            for start in range(0, len(octets), PIECE):
                blob.write(octets[start : start + PIECE])

    def _failure(self, error: Exception) -> StoreUnavailable:
        failed = failure(self._path, error)
        failed.__cause__ = error
        return failed
