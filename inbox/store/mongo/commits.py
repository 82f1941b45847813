"""A unit of work committed: one transaction, tried again where that is safe, and never in doubt for want of asking."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from bson import ObjectId
from pymongo import DeleteOne, ReplaceOne
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError

from inbox.errors import Conflict, Duplicate, StoreUnavailable
from inbox.store.mongo import blobs
from inbox.store.mongo.layout import FILES
from inbox.store.mongo.link import Link, in_words, may_have_happened
from inbox.store.mongo.shapes import Collection, Guarded, Stored, Unit

PATIENCE = 20.0
"""Seconds a unit is tried again while others change what it writes, or until it is known whether it was committed."""
FIRST_PAUSE = 0.004
LONGEST_PAUSE = 0.25

_DUPLICATE_KEY = 11000
_WRITE_CONFLICT = 112

_log = logging.getLogger(__name__)


async def commit(link: Link, unit: Unit) -> None:
    """Make the unit durable, or raise.

    Raises:
        Duplicate, Conflict: nothing was committed.
        StoreUnavailable: nothing was committed, or it is not known to be.
    """
    files = blobs.planned(unit.blobs)
    try:
        await blobs.upload(link, files)
        erased = await _commit(link, unit, files)
    except Exception:
        if not unit.doubted:  # else the files may exist, and a sweep will know
            await blobs.sweep_up(link, [file.id for file in files if file.uploaded])
        raise
    if erased:
        await blobs.sweep_up(link, erased)


async def _commit(link: Link, unit: Unit, files: Sequence[blobs.File]) -> Sequence[ObjectId]:
    deadline = time.monotonic() + PATIENCE
    for pause in _pauses():
        try:
            if unit.alone:
                await _write_alone(link, unit)
                return ()
            return await _transact(link, unit, files, deadline)
        except Conflict as refused:
            if not unit.doubted:
                raise
            if await _stood(link, unit, refused):
                return ()
            raise
        except PyMongoError as failure:
            in_doubt = unit.alone and may_have_happened(failure)
            unit.doubted = unit.doubted or in_doubt
            again = in_doubt or _is_transient(failure)
            if not again or time.monotonic() > deadline:
                doubt = " (it is not known whether the unit was committed)" if unit.doubted else ""
                raise StoreUnavailable(f"{link.address}: {in_words(failure)}{doubt}") from failure
        await asyncio.sleep(pause)
    raise AssertionError("pauses never end")


def _pauses() -> Iterator[float]:
    longest = FIRST_PAUSE
    while True:
        yield random.uniform(longest / 2, longest)
        longest = min(longest * 2, LONGEST_PAUSE)


def _is_transient(failure: PyMongoError) -> bool:
    """Whether the server undid the whole transaction, and asks for it to be tried again."""
    if failure.has_error_label("TransientTransactionError"):
        return True
    return isinstance(failure, OperationFailure) and _WRITE_CONFLICT in _codes(failure)


def _codes(failure: OperationFailure) -> set[int | None]:
    errors = (failure.details or {}).get("writeErrors", ())
    return {failure.code, *(error.get("code") for error in errors)}


# ---------------------------------------------------------------- one document


async def _write_alone(link: Link, unit: Unit) -> None:
    """One document: whole or not at all without a transaction, which would be a second round trip."""
    for part in unit.guarded:
        await _guard(link, part, None)
    for added in unit.added:
        await _insert(link, added.collection, added.documents, None)


# ---------------------------------------------------------------- several


async def _transact(link: Link, unit: Unit, files: Sequence[blobs.File], deadline: float) -> Sequence[ObjectId]:
    async with link.session() as session:
        await link.begin(session)
        erased: Sequence[ObjectId] = ()
        for part in unit.guarded:
            await _guard(link, part, session)
        if unit.blob_deletions:
            erased = await blobs.erase(link, unit.blob_deletions, session)
        for added in unit.added:
            await _insert(link, added.collection, added.documents, session)
        if files:
            try:
                await blobs.add(link, files, unit.mark, session)
            except (BulkWriteError, DuplicateKeyError) as failure:
                if _DUPLICATE_KEY in _codes(failure):
                    raise Duplicate("blob", "id") from None
                raise
        await _end(session, unit, deadline)
        return erased


async def _end(session: AsyncClientSession, unit: Unit, deadline: float) -> None:
    """Commit; while the outcome is unknown ask again, which the server answers for the same transaction."""
    for pause in _pauses():
        try:
            await session.commit_transaction()
        except PyMongoError as failure:
            if not failure.has_error_label("UnknownTransactionCommitResult"):
                raise
            unit.doubted = True
            if time.monotonic() > deadline:
                raise
            _log.warning("whether a unit was committed is asked again: %s", in_words(failure))
        else:
            return
        await asyncio.sleep(pause)


async def _guard(link: Link, part: Guarded, session: AsyncClientSession | None) -> None:
    documents = link.database[part.collection.name]
    try:
        match part.operations:
            case [ReplaceOne() as only] if session is None:
                done = await documents.replace_one(only._filter, only._doc)
                matches, deletes = done.matched_count, 0
            case [DeleteOne() as only] if session is None:
                gone = await documents.delete_one(only._filter)
                matches, deletes = 0, gone.deleted_count
            case _:
                result = await documents.bulk_write(part.operations, ordered=True, session=session)
                matches, deletes = result.matched_count, result.deleted_count
    except (BulkWriteError, DuplicateKeyError) as failure:
        raise _refused(part.collection, failure) from None
    if (matches, deletes) != (part.matches, part.deletes):
        raise Conflict(f"{part} changed")


async def _insert(
    link: Link, kept: Collection[Any], documents: list[Stored], session: AsyncClientSession | None
) -> None:
    try:
        await link.database[kept.name].insert_many(documents, ordered=True, session=session)
    except (BulkWriteError, DuplicateKeyError) as failure:
        raise _refused(kept, failure) from None


def _refused(kept: Collection[Any], failure: OperationFailure) -> Exception:
    """The Duplicate a driver's error is, which names its index by its keys; or the error."""
    details = failure.details or {}
    for error in details.get("writeErrors", [details]):
        if error.get("code") == _DUPLICATE_KEY:
            return Duplicate(kept.name, kept.unique_index(tuple(error.get("keyPattern", ()))))
    return failure


