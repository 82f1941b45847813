"""What the declarations of documents mean in MongoDB: collections, indexes, queries, and what a unit of work writes.

Pure: nothing here speaks to a server. A document's body is its JSON, so that
it comes back to the microsecond and whatever its text holds; beside it stand
the indexed fields, those that are None left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from types import NoneType
from typing import Any, Final, Generic, NamedTuple, get_args

import msgspec
from bson import Int64, ObjectId
from pymongo import ASCENDING, DESCENDING, DeleteOne, IndexModel, ReplaceOne, UpdateOne

from inbox.errors import StoreTooNew
from inbox.parts import AccountId, BlobId, Document
from inbox.store import migrations
from inbox.store.base import Blob, Changes, D, Index
from inbox.store.columns import Column, column
from inbox.store.documents import INDEXES, KINDS
from inbox.words import SEARCHED, Sought, mark, words_of

Stored = dict[str, Any]
"""A document as MongoDB holds it."""

MOST = 16 * 2**20 - 2**16
"""Octets of a body: a BSON document has 16 MiB (mongodb.com/docs/manual/reference/limits), its columns are small."""

LEAST_NUMBER = Int64(-(2**63))
LEAST_TEXT = ""

READ: Final = {"body": 1, "schema": 1}
"""What is read of a document."""

_encode = msgspec.json.Encoder().encode


class Collection(Generic[D]):
    """How documents of one kind are stored."""

    def __init__(self, kind: type[D], name: str) -> None:
        self.kind = kind
        self.name = name
        self.indexes = tuple(index for index in INDEXES if index.kind is kind)
        self.fields = tuple(dict.fromkeys(field for index in self.indexes for field in index.fields))
        self.is_searched = kind in SEARCHED
        self._decode = msgspec.json.Decoder(kind).decode
        self._keys = tuple({field for index in self.indexes if index.unique for field in index.fields})

    def columns(self, document: D) -> dict[str, Column]:
        """The indexed fields that are not None."""
        values = ((field, column(getattr(document, field))) for field in self.fields)
        return {field: value for field, value in values if value is not None}

    def found_by(self, document: D) -> dict[str, list[str]]:
        """The words the document is found by, where its kind is searched."""
        return {"words": words_of(document).split(" ")} if self.is_searched else {}

    def stored(self, document: D, mark: ObjectId) -> Stored:
        """The document as it is written.

        Args:
            mark: the unit's that writes it, by which a commit in doubt is known again.
        """
        body = _encode(document)
        if len(body) > MOST:
            # Not StoreUnavailable: no retry would help.
            raise ValueError(f"{self.name} {document.id} is too large for MongoDB: {len(body)} octets")
        return {
            "_id": document.id,
            "version": document.version,
            "schema": migrations.SCHEMA_VERSION,
            "unit": mark,
            "body": body,
            **self.columns(document),
            **self.found_by(document),
        }

    def read(self, stored: Stored) -> D:
        """The document, brought to this version's form where an older one wrote it."""
        schema = stored["schema"]
        body = stored["body"]
        if schema != migrations.SCHEMA_VERSION:
            if schema > migrations.SCHEMA_VERSION:
                raise StoreTooNew(f"{self.name} {stored['_id']} was written by a newer Permanence (schema {schema})")
            body = migrated(self.name, schema, body)
        return self._decode(body)

    def gives_up_a_key(self, document: D) -> bool:
        """Whether the document is outside one of its kind's unique indexes."""
        return any(getattr(document, field) is None for field in self._keys)

    def unique_index(self, fields: tuple[str, ...]) -> str:
        """The name of the unique index over these fields."""
        return next((index.name for index in self.indexes if index.unique and index.fields == fields), "id")


def migrated(kind: str, schema: int, body: bytes) -> bytes:
    """A body as this version writes it."""
    plain = msgspec.json.decode(body)
    for transform in migrations.pending(kind, schema):
        plain = transform(plain)
    return _encode(plain)


COLLECTIONS: dict[type[Document], Collection[Any]] = {kind: Collection(kind, name) for kind, name in KINDS.items()}


def collection(kind: type[D]) -> Collection[D]:
    """Where documents of the kind are stored."""
    return COLLECTIONS[kind]


# ---------------------------------------------------------------- indexes and queries


def index_name(index: Index[Any]) -> str:
    """Two underscores: no kind's name has them, so our indexes are told from others."""
    return f"{KINDS[index.kind]}__{index.name}"


