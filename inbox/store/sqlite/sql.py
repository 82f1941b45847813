"""What the declarations of documents mean in SQL: tables, indexes, queries, and the steps of a unit of work.

Pure: nothing here opens a file. Table, column and index names come from the
declarations; every value is a parameter.
"""

# ruff: noqa: S608

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Generic, NamedTuple, cast

import msgspec

from inbox.parts import AccountId, Document
from inbox.store.base import Changes, D, Index
from inbox.store.columns import Column, column
from inbox.store.documents import INDEXES, KINDS
from inbox.words import SEARCHED, Sought, mark, words_of

BLOB_TABLE = "CREATE TABLE IF NOT EXISTS blob (id TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL)"
READ_SMALL_BLOB = "SELECT CASE WHEN length(data) < ? THEN data END FROM blob WHERE id = ?"
FIND_BLOB = "SELECT rowid FROM blob WHERE id = ?"
INSERT_BLOB = "INSERT INTO blob (id, data) VALUES (?, ?)"
INSERT_EMPTY_BLOB = "INSERT INTO blob (id, data) VALUES (?, zeroblob(?))"
LARGE_BLOB = 4 * 2**20
"""Octets from which a blob is written and read in place: as a parameter it would be copied twice, and one copy
kept with the statement until the next; in a row it would be held twice."""
DELETE_BLOB = "DELETE FROM blob WHERE id = ?"
LIST_BLOBS = "SELECT id FROM blob WHERE id > ? ORDER BY id LIMIT ?"

_encode = msgspec.json.Encoder().encode


class Words:
    """How documents of one kind are found by their words: a row each beside theirs, and an FTS5 index over those rows.

    The index keeps no text of its own, and follows its rows by triggers; a
    document's row goes with the document. Rows are numbered as they are
    written; those of documents that were there before, from the newest to the
    oldest, below zero: descending, the newest comes first.
    """

    def __init__(self, name: str) -> None:
        rows, index = f"{name}__words", f"{name}__found"
        forget = f"INSERT INTO {index} ({index}, rowid, words) VALUES ('delete', old.row, old.words);"
        learn = f"INSERT INTO {index} (rowid, words) VALUES (new.row, new.words);"
        self.create = (
            f"CREATE TABLE IF NOT EXISTS {rows} "
            "(row INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, words TEXT NOT NULL)",
            # detail=none: which documents have a word, not where in them. Our words are ASCII letters and digits in
            # lower case, or beyond ASCII, where this tokenizer parts nothing. sqlite.org/fts5.html#the_detail_option
            f"CREATE VIRTUAL TABLE IF NOT EXISTS {index} USING fts5(words, content='{rows}', content_rowid='row', "
            "detail=none, columnsize=0, tokenize=\"ascii tokenchars ':'\", prefix='3 4')",
            f"CREATE TRIGGER IF NOT EXISTS {rows}_added AFTER INSERT ON {rows} BEGIN {learn} END",
            f"CREATE TRIGGER IF NOT EXISTS {rows}_gone AFTER DELETE ON {rows} BEGIN {forget} END",
            f"CREATE TRIGGER IF NOT EXISTS {rows}_changed AFTER UPDATE ON {rows} BEGIN {forget} {learn} END",
            f"CREATE TRIGGER IF NOT EXISTS {name}__gone AFTER DELETE ON {name} "
            f"BEGIN DELETE FROM {rows} WHERE id = old.id; END",
        )
        self.write = (
            f"INSERT INTO {rows} (id, words) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET words = excluded.words WHERE words <> excluded.words"
        )
        self.write_older = (
            f"INSERT INTO {rows} (row, id, words) SELECT min(coalesce((SELECT min(row) FROM {rows}), 0), 0) - 1, id, ? "
            f"FROM {name} WHERE id = ? AND version = ? AND NOT EXISTS (SELECT 1 FROM {rows} WHERE id = ?)"
        )
        self.missing = f"SELECT (SELECT count(*) FROM {name}) > (SELECT count(*) FROM {rows})"
        self.older = f"SELECT body FROM {name} WHERE id < ? ORDER BY id DESC LIMIT ?"
        self.find = (
            f"SELECT body FROM (SELECT rowid AS found FROM {index} WHERE {index} MATCH ? ORDER BY rowid DESC LIMIT ?) "
            f"JOIN {rows} ON row = found JOIN {name} USING (id) ORDER BY found DESC"
        )
        # What is deleted stays in the index's older parts until they are merged: as many pages as are named; with
        # a minus, all parts there are now into one. sqlite.org/fts5.html#the_merge_command
        self.merge = f"INSERT INTO {index} ({index}, rank) VALUES ('merge', ?)"


