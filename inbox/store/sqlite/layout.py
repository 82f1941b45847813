"""The file brought in line with the declarations: tables, columns, indexes, and documents of older versions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from inbox.errors import StoreUnavailable
from inbox.store import migrations
from inbox.store.documents import INDEXES
from inbox.store.sqlite.file import lock, refuse_strangers
from inbox.store.sqlite.sql import BLOB_TABLE, TABLES, Table, create_index, index_name
from inbox.words import words_of

_OUR_INDEXES = (
    r"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND name LIKE '%\_\_%' ESCAPE '\' AND sql NOTNULL"
)


def bring_in_line(path: Path, connection: sqlite3.Connection, *, alone: bool) -> None:
    """Make tables and indexes what is declared, and documents what this version reads: all of it, or nothing.

    Args:
        alone: this process holds the file's lock already.
    """
    held: int | None = None
    connection.execute("BEGIN IMMEDIATE")  # refused at once where nothing can be written
    try:
        if _in_line(connection):
            return
        version = refuse_strangers(path, connection)  # another process may have been here since
        if version and not alone:
            # A worker that runs on would write documents as it knows them into tables it does not.
            held = lock(path, f"{path} must be upgraded, but a worker of another version has it; stop that one first")
        _align(path, connection, version)
        connection.execute(f"PRAGMA user_version = {migrations.SCHEMA_VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if held is not None:
            os.close(held)


def _in_line(connection: sqlite3.Connection) -> bool:
    [version] = connection.execute("PRAGMA user_version").fetchone()
    if version != migrations.SCHEMA_VERSION or _indexes(connection) != _declared():
        return False
    if not all(set(table.fields) <= _columns(connection, table) for table in TABLES.values()):
        return False
    [triggers] = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone()
    return bool(triggers >= sum(4 for table in TABLES.values() if table.words is not None))


def _declared() -> dict[str, str]:
    return {index_name(index): create_index(index) for index in INDEXES}


def _indexes(connection: sqlite3.Connection) -> dict[str, str]:
    """Those of ours the file has; the rest are SQLite's own, or someone's who looked closer."""
    return dict(connection.execute(_OUR_INDEXES))


def _columns(connection: sqlite3.Connection, table: Table[Any]) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({table.name})")}


def _align(path: Path, connection: sqlite3.Connection, version: int) -> None:
    connection.execute(BLOB_TABLE)
    declared, found = _declared(), _indexes(connection)
    for name in found:
        if found[name] != declared.get(name):
            connection.execute(f"DROP INDEX {name}")
    for table in TABLES.values():
        connection.execute(table.create)
        for statement in table.words.create if table.words is not None else ():
            connection.execute(statement)
        missing = set(table.fields) - _columns(connection, table)
        for field in table.fields:
            if field in missing:
                connection.execute(f"ALTER TABLE {table.name} ADD COLUMN {field}")
        transforms = migrations.pending(table.name, version) if version else ()
        ours = [index_name(index) for index in table.indexes]
        # A missing index may mean that a version without it wrote here: its columns are not to be trusted.
        if transforms or missing or any(found.get(name) != declared[name] for name in ours):
            for name in ours:  # keys may collide while documents change one by one
                connection.execute(f"DROP INDEX IF EXISTS {name}")
            _rewrite(path, connection, table, transforms)
            for name in ours:
                connection.execute(declared[name])


def _rewrite(
    path: Path, connection: sqlite3.Connection, table: Table[Any], transforms: Sequence[migrations.Transform]
) -> None:
    behind = ""
    while page := connection.execute(table.page, (behind,)).fetchall():
        for document_id, body in page:
            try:
                if transforms:
                    plain = msgspec.json.decode(body)
                    for transform in transforms:
                        plain = transform(plain)
                    body = msgspec.json.encode(plain)
                document = table.decode(body)
            except msgspec.MsgspecError as error:
                raise StoreUnavailable(f"{path}: {table.name} {document_id} cannot be read: {error}") from error
            values = (document.version, body, *table.columns(document))
            connection.execute(table.refill, (*values, document_id))
            if transforms and table.words is not None:
                connection.execute(table.words.write, (document_id, words_of(document)))
        behind = page[-1][0]