# ---------------------------------------------------------------- doubts


async def _stood(link: Link, unit: Unit, refused: Conflict) -> bool:
    """Whether a unit that may have been committed was, now that a second try met what may be its own doing.

    Raises:
        StoreUnavailable: it cannot be known any more.
    """
    try:
        marks = [mark async for mark in _marks(link, unit)]
    except PyMongoError as failure:
        raise StoreUnavailable(f"{link.address}: {in_words(failure)}") from failure
    if True in marks:
        return True
    if False in marks:
        return False
    raise StoreUnavailable(f"{link.address}: it is not known whether a unit was committed") from refused


async def _marks(link: Link, unit: Unit) -> AsyncIterator[bool]:
    """Of each document the unit writes: whether it shows the unit's mark; nothing where it shows neither."""
    wanted = [
        (part.collection.name, written.id, written.version) for part in unit.guarded for written in part.written
    ] + [(added.collection.name, document["_id"], 1) for added in unit.added for document in added.documents]
    for name, document_id, version in wanted:
        found = await link.database[name].find_one({"_id": document_id}, {"version": 1, "unit": 1})
        if found is not None and found["unit"] == unit.mark:
            yield True
        elif found is not None and version is not None and found["version"] <= version:
            yield False  # as it was before, or somebody else's
    for blob in unit.blobs:
        found = await link.database[FILES].find_one({"filename": blob.id}, {"metadata": 1}, hint="blob__by_id")
        if found is not None:
            yield found["metadata"]["unit"] == unit.mark