def matching(asked: Sought, within: Iterable[AccountId] | None, outside: AccountId | None) -> str:
    """The query in FTS5's words; ours hold no quote.

    Raises:
        ValueError: nothing is asked for.
    """
    if not asked:
        raise ValueError("nothing is searched for")
    terms = [f'"{word}"' for word in asked.words] + ([f'"{asked.begun}"*'] if asked.begun else [])
    if within is not None:
        marks = " OR ".join(f'"{mark(account)}"' for account in within)
        terms.append(f"({marks})" if marks else '"in:none"')
    found = " AND ".join(terms)
    return found if outside is None else f'({found}) NOT "{mark(outside)}"'


class Table(Generic[D]):
    """How documents of one kind are stored: a row each, its body as JSON, a column for every indexed field."""

    def __init__(self, kind: type[D], name: str) -> None:
        self.kind = kind
        self.name = name
        self.indexes = tuple(index for index in INDEXES if index.kind is kind)
        self.fields = tuple(dict.fromkeys(field for index in self.indexes for field in index.fields))
        self.decode = msgspec.json.Decoder(kind).decode
        self._keys = tuple({field for index in self.indexes if index.unique for field in index.fields})
        columns = ("version", "body", *self.fields)
        sets = ", ".join(f"{name} = ?" for name in columns)
        # Columns of indexed fields have no type, hence no affinity: values compare as they were given.
        declared = "".join(f", {field}" for field in self.fields)
        self.create = (
            f"CREATE TABLE IF NOT EXISTS {name} "
            f"(id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL{declared})"
        )
        self.insert = f"INSERT INTO {name} ({', '.join(columns)}, id) VALUES ({'?, ' * len(columns)}?)"
        self.replace = f"UPDATE {name} SET {sets} WHERE id = ? AND version = ?"
        self.refill = f"UPDATE {name} SET {sets} WHERE id = ?"
        self.delete = f"DELETE FROM {name} WHERE id = ? AND version = ?"
        self.expect = f"SELECT 1 FROM {name} WHERE id = ? AND version = ?"
        self.get = f"SELECT body FROM {name} WHERE id = ?"
        # One statement however many ids there are, so that its plan is made once.
        self.get_many = f"SELECT body FROM {name} WHERE id IN (SELECT value FROM json_each(?))"
        self.scan = f"SELECT body FROM {name} WHERE id > ? ORDER BY id LIMIT ?"
        self.page = f"SELECT id, body FROM {name} WHERE id > ? ORDER BY id LIMIT 500"
        self.words = Words(name) if kind in SEARCHED else None
        self.rows = f"SELECT {', '.join(('body', 'id', 'version', *self.fields))} FROM {name}"

    def columns(self, document: D) -> tuple[Column, ...]:
        """The document's indexed fields, in the order of `fields`."""
        return tuple([column(getattr(document, field)) for field in self.fields])

    def row(self, document: D) -> tuple[object, ...]:
        """Version, body and indexed fields, as `insert` and `replace` begin."""
        return (document.version, _encode(document), *self.columns(document))

    def gives_up_a_key(self, document: D) -> bool:
        """Whether the document is outside one of its kind's unique indexes."""
        return any(getattr(document, field) is None for field in self._keys)

    def unique_index(self, message: str) -> str:
        """The name of the unique index SQLite's error names by its columns: `UNIQUE constraint failed: t.a, t.b`."""
        named = tuple(part.strip().rpartition(".")[2] for part in message.rpartition(": ")[2].split(","))
        return next((index.name for index in self.indexes if index.unique and index.fields == named), "id")


TABLES: dict[type[Document], Table[Any]] = {kind: Table(kind, name) for kind, name in KINDS.items()}


def table(kind: type[D]) -> Table[D]:
    """Where documents of the kind are stored."""
    return TABLES[kind]


# ---------------------------------------------------------------- indexes and queries


def index_name(index: Index[Any]) -> str:
    """Two underscores: no kind's name has them, so our indexes are told from others."""
    return f"{KINDS[index.kind]}__{index.name}"


def create_index(index: Index[Any]) -> str:
    """The index as SQLite keeps its text: whether it is as declared can be seen by comparing."""
    columns = index.fields if index.unique else (*index.fields, "id")
    present = " AND ".join(f"{field} IS NOT NULL" for field in index.fields)
    unique = "UNIQUE " if index.unique else ""
    return f"CREATE {unique}INDEX {index_name(index)} ON {KINDS[index.kind]} ({', '.join(columns)}) WHERE {present}"


def _where(index: Index[Any], equal: int) -> list[str]:
    if index not in INDEXES:
        raise ValueError(f"{index} is not declared in inbox.store.documents")
    if equal > len(index.fields):
        raise ValueError(f"{index} has {len(index.fields)} fields, not {equal}")
    # The second half is the condition of the partial index: without it SQLite may not use it.
    return [*(f"{f} = ?" for f in index.fields[:equal]), *(f"{f} IS NOT NULL" for f in index.fields)]