def declared(index: Index[Any]) -> IndexModel:
    """The index: what has a None in it is absent, what has equal fields follows by id."""
    keys = index.fields if index.unique else (*index.fields, "_id")
    return IndexModel(
        [(key, ASCENDING) for key in keys],
        name=index_name(index),
        unique=index.unique,
        partialFilterExpression=_present(index.kind, index.fields),
    )


def declared_words(name: str) -> dict[str, IndexModel]:
    """The index over a kind's words: an entry each, the newest document of a word first when it is read backwards."""
    return {f"{name}__words": IndexModel([("words", ASCENDING), ("_id", ASCENDING)], name=f"{name}__words")}


def matching(asked: Sought, within: Iterable[AccountId] | None, outside: AccountId | None) -> dict[str, Any]:
    """The documents that have all the words.

    Raises:
        ValueError: nothing is asked for.
    """
    if not asked:
        raise ValueError("nothing is searched for")
    conditions: list[dict[str, Any]] = [{"words": word} for word in asked.words]
    if asked.begun is not None:
        # Of letters and digits alone: nothing in it to escape. Anchored, it is a range of the index.
        conditions.append({"words": {"$regex": f"^{asked.begun}"}})
    if within is not None:
        conditions.append({"words": {"$in": [mark(account) for account in within]}})
    if outside is not None:
        conditions.append({"words": {"$ne": mark(outside)}})
    return {"$and": conditions}


def _present(kind: type[Document], fields: tuple[str, ...]) -> dict[str, Any]:
    # "At least the least" and not $exists: the index alone answers it, without the documents.
    return {field: {"$gte": _least(kind, field)} for field in fields}


@lru_cache(maxsize=256)
def _least(kind: type[Document], field: str) -> str | Int64:
    """What no value of the field is less than: text or number, for MongoDB compares within a type only."""
    [annotation] = [f.type for f in msgspec.structs.fields(kind) if f.name == field]
    bare = {getattr(t, "__supertype__", t) for t in get_args(annotation) or (annotation,)} - {NoneType}
    return LEAST_TEXT if all(issubclass(t, str) for t in bare) else LEAST_NUMBER


class Selection(NamedTuple):
    """A query: its conditions hold in the index that answers it, which `hint` names."""

    where: dict[str, Any]
    sort: list[tuple[str, int]]
    hint: str


def selection(
    index: Index[D],
    equal: tuple[Column, ...],
    *,
    since: Column = None,
    until: Column = None,
    after: D | None = None,
    descending: bool = False,
) -> Selection:
    """Documents in index order; every condition is on the index's own fields.

    Raises:
        ValueError: the index does not hold or does not answer what is asked.
    """
    where = _between(index, equal, since, until)
    # In a unique index the fields alone settle the order.
    order = (*index.fields[len(equal) :], *(() if index.unique else ("_id",)))
    if after is not None and order:
        _begin_behind(index, where, order, after, descending=descending)
    direction = DESCENDING if descending else ASCENDING
    return Selection(where, [(field, direction) for field in order], index_name(index))


def _equal(index: Index[Any], equal: tuple[Column, ...]) -> dict[str, Any]:
    if index not in INDEXES:
        raise ValueError(f"{index} is not declared in inbox.store.documents")
    if len(equal) > len(index.fields):
        raise ValueError(f"{index} has {len(index.fields)} fields, not {len(equal)}")
    if None in equal:
        raise ValueError(f"{index} holds nothing with None")
    given = dict(zip(index.fields, equal, strict=False))
    return {**given, **_present(index.kind, index.fields[len(equal) :])}


def _between(index: Index[Any], equal: tuple[Column, ...], since: Column, until: Column) -> dict[str, Any]:
    where = _equal(index, equal)
    if since is None and until is None:
        return where
    if len(equal) == len(index.fields):
        raise ValueError(f"{index} has no field after {len(equal)}")
    following = where[index.fields[len(equal)]]
    if since is not None:
        following["$gte"] = since
    if until is not None:
        following["$lte"] = until
    return where


