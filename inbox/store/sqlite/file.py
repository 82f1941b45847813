"""The file itself: made, locked, connected to, verified, copied."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import cast

import msgspec

from inbox.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from inbox.parts import Document
from inbox.store import migrations
from inbox.store.sqlite.sql import TABLES

BUSY = 10.0
"""Seconds to wait for another process that is writing."""
WAL_PAGES = 1000
"""The worker copies the log into the file whenever it is longer than this, of 4 KiB each."""
WAL_KEPT = 64 * 2**20
"""Octets the log's file may keep once it is empty again; it grows beyond what it needs during a backup."""
PROBLEMS = 100
"""As many as `verify` lists; SQLite's integrity_check stops at that number too."""
NO_ROOM = 2**20
"""With less than this free, a file that cannot be written is told to have no room: SQLite says "disk I/O error"."""
_WRITING = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
LOOKED_THROUGH = 256 * 2**20
"""A file up to so many octets is looked through before a worker works on it: a second for the largest."""


@contextmanager
def unavailable(path: Path) -> Iterator[None]:
    """Let no exception of sqlite3, msgspec or the file system leave."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"{path}: {error.strerror}") from error
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise failure(path, error) from error


def failure(path: Path, error: Exception) -> StoreUnavailable:
    """What an exception of the file, or of what is in it, means to the desk."""
    if isinstance(error, sqlite3.Error) and _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreDamaged(f"{path} is damaged: {error}")
    if isinstance(error, sqlite3.Error) and _code(error) in _WRITING and _free(path) < NO_ROOM:
        return StoreUnavailable(f"{path}: {error}: no room is left on its disk")
    return StoreUnavailable(f"{path}: {error}")


def _free(path: Path) -> int:
    try:
        return shutil.disk_usage(path.absolute().parent).free
    except OSError:
        return NO_ROOM


def _code(error: sqlite3.Error) -> int:
    # Those that sqlite3 itself raises have none; the lower octet is the primary code. sqlite.org/rescode.html
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def create(path: Path) -> None:
    """Make the file, empty, for its owner alone, unless it is there."""
    # Never opened where it exists: closing a descriptor drops every lock this process
    # has on the file, SQLite's too. sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def lock(path: Path, refusal: str) -> int:
    """The right to be the file's one worker, until the descriptor is closed or the process ends."""
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise StoreUnavailable(refusal) from None
        raise
    return descriptor


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write; used in the thread that makes it."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None)
    # Two connections that checkpoint can corrupt the file before SQLite 3.51.3
    # (sqlite.org/wal.html#the_wal_reset_bug): only the worker's writer does.
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def connect_to_write(path: Path, *, checkpoints: bool) -> sqlite3.Connection:
    """A connection whose commits are durable when they return, in whatever thread it is used."""
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES if checkpoints else 0}")
        connection.execute(f"PRAGMA journal_size_limit = {WAL_KEPT}")
        connection.execute("PRAGMA synchronous = FULL")
        # What is deleted is overwritten: somebody who is forgotten must not be found in the file's free pages.
        connection.execute("PRAGMA secure_delete = ON")
        # macOS: fsync() leaves the data in the drive's cache. sqlite.org/pragma.html#pragma_fullfsync
        connection.execute("PRAGMA fullfsync = 1")
        connection.execute("PRAGMA cache_size = -16000")
    except BaseException:
        connection.close()
        raise
    return connection


def refuse_strangers(path: Path, connection: sqlite3.Connection) -> int:
    """The version of the schema, 0 for an empty file."""
    # One statement is one moment: between two, another process may make the store.
    row = connection.execute(
        "SELECT user_version, EXISTS (SELECT 1 FROM sqlite_master) FROM pragma_user_version"
    ).fetchone()
    version, has_tables = cast("tuple[int, int]", row)
    if version > migrations.SCHEMA_VERSION:
        raise StoreTooNew(
            f"{path} was written by a newer Permanence (schema {version}, this one knows "
            f"{migrations.SCHEMA_VERSION}); run that version, or restore a backup"
        )
    if version == 0 and has_tables:
        raise StoreUnavailable(f"{path} is a database, but not a store of Permanence")
    return version


def refuse_damaged(path: Path, connection: sqlite3.Connection) -> None:
    """Look through the structure of a file that is not large: what a failing disk left is not worked on.

    It compares no index with its documents; `verify` does.
    """
    if path.stat().st_size > LOOKED_THROUGH:
        return
    [problem] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if problem != "ok":
        raise StoreDamaged(f"{path} is damaged: {problem}")


def verify(connection: sqlite3.Connection) -> list[str]:
    """What is wrong with the file's structure, or with a document, or with where a document is found."""
    try:
        problems = [row[0] for row in connection.execute("PRAGMA integrity_check").fetchall() if row[0] != "ok"]
    except sqlite3.DatabaseError as error:
        if _code(error) != sqlite3.SQLITE_CORRUPT:
            raise
        return [str(error)]  # so damaged that the check itself stumbles
    if problems:
        return problems
    for table in TABLES.values():
        for body, *stored in connection.execute(table.rows):
            name = f"{table.name} {stored[0]}"
            try:
                document = table.decode(body)
            except msgspec.MsgspecError as error:
                problems.append(f"{name} cannot be read: {error}")
            else:
                if [document.id, document.version, *table.columns(document)] != stored:
                    problems.append(f"{name} is not found as it should be: its index differs from it")
            if len(problems) == PROBLEMS:
                return problems
    return problems


def backup(path: Path, target: Path, *, overwrite: bool, mark: Document | None) -> None:
    """See `SqliteStore.backup`."""
    beside = [Path(f"{target}{suffix}") for suffix in ("-wal", "-shm", "-journal")]
    taken = next((file for file in (target, *beside) if file.exists()), None)
    if taken is not None and (not overwrite or (target.exists() and target.samefile(path))):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(taken))
    descriptor, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.absolute().parent)
    os.close(descriptor)
    part = Path(name)
    try:
        with unavailable(target), closing(connect_to_read(path)) as source, closing(sqlite3.connect(part)) as copy:
            # In one step: one moment of the store, which other processes' commits cannot make it start again.
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")
            if mark is not None:
                _stamp(copy, mark)
        _sync(part)
        if overwrite:
            for file in beside:  # the log of what was there before would be read into the copy
                file.unlink(missing_ok=True)
        else:
            os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        part.replace(target)
        _sync(target.absolute().parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _stamp(copy: sqlite3.Connection, mark: Document) -> None:
    kept = TABLES[type(mark)]
    first = msgspec.structs.replace(mark, version=1)
    with copy:
        copy.execute(f"DELETE FROM {kept.name}")  # noqa: S608 - a name of our own
        copy.execute(kept.insert, (*kept.row(first), first.id))


def put_in_place(part: Path, path: Path, aside: Path) -> None:
    """Let a finished file take the store's place; what was there is found aside, with its log where it has one.

    Killed anywhere in it, there is a store in that place: the old one or the new one.
    """
    if Path(f"{part}-wal").exists():
        raise OSError(errno.EBUSY, f"{part} is still open")
    if path.exists():
        os.link(path, aside)
        for suffix in ("-wal", "-shm"):  # only a file that could not be opened has them: nobody can start on it
            if Path(f"{path}{suffix}").exists():
                Path(f"{path}{suffix}").replace(f"{aside}{suffix}")
    part.replace(path)
    _sync(path.absolute().parent)


def remove(path: Path) -> None:
    """Leave nothing of a file that was on its way, if it is still there."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