def _bounds(index: Index[Any], equal: int, *, since: bool, until: bool) -> list[str]:
    if not since and not until:
        return []
    if equal == len(index.fields):
        raise ValueError(f"{index} has no field after {equal}")
    following = index.fields[equal]
    return [f"{following} >= ?"] * since + [f"{following} <= ?"] * until


class Selection(NamedTuple):
    """A query of one shape; its parameters are the equal values, since, until, the `order` fields of after, limit."""

    sql: str
    order: tuple[str, ...]


@lru_cache(maxsize=1024)
def selection(index: Index[Any], equal: int, *, since: bool, until: bool, after: bool, descending: bool) -> Selection:
    """The bodies of documents in index order. `INDEXED BY`: SQLite uses that index, or refuses the query."""
    where = [*_where(index, equal), *_bounds(index, equal, since=since, until=until)]
    # In a unique index the fields alone settle the order.
    order = (*index.fields[equal:], *(() if index.unique else ("id",)))
    if after and order:
        where.append(f"({', '.join(order)}) {'<' if descending else '>'} ({', '.join('?' * len(order))})")
    direction = " DESC" if descending else ""
    ordered = f" ORDER BY {', '.join(field + direction for field in order)}" if order else ""
    source = f"{KINDS[index.kind]} INDEXED BY {index_name(index)}"
    return Selection(f"SELECT body FROM {source} WHERE {' AND '.join(where)}{ordered} LIMIT ?", order)


@lru_cache(maxsize=256)
def counting(index: Index[Any], equal: int, *, since: bool, until: bool) -> str:
    """How many documents there are, from the index alone; its parameters are the equal values, since, until."""
    where = [*_where(index, equal), *_bounds(index, equal, since=since, until=until)]
    return f"SELECT count(*) FROM {KINDS[index.kind]} INDEXED BY {index_name(index)} WHERE {' AND '.join(where)}"


# ---------------------------------------------------------------- units of work


class Step(NamedTuple):
    """One statement of a unit of work. It must find its row (`checks`) or change one; else the unit conflicts."""

    sql: str
    parameters: tuple[object, ...]
    table: Table[Any] | None
    """None for blobs."""
    id: str
    checks: bool = False
    """It reads only."""
    tolerant: bool = False
    """It may find nothing to do."""
    octets: bytes | None = None
    """What to write into the blob it made room for."""


def steps(changes: Changes) -> Iterator[Step]:
    """What a unit does, in the order that lets it hand a unique key from one document to another.

    Deletions come first, then replacements, those without a key before those
    with one, then inserts.
    """
    for document in changes.expectations.values():
        kept = table(type(document))
        yield Step(kept.expect, (document.id, document.version), kept, document.id, checks=True)
    for blob_id in changes.blob_deletions:
        yield Step(DELETE_BLOB, (blob_id,), None, blob_id, tolerant=True)
    for document in changes.deletions.values():
        kept = table(type(document))
        yield Step(kept.delete, (document.id, document.version), kept, document.id)
    replacements = list(changes.replacements.values())
    if len(replacements) > 1:
        replacements.sort(key=lambda document: not table(type(document)).gives_up_a_key(document))
    for document in replacements:
        kept = table(type(document))
        after = msgspec.structs.replace(document, version=document.version + 1)
        yield Step(kept.replace, (*kept.row(after), document.id, document.version), kept, document.id)
        if kept.words is not None:
            yield Step(kept.words.write, (document.id, words_of(after)), kept, document.id, tolerant=True)
    for document in changes.inserts.values():
        if document.version != 0:
            raise ValueError(f"{KINDS[type(document)]} {document.id} was stored before: replace it")
        kept = table(type(document))
        after = msgspec.structs.replace(document, version=1)
        yield Step(kept.insert, (*kept.row(after), document.id), kept, document.id)
        if kept.words is not None:
            yield Step(kept.words.write, (document.id, words_of(after)), kept, document.id, tolerant=True)
    for blob in changes.blobs:
        if len(blob.data) >= LARGE_BLOB:
            yield Step(INSERT_EMPTY_BLOB, (blob.id, len(blob.data)), None, blob.id, octets=blob.data)
        else:
            yield Step(INSERT_BLOB, cast("tuple[object, ...]", (blob.id, blob.data)), None, blob.id)


def learning(documents: Iterable[Document]) -> Iterator[Step]:
    """Make older documents findable that are not yet, and have not changed since they were read."""
    for document in documents:
        kept = table(type(document))
        if kept.words is not None:
            found = (words_of(document), document.id, document.version, document.id)
            yield Step(kept.words.write_older, found, kept, document.id, tolerant=True)