def _begin_behind(
    index: Index[D], where: dict[str, Any], order: tuple[str, ...], after: D, *, descending: bool
) -> None:
    """Add: behind that document. The first field's bound is where the index is entered, the rest skips its equals."""
    behind = [after.id if field == "_id" else column(getattr(after, field)) for field in order]
    if None in behind:
        raise ValueError(f"{after.id} is not in {index}")
    beyond, at_least = ("$lt", "$lte") if descending else ("$gt", "$gte")
    first = where.setdefault(order[0], {})
    if len(order) == 1:
        first[beyond] = behind[0]
        return
    bounds = [bound for bound in (behind[0], first.get(at_least)) if bound is not None]
    first[at_least] = (min if descending else max)(bounds)
    where["$or"] = [
        {**dict(zip(order[:n], behind[:n], strict=True)), order[n]: {beyond: behind[n]}} for n in range(len(order))
    ]


def counting(index: Index[Any], equal: tuple[Column, ...], *, since: Column = None, until: Column = None) -> Selection:
    """What is counted, from the index alone."""
    return Selection(_between(index, equal, since, until), [], index_name(index))


# ---------------------------------------------------------------- units of work


class Written(NamedTuple):
    """What a unit leaves of a document: its version, or None where it is deleted."""

    id: str
    version: int | None


class Guarded(NamedTuple):
    """What a unit does to documents of one kind that it read: all of it finds its document, or the unit conflicts."""

    collection: Collection[Any]
    operations: list[UpdateOne | DeleteOne | ReplaceOne[Stored]]
    matches: int
    deletes: int
    written: list[Written]

    def __str__(self) -> str:
        ids = ", ".join(written.id for written in self.written) or "what is expected"
        return f"{self.collection.name} {ids}"


class Added(NamedTuple):
    """What a unit inserts of one kind."""

    collection: Collection[Any]
    documents: list[Stored]


class Unit:
    """One commit: what it writes, in the order that lets it hand a unique key from one document to another.

    Attributes:
        mark: stands in every document it writes.
        doubted: one try may have been committed without our knowing.
    """

    def __init__(self, changes: Changes) -> None:
        """Raises ValueError for what could never be stored."""
        self.mark = ObjectId()
        self.kinds = changes.kinds()
        self.guarded = list(_guarded(changes, self.mark))
        self.added = list(_added(changes, self.mark))
        self.blobs: tuple[Blob, ...] = changes.blobs
        self.blob_deletions: tuple[BlobId, ...] = changes.blob_deletions
        self.doubted = False

    def __bool__(self) -> bool:
        return bool(self.guarded or self.added or self.blobs or self.blob_deletions)

    @property
    def alone(self) -> bool:
        """It writes one document, which MongoDB does whole or not at all without a transaction."""
        parts = sum(len(part.operations) for part in self.guarded) + sum(len(part.documents) for part in self.added)
        return parts == 1 and not self.blobs and not self.blob_deletions


def _guarded(changes: Changes, mark: ObjectId) -> Iterator[Guarded]:
    """Kinds one after another: a unique key is handed on within a kind only."""
    kinds = dict.fromkeys(kind for kind, _ in (*changes.expectations, *changes.deletions, *changes.replacements))
    for kind in kinds:
        kept: Collection[Any] = collection(kind)
        part = Guarded(kept, [], 0, 0, [])
        expected = [d for (of, _), d in changes.expectations.items() if of is kind]
        deleted = [d for (of, _), d in changes.deletions.items() if of is kind]
        replaced = [d for (of, _), d in changes.replacements.items() if of is kind]
        # A read would not do: two transactions could each expect what the other changes, and both commit.
        part.operations.extend(
            UpdateOne({"_id": d.id, "version": d.version}, {"$inc": {"expected": 1}}) for d in expected
        )
        for document in deleted:
            part.operations.append(DeleteOne({"_id": document.id, "version": document.version}))
            part.written.append(Written(document.id, None))
        replaced.sort(key=lambda document: not kept.gives_up_a_key(document))
        for document in replaced:
            after = msgspec.structs.replace(document, version=document.version + 1)
            where = {"_id": document.id, "version": document.version}
            part.operations.append(ReplaceOne(where, kept.stored(after, mark)))
            part.written.append(Written(document.id, after.version))
        yield part._replace(matches=len(expected) + len(replaced), deletes=len(deleted))


def _added(changes: Changes, mark: ObjectId) -> Iterator[Added]:
    by_kind: dict[type[Document], list[Stored]] = {}
    for document in changes.inserts.values():
        if document.version != 0:
            raise ValueError(f"{KINDS[type(document)]} {document.id} was stored before: replace it")
        after = msgspec.structs.replace(document, version=1)
        by_kind.setdefault(type(document), []).append(collection(type(document)).stored(after, mark))
    for kind, documents in by_kind.items():
        yield Added(collection(kind), documents)
